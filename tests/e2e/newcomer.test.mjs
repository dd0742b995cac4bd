// README.md, followed by somebody who has just cloned the tree: the first command, which sets up,
// builds and serves, then everything that the page types, and what has come of it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, cp, readdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { simpleParser } from "mailparser";
import { changesOf, Cloud } from "../deploy/cloudrun.mjs";
import { ADDRESS, blocksOf, follow, Reader } from "./lib/document.mjs";
import { atEnd, inherited, temporary } from "./lib/service.mjs";

const root = new URL("../../", import.meta.url).pathname;
const page = (name) => readFile(join(root, name), "utf8");

// What a clone has: all but what is made here.
const made = new Set([".git", "build", "data", "node_modules"]);
const isCloned = (path) => !made.has(basename(path));

// He has gcloud; the program is the one that he has built.
class Newcomer extends Reader {
  script(body) {
    return `${this.gcloud}set -eo pipefail\n${this.kept}${body}`.replaceAll(ADDRESS, this.service.url);
  }
}

// The service, begun by the command of the page: its address, once it answers.
async function serve(t, dir, typed) {
  const [command, ...args] = typed.split(" ");
  const env = { ...inherited(), PORT: "0" }; // any free one
  const child = spawn(command, args, { cwd: dir, env, stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(child, "exit");
  const told = [];
  atEnd(t, async () => {
    child.kill("SIGTERM");
    assert.deepEqual(await ended, [0, null], told.join("\n"));
  });
  for await (const line of createInterface({ input: child.stderr })) {
    told.push(line);
    const [, port] = line.match(/"message":"ready".*"port":(\d+)/) ?? [];
    if (port) {
      child.stderr.resume();
      return { url: `http://127.0.0.1:${port}`, log: told };
    }
  }
  throw new Error(told.join("\n"));
}

// Subjects of what has left, and the newest draft with one of them.
async function subjects(dir) {
  const box = join(dir, "data/outbox/new");
  const mails = (await readdir(box)).map(async (name) => simpleParser(await readFile(join(box, name))));
  return (await Promise.all(mails)).map((mail) => mail.subject).sort();
}

test("README.md in a fresh clone", async (t) => {
  const dir = join(await temporary(t), "paraph");
  await cp(root, dir, { recursive: true, filter: isCloned });
  const [, first] = (await page("README.md")).match(/^ {4}(\S+ \S+) +# set up .*build, serve on/m);
  const reader = new Newcomer(t, dir);
  const cloud = await Cloud.open(t);
  reader.gcloud = Object.entries(cloud.env).map(([name, value]) => `export ${name}='${value}'\n`).join("");
  reader.service = await serve(t, dir, first);
  await follow("README.md", reader);

  assert.deepEqual(await subjects(dir), ["Lunch!", "Lunch?", "Welcome", "[TEST] Lunch!"]);
  const { drafts } = await (await fetch(`${reader.service.url}/drafts?status=sent`)).json();
  assert.deepEqual(drafts.map(({ subject }) => subject), ["Lunch!"]);
  assert.ok(cloud.asked.length > 0);
  assert.deepEqual(changesOf(cloud.asked), []);
});

const pages = ["README.md", "README.fr.md", "SECURITY.md",
  ...(await readdir(join(root, "docs"))).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`)];

for (const name of pages) {
  test(`${name}: every link leads to a file that is there`, async () => {
    const links = [...(await page(name)).matchAll(/\]\(([^)#:]+)(#[^)]*)?\)/g)].map(([, path]) => path);
    for (const path of links) await access(join(root, dirname(name), path));
  });
}

test("README.fr.md says the same: its blocks, links and tables are those of README.md", async () => {
  const [english, french] = [await page("README.md"), await page("README.fr.md")];
  const commands = (text) => blocksOf(text).filter(({ language }) => language !== "text")
    .map(({ language, words, body }) => [language, ...words, body]);
  assert.deepEqual(commands(french), commands(english));
  const names = (text) => [...text.matchAll(/^\| `([^|]*?)` \|/gm)].map(([, name]) => name);
  assert.deepEqual(names(french), names(english));
  const headings = (text) => [...text.matchAll(/^##+ /gm)].length;
  assert.equal(headings(french), headings(english));
});
