// `paraph repl` without a terminal, on each backend: a script from standard input. In a rehearsal
// nothing leaves and nothing is written, whatever is tried.

import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { start, world } from "./lib/backends.mjs";
import { repl, well } from "./lib/repl.mjs";
import { isInstrumented, overlay, temporary } from "./lib/service.mjs";

const MESSAGE = `{ to = "ann@example.com", subject = "Hello", message = "Hi Ann!" }`;
const ON_GOOGLE = (process.env.TEST_ON ?? "local") !== "local";
const SENDER = ON_GOOGLE ? "sender@example.com" : "paraph@example.test";

test("a script: statements over several lines, values, and a first line that fails", async (t) => {
  const { env } = await world(t);
  assert.equal(await well(t, env, ["print('a\\0b\\xff', 1)"]), "a\uFFFDb\uFFFD\t1\n");
  const lines = ["for i = 1, 2 do", "  print(i)", "end", "x = { 1, a = 'b' }", "x", "", "-- a comment", "nil"];
  assert.equal(await well(t, env, lines), '1\n2\n{ 1, a = "b" }\nnil\n');
  const failing = await repl(t, env, ["1", "error('no')", "2"]);
  assert.deepEqual([failing.code, failing.stdout], [1, "1\n"]);
  assert.match(failing.stderr, /^no\n {2}error\('no'\)\n {2}\^\n/);
  const half = await repl(t, env, ["x = {"]);
  assert.equal(half.code, 1);
  assert.match(half.stderr, /ends in the middle of a statement/);
  const live = await repl(t, env, [":live", "1"]);
  assert.deepEqual([live.code, live.stdout], [1, ""]);
  assert.match(live.stderr, new RegExp(`:live ${SENDER}`));
});

test("calls wait, several at once", async (t) => {
  const { env } = await world(t);
  const said = await well(t, env, ["task.sleep(20)",
    "r = task.all { function() task.sleep(30) return 1 end, function() return 2 end }", "r",
    "mail.signature()", "drafts.load('11111111-1111-4111-8111-111111111111')"]);
  assert.match(said, /\{ \{ 1 \}, \{ 2 \} \}/);
  assert.match(said, /nil, draft_not_found/);
});

test("a line and a hook have the time that they have in the service", async (t) => {
  const { env } = await world(t);
  const [line, hook] = await isInstrumented() ? [750, 300] : [250, 100];
  const { stdout, stderr } = await repl(t, env, [
    "function endless() while true do end end",
    'require("paraph.policy").call("hook", endless)', "endless()"]);
  assert.match(stdout, new RegExp(`the policy hook ran for more than ${hook} ms`));
  assert.match(stderr, new RegExp(`the script ran for more than ${line} ms`));
});

// Everything there is that could send or write.
const EVERYTHING = (id) => [
  `:send ${MESSAGE}`, `:send ${MESSAGE.replace("{", '{ mode = "draft",')}`, ":outbox", ":outbox 1",
  ":drafts", ":drafts pending", `:show ${id}`, `:preview ${id}`, `:preview ${MESSAGE}`, `:why ${id}`,
  `:request POST / {"to": "bob@example.com", "subject": "S", "message": "M", "mode": "send"}`,
  `:request PATCH /drafts/${id} {"subject": "Other"}`,
  `:request GET /drafts/${id}/message`,
  `:request POST /drafts/${id}/test {"to": "tester@example.com"}`,
  `:request POST /send-draft {"draft_id": "${id}"}`,
  `:show ${id}`, ":replay 20", ":quota", ":routes", ":doctor", ":reload", ":help", ":time 1",
  `store.create(config.draft_collection, "x", { a = 1 })`, `store.get(config.draft_collection, "x")`,
  `store.update(config.draft_collection, "${id}", { subject = "Third" })`,
  `store.increment("c", "${id}", { counter = "n", first = "f", last = "l" })`,
  `store.delete(config.draft_collection, "${id}")`,
  `drafts.load("${id}")`,
  `fetch { url = "http://127.0.0.1:1/hook", method = "POST", body = "x" }`,
  `require("lib.delivery").sweep()`,
  `for _, job in ipairs(require "jobs") do job.run() end`,
];

test("in a rehearsal nothing leaves, and nothing is written, whatever is tried", async (t) => {
  const there = await world(t);
  const service = await start(t, {}, { at: there });
  const id = await service.draft();
  const before = await there.stored("email_drafts", id);
  await service.stop();
  const writes = there.google?.log.length;

  const lines = EVERYTHING(id).filter((line) => !line.startsWith("store.increment"));
  const said = await well(t, there.env, lines);
  assert.match(said, /rehearsed: it would leave from/);
  assert.match(said, /message_id = .*\n(.*\n)*.*rehearsed: it would leave/, "raw requests say so, too");
  assert.match(said, /subject +Other/, "the rehearsal does not see what was written in it");
  assert.match(said, /status +sent/, "the rehearsal does not see what was sent in it");
  assert.match(said, /nil, no_send: /);
  assert.match(said, /nil, draft_not_found/, "the rehearsal still sees what was deleted in it");

  assert.deepEqual(await there.mails(), []);
  assert.deepEqual(await there.waiting(), []);
  assert.deepEqual(await there.stored("email_drafts", id), before);
  assert.equal(await there.stored("email_drafts", "x"), undefined);
  if (there.google) {
    const acts = there.google.log.slice(writes).filter(({ method }) =>
      /messages\.send|drafts\.(create|send|update|delete)|commit|batchWrite|\.patch|createDocument|beginTransaction/.test(method));
    assert.deepEqual(acts.map(({ method }) => method), []);
  }
});

test("live: what is sent leaves, and what is written stays", async (t) => {
  const there = await world(t);
  const said = await well(t, there.env, [`:send ${MESSAGE}`, `:live ${SENDER}`, `:send ${MESSAGE}`,
    `:send ${MESSAGE.replace("{", '{ mode = "draft",')}`, "kept = _", ":dry", `:send ${MESSAGE}`, "kept"]);
  const id = /"([0-9a-f-]{36})"/.exec(said)[1];
  assert.equal((await there.mails()).length, 1);
  assert.equal((await there.stored("email_drafts", id)).subject, "Hello");
});

test("NO_SEND holds what would leave, live or not", async (t) => {
  const there = await world(t);
  const said = await well(t, { ...there.env, NO_SEND: "true" }, [`:send ${MESSAGE}`, ":why _",
    `:live ${SENDER}`, `:send ${MESSAGE}`]);
  assert.equal(said.match(/^held: no_send \(NO_SEND, environment\)/gm)?.length, 2, said);
  assert.match(said, /NO_SEND is set/);
  assert.deepEqual(await there.mails(), []);
});

test("a rule that fails is shown with its line and a caret, and its own calls alone", async (t) => {
  const there = await world(t);
  const scripts = await overlay(t, { "policy/review.lua": `local review = {}
local function inner(letter)
  return letter.nothing.at_all
end
function review.decide(letter)
  local verdict = inner(letter)
  return verdict
end
return review
` });
  const env = { ...there.env, SCRIPTS_DIR: scripts };
  const { code, stdout, stderr } = await repl(t, env, [`:send ${MESSAGE}`]);
  assert.equal(code, 1, stdout);
  const text = stderr;
  assert.match(text, /the hook review\.decide has failed: policy\/review\.lua:3: attempt to index/);
  assert.match(text, / {4}3 \| {3}return letter\.nothing\.at_all\n {6}\| +\^/);
  assert.match(text, /called from policy\/review\.lua:6, in/);
  assert.doesNotMatch(text, /lib\/hooks|api\/messages/);
});

test("scripts that do not load are told, with their line", async (t) => {
  const there = await world(t);
  const scripts = await overlay(t, { "policy/review.lua": "return review +\n" });
  const broken = await repl(t, { ...there.env, SCRIPTS_DIR: scripts }, ["1"]);
  assert.equal(broken.code, 1);
  assert.match(broken.stderr, /policy\/review\.lua:2: unexpected symbol.*\n +1 \| return review \+/);
});

test("--html keeps the page in a file", async (t) => {
  const there = await world(t), cwd = await temporary(t);
  const said = await well(t, there.env, [`:preview --html ${MESSAGE}`], { cwd });
  const [name] = await readdir(cwd);
  assert.match(said, new RegExp(`the HTML is in ${name.replaceAll(".", "\\.")}`));
});

if (ON_GOOGLE) {
  test("the store is away", async (t) => {
    const there = await world(t);
    const env = { ...there.env, FIRESTORE_EMULATOR_HOST: "127.0.0.1:1" };
    const { code, stderr } = await repl(t, env, [":drafts"]);
    assert.equal(code, 1);
    assert.match(stderr, /firestore_error/);
  });
}
