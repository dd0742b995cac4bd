// What is shown at a terminal, and only there: colours, and what is under way.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { overlay, run, temporary } from "./lib/service.mjs";
import { atTerminal } from "./lib/terminal.mjs";

const COLOR = /\x1b\[\d+m/;
const CLEAR = "\r\x1b[K";

const tests = { "a_test.lua": "return { first = function() end, second = function() end }" };

// What is left of a terminal's lines when all was written.
const remains = (text) => text.split("\r\n").map((line) => line.split(CLEAR).at(-1));

test("colours are for terminals, where NO_COLOR is not set", async (t) => {
  for (const [env, colored] of [[{}, true], [{ NO_COLOR: "" }, true], [{ NO_COLOR: "1" }, false]]) {
    const { code, text } = await atTerminal(t, ["check"], env);
    assert.equal(code, 0, text);
    assert.equal(COLOR.test(text), colored, text);
  }
  assert.doesNotMatch((await run(t, ["check"])).stdout, COLOR);
  assert.doesNotMatch((await atTerminal(t, ["check", "--json"])).text, COLOR);
});

test("the step under way is shown, and gone when it has ended", async (t) => {
  const { code, text } = await atTerminal(t, ["check", "--live"]);
  assert.equal(code, 0, text);
  for (const step of ["store write", "store read", "store delete", "store listing"]) {
    assert.ok(text.includes(`${CLEAR}${step} ...`), `${step} was not shown:\n${text}`);
  }
  assert.ok(!remains(text).some((line) => line.includes("...")), text);
  assert.match(remains(text).join("\n"), /store read {6}it is there/);
});

test("the test under way is shown, also when the results go elsewhere", async (t) => {
  const dir = await overlay(t, tests), to = join(await temporary(t), "results");
  const { code, text } = await atTerminal(t, ["test", dir], {}, { to });
  assert.equal(code, 0, text);
  assert.equal(text, `${CLEAR}a_test.lua: first ...${CLEAR}${CLEAR}a_test.lua: second ...${CLEAR}`);
  assert.match(await readFile(to, "utf8"), /^ok {3}a_test\.lua: first .*\nok .*\n2 passed/);
});

test("it never takes more than a line", async (t) => {
  const name = "x".repeat(200);
  const dir = await overlay(t, { "a_test.lua": `return { ["${name}"] = function() end }` });
  const to = join(await temporary(t), "results");
  const { text } = await atTerminal(t, ["test", dir], {}, { columns: 40, to });
  assert.equal(text.split(CLEAR)[1].length, 39, text);
});

test("nothing of it is written where there is no terminal", async (t) => {
  const dir = await overlay(t, tests);
  for (const args of [["check", "--live"], ["test", dir], ["test", "--json", dir]]) {
    const { stdout, stderr } = await run(t, args, { LOG_LEVEL: "error" });
    assert.ok(!stdout.includes("\x1b"), stdout);
    assert.equal(stderr, "");
  }
});
