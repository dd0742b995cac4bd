// `paraph repl` on a terminal: editing, history, completion, interrupting, and going live.

import assert from "node:assert/strict";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { CTRL_C, CTRL_D, ENTER, openTerminal, TAB, UP } from "./lib/terminal.mjs";
import { temporary } from "./lib/service.mjs";

const DRY = /dry> $/;
const MESSAGE = `{ to = "ann@example.com", subject = "Hello", message = "Hi Ann!" }`;

async function start(t, options = {}) {
  const dir = await temporary(t);
  const DATA_DIR = join(dir, "data");
  const env = { DATA_DIR, XDG_STATE_HOME: join(dir, "state"), ...options.env };
  const terminal = await openTerminal(t, ["repl"], { ...options, env, cwd: dir });
  assert.match(await terminal.until(DRY), /Nothing leaves, and nothing is stored, until :live/);
  terminal.dir = dir;
  terminal.mails = () => readdir(join(DATA_DIR, "outbox", "new"));
  return terminal;
}

async function leave(terminal) {
  terminal.type(CTRL_D);
  assert.equal(await terminal.exited, 0);
}

test("lines, values and errors", async (t) => {
  const terminal = await start(t);
  assert.equal(await terminal.line("1 + 1"), "2\n");
  assert.equal(await terminal.line("'é€' .. '𝄞'"), '"é€𝄞"\n');
  assert.match(await terminal.line("local x = = 1"), /unexpected symbol near '='\n.*\n +\^\n/);
  terminal.type("for i = 1, 2 do" + ENTER);
  await terminal.until(/ {3}> $/);
  terminal.type("print(i)" + ENTER);
  await terminal.until(/ {3}> $/);
  assert.equal(await terminal.line("end"), "1\n2\n");
  assert.match(await terminal.line("while true do end"), /ran for more than/);
  await leave(terminal);
});

test("Ctrl-C ends a call of 30 seconds, and gives up a line; Ctrl-D leaves", async (t) => {
  const terminal = await start(t);
  terminal.type("task.sleep(30000)" + ENTER);
  await terminal.until(/sleep\(30000\)\n/);
  terminal.type(CTRL_C);
  assert.match(await terminal.until(DRY), /nil, cancelled: interrupted/);
  terminal.type("half a line");
  await terminal.until(/half a line$/);
  terminal.type(CTRL_C);
  await terminal.until(/\^C\ndry> $/);
  terminal.type("{ 1," + ENTER);
  await terminal.until(/ {3}> $/);
  terminal.type(CTRL_C);
  await terminal.until(/dry> $/);
  assert.equal(await terminal.line("2 + 2"), "4\n");
  await leave(terminal);
});

test("what never yields to Ctrl-C is cut off by its budget", async (t) => {
  const terminal = await start(t);
  terminal.type("while true do task.sleep(50) end" + ENTER);
  await terminal.until(/end\n/);
  terminal.type(CTRL_C);
  await terminal.until(DRY);
  assert.equal(await terminal.line("1"), "1\n");
  await leave(terminal);
});

test("completion, with a line of help, and history across sessions", async (t) => {
  const terminal = await start(t);
  terminal.type("store.g" + TAB);
  assert.match(await terminal.until(/store\.get$/), /store\.get\(collection, id, options\) {2}The document/);
  terminal.type(CTRL_C);
  await terminal.until(DRY);
  terminal.type(":re" + TAB);
  assert.match(await terminal.until(/\n.*:re$/s), /:reload {2}:replay {2}:request/);
  terminal.type(CTRL_C);
  await terminal.until(DRY);
  const draft = MESSAGE.replace("{", "{ mode = 'draft',");
  const id = /draft (\S+) waits/.exec(await terminal.line(`:send ${draft}`))[1];
  terminal.type(`:show ${id.slice(0, 4)}${TAB}`);
  await terminal.until(new RegExp(`:show ${id}$`));
  assert.match(await terminal.line(""), /subject +Hello/);
  await terminal.line("'to be kept'");
  await terminal.line(" 'not to be kept'");
  await leave(terminal);
  const history = join(terminal.dir, "state", "paraph", "history");
  assert.equal((await stat(history)).mode & 0o777, 0o600);
  assert.doesNotMatch(await readFile(history, "utf8"), /not.*to.*be.*kept/);

  const again = await openTerminal(t, ["repl"], { cwd: terminal.dir,
    env: { DATA_DIR: join(terminal.dir, "data"), XDG_STATE_HOME: join(terminal.dir, "state") } });
  await again.until(DRY);
  again.type(UP);
  await again.until(/'to be kept'$/);
  again.type(CTRL_C);
  await again.until(DRY);
  await leave(again);
});

test("live asks, is in the prompt, and sends; dry goes back", async (t) => {
  const terminal = await start(t);
  assert.match(await terminal.line(":send " + MESSAGE), /rehearsed/);
  assert.deepEqual(await terminal.mails(), []);
  terminal.type(":live" + ENTER);
  assert.match(await terminal.until(/\[y\/N\] $/), /mail really leaves from paraph@example\.test/);
  await terminal.line("n", DRY);
  assert.deepEqual(await terminal.mails(), []);
  terminal.type(":live" + ENTER);
  await terminal.until(/\[y\/N\] $/);
  await terminal.line("y", /paraph@example\.test LIVE> $/);
  assert.match(await terminal.line(":send " + MESSAGE), /sent: message /);
  assert.equal((await terminal.mails()).length, 1);
  await terminal.line(":dry", DRY);
  assert.match(await terminal.line(":send " + MESSAGE), /rehearsed/);
  assert.equal((await terminal.mails()).length, 1);
  await leave(terminal);
});

test("a paste of 2,000 lines is carried out line by line, on 40 columns", async (t) => {
  const terminal = await start(t, { columns: 40 });
  const lines = ["n = 0"];
  for (let i = 1; i < 1999; i++) {
    lines.push(`n = n + 1 -- number ${i}, on a line that is longer than the terminal is wide`);
  }
  terminal.type([...lines, "'sum ' .. n", ""].join(ENTER));
  await terminal.until(/"sum 1998"\ndry> $/);
  await leave(terminal);
});

test("a paste of one statement of 2,000 lines", async (t) => {
  const terminal = await start(t, { columns: 40 });
  const body = Array.from({ length: 1996 }, (_, i) => `  v = v + ${i % 2} -- line ${i}`);
  terminal.type(["function f()", "  local v = 0", ...body, "  return 'sum ' .. v", "end", "f()", ""].join(ENTER));
  await terminal.until(/"sum 998"\ndry> $/);
  await leave(terminal);
});

test("on 40 columns nothing is wider", async (t) => {
  const terminal = await start(t, { columns: 40 });
  const draft = MESSAGE.replace("{", "{ mode = 'draft',").replace("Hello", "A subject of many words");
  await terminal.line(":send " + draft);
  const table = await terminal.line(":drafts");
  assert.ok(table.includes("SUBJECT"));
  const value = await terminal.line("config");
  for (const line of (table + value).trimEnd().split("\n")) {
    assert.ok(line.length <= 60, line); // ids and names are never cut
  }
  assert.ok(value.split("\n").length > 5);
  await leave(terminal);
});

test("what others wrote does not reach the terminal as orders", async (t) => {
  const terminal = await start(t);
  const shown = await terminal.line(`print("\\27]0;owned\\7\\27[2J\\u{202E}")`);
  assert.equal(shown, "\uFFFD]0;owned\uFFFD\uFFFD[2J\uFFFD\n");
  assert.doesNotMatch(terminal.output, /\x1b\]0;owned/);
  await leave(terminal);
});

test("SIGTERM ends it as Ctrl-D does", async (t) => {
  const terminal = await start(t);
  await terminal.line("'to be kept'");
  process.kill(await terminal.program(), "SIGTERM");
  assert.equal(await terminal.exited, 0);
  const history = await readFile(join(terminal.dir, "state", "paraph", "history"), "utf8");
  assert.match(history, /to.*be.*kept/);
});
