// `paraph repl` without a terminal: a script on its standard input.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { inherited, PARAPH, temporary } from "./service.mjs";

// What a script says: { code, stdout, stderr }.
export async function repl(t, env, lines, { args = [], cwd } = {}) {
  const child = spawn(PARAPH, ["repl", ...args], {
    env: { ...inherited(), ...env }, cwd: cwd ?? await temporary(t), stdio: ["pipe", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) {
    child[name].setEncoding("utf8").on("data", (text) => { said[name] += text; });
  }
  child.stdin.on("error", () => {});
  child.stdin.end(lines.join("\n") + "\n");
  const [code] = await once(child, "close");
  assert.doesNotMatch(said.stderr, /ERROR: \w+Sanitizer|runtime error:/);
  return { code, ...said };
}

export async function well(t, env, lines, options) {
  const said = await repl(t, env, lines, options);
  assert.equal(said.code, 0, said.stderr + said.stdout);
  return said.stdout;
}
