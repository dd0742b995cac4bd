// docs/repl.md, done as it says, on a terminal. A block of Lua goes into the file that stands behind
// its language; in a console each line behind a prompt is typed, and what follows must be shown;
// `sh` is run, and `text output` is what it prints. "…" stands for anything.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { simpleParser } from "mailparser";
import { well } from "./lib/repl.mjs";
import { openTerminal } from "./lib/terminal.mjs";
import { inherited, PARAPH, put, temporary } from "./lib/service.mjs";

const page = await readFile(new URL("../../docs/repl.md", import.meta.url), "utf8");
const PROMPT = /^(dry> |paraph@example\.test LIVE> |\[y\/N\] )(.*)$/;
const COLUMNS = 160; // wider than any line of the page

const blocks = [...page.matchAll(/^```(\w+)([^\n]*)\n(.*?)^```$/gms)].map(([, language, words, body]) =>
  ({ language, words: words.trim(), body }));

// [{ prompt, typed, shown }]
function steps(body) {
  const list = [];
  for (const line of body.trimEnd().split("\n")) {
    const [, prompt, typed] = PROMPT.exec(line) ?? [];
    if (prompt) list.push({ prompt, typed, shown: "" });
    else if (list.length > 0) list.at(-1).shown += `${line}\n`;
  }
  return list;
}

const pattern = (text) =>
  new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll("…", ".*?")
    .replace(/ {2,}/g, " +")}$`);

async function follow(terminal, { typed, shown }, next) {
  const prompt = next?.prompt ?? "dry> ";
  const end = new RegExp(`(^|\\n)${prompt.replace(/[[\].]/g, "\\$&")}$`);
  const actual = await terminal.line(typed, end);
  assert.match(actual, pattern(shown), `${typed}:\n${actual}`);
}

test("docs/repl.md", async (t) => {
  const dir = await temporary(t);
  await mkdir(join(dir, "bin"));
  await symlink(PARAPH, join(dir, "bin", "paraph"));
  const env = { XDG_STATE_HOME: join(dir, "state"), SCRIPTS_DIR: "policies" };
  const sessions = new Map(blocks.map((block) => [block, steps(block.body)]));
  const consoles = blocks.filter(({ language }) => language === "console")
    .flatMap((block) => sessions.get(block));
  assert.ok(consoles.length > 10, "the page has no session");
  let terminal, output;
  for (const block of blocks) {
    const { language, words, body } = block;
    if (language === "lua") {
      await put(dir, words.replace("file=", ""), body);
    } else if (language === "console") {
      terminal ??= await openTerminal(t, ["repl"], { env, cwd: dir, columns: COLUMNS });
      if (body.startsWith("$ ")) {
        assert.match(body, /^\$ SCRIPTS_DIR=policies paraph repl\nNothing leaves, and nothing/);
        await terminal.until(/Nothing leaves, and nothing is stored.*\ndry> $/s);
      }
      for (const step of sessions.get(block)) {
        await follow(terminal, step, consoles[consoles.indexOf(step) + 1]);
      }
    } else if (language === "sh") {
      const path = `${join(dir, "bin")}:${process.env.PATH}`;
      const run = await promisify(execFile)("bash", ["-c", body],
        { cwd: dir, env: { ...inherited(), PATH: path } });
      output = run.stdout.replaceAll("\r", "");
    } else {
      assert.equal(output, body);
    }
  }
  const [name] = await readdir(join(dir, "data", "outbox", "new"));
  const mail = await simpleParser(await readFile(join(dir, "data", "outbox", "new", name)));
  assert.equal(mail.subject, "Invoice 12");
  assert.equal(mail.text.split("\n")[0], "Due in May.");
  assert.equal(mail.attachments[0].filename, "12.pdf");
});

test("the page has every command that there is", async (t) => {
  const help = await well(t, { DATA_DIR: join(await temporary(t), "data") }, [":help"]);
  const commands = [...help.matchAll(/^ {2}:(\w+)/gm)].map(([, name]) => name);
  assert.ok(commands.length > 10);
  const told = page.split("\n## Commands\n")[1].split("\n## ")[0];
  const missing = commands.filter((name) => !new RegExp("`:" + name + "\\b").test(told));
  assert.deepEqual(missing, []);
});
