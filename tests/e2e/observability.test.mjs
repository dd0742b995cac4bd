// docs/observability.md: its commands are run, and its tables are what the program has.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { blocksOf, codes, tableOf } from "./lib/document.mjs";
import { metrics } from "./lib/metrics.mjs";
import { PARAPH, start, temporary } from "./lib/service.mjs";

const root = new URL("../../", import.meta.url);
const text = await readFile(new URL("docs/observability.md", root), "utf8");

// The blocks of shell.
const blocks = blocksOf(text).filter(({ language }) => language === "sh");

function shell(dir, script) {
  const env = { PATH: `${dir}:${process.env.PATH}`, HOME: process.env.HOME };
  return new Promise((resolve, reject) => execFile("bash", ["-c", `set -eo pipefail\n${script}`],
    { cwd: dir, env }, (error, stdout) => (error ? reject(error) : resolve(stdout))));
}

test("the commands do what the page says", async (t) => {
  const dir = await temporary(t);
  await symlink(PARAPH, join(dir, "paraph"));
  let service, output = "";
  for (const { words: [kind], body } of blocks) {
    if (kind === "serve") {
      const variables = [...body.matchAll(/([A-Z_]+)=(\S+) /g)].map(([, name, value]) => [name, value]);
      service = await start(t, Object.fromEntries(variables));
      continue;
    }
    if (service) await writeFile(join(dir, "paraph.log"), service.stderr);
    output = await shell(dir, body.replace("localhost:8080", `127.0.0.1:${service?.port}`));
    if (body.startsWith("curl")) {
      assert.equal(JSON.parse(output).status, "ok");
      await service.event((e) => e.message === "request" && e.path === "/");
    }
  }
  const events = output.trim().split("\n").map((line) => JSON.parse(line).message);
  assert.deepEqual(events, ["decided", "pixel stored", "mail sent", "request"]);
});

test("the table of metrics is that of the program", async (t) => {
  const page = await metrics(await start(t));
  const rows = tableOf(text, "metric");
  assert.deepEqual(rows.map(([name]) => codes(name)[0]), [...page.types.keys()]);
  for (const [name, type, labels, what] of rows) {
    const [metric] = codes(name);
    assert.equal(type, page.types.get(metric), metric);
    assert.equal(what, page.helps.get(metric), metric);
    const samples = page.samples.get(type === "histogram" ? `${metric}_count` : metric) ?? [];
    const listed = labels === "–" ? [] : labels.split("; ").map((label) => codes(label));
    for (const sample of samples) {
      assert.deepEqual(Object.keys(sample.labels), listed.map(([label]) => label), metric);
      for (const [label, ...values] of listed) {
        assert.ok(values.length === 0 || values.includes(sample.labels[label]),
          `${metric}: ${label} is ${sample.labels[label]}`);
      }
    }
    if (listed.length > 0 && listed.every(([, ...values]) => values.length > 0)) {
      const combinations = listed.reduce((n, [, ...values]) => n * values.length, 1);
      assert.equal(samples.length, combinations, metric);
    }
  }
});

test("every event of its table is one of the program, and so is every field", async () => {
  let source = "";
  for (const dir of ["core/", "scripts/lib/", "scripts/api/"]) {
    for (const name of await readdir(new URL(dir, root))) {
      source += await readFile(new URL(dir + name, root), "utf8");
    }
  }
  for (const [events] of tableOf(text, "event")) {
    for (const event of codes(events)) assert.ok(source.includes(`"${event}"`), event);
  }
  for (const [fields] of tableOf(text, "field")) {
    for (const field of codes(fields)) {
      assert.ok(source.includes(`"${field.replace("…/", "logging.googleapis.com/")}`), field);
    }
  }
});
