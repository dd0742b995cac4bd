// The commands of docs/performance.md, done as it says, but for a moment (--smoke), and of the whole
// table only one kind of row, since bench/smoke runs all of it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { access, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const ROOT = new URL("../../", import.meta.url).pathname;
const PARAPH = process.env.PARAPH ?? `${ROOT}build/paraph`;
const run = promisify(execFile);
const page = await readFile(`${ROOT}docs/performance.md`, "utf8");
const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, body]) => body);

const commands = blocks.flatMap((body) => body.trimEnd().split("\n"))
  .map((line) => line.replace(/ +# .*/, ""));

const hasWords = (command) => command.replace(/--times \d+|--\w+/g, "").trim() !== "./dev bench";

for (const command of commands) {
  test(command, async () => {
    const chosen = command.startsWith("./dev bench") && !hasWords(command) ? `${command} MIME` : command;
    const { stdout } = await run("bash", ["-c", chosen
      .replace("./dev bench", `node ${ROOT}tests/bench/bench.mjs --smoke`)
      .replaceAll("build/", `${dirname(PARAPH)}/`)], { cwd: ROOT, env: { ...process.env, PARAPH } });
    assert.ok(stdout.split("\n").length > 2, stdout);
  });
}

test("its curves are there", async () => {
  const pictures = [...page.matchAll(/!\[.+\]\((.+)\)/g)];
  assert.equal(pictures.length, 4);
  for (const [, path] of pictures) await access(`${ROOT}docs/${path}`);
});
