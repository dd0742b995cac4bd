// Scripts of the operator: they decide, and their faults stay theirs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { assertRefused, overlay, put, run, start } from "./lib/service.mjs";

const letter = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!", mode: "send" };

const review = (body) => ({ "policy/review.lua":
  `local review = {}\nfunction review.decide(letter)\n${body}\nend\nreturn review` });

// A service whose review policy is this Lua text; its first line is line 3 of the file.
async function reviewed(t, body, env = {}) {
  return start(t, { SCRIPTS_DIR: await overlay(t, review(body)), ...env });
}

test("a policy holds a send for review", async (t) => {
  const service = await reviewed(t, 'return "hold", "too many recipients"');
  const reply = await service.post("/", letter);
  assert.equal(reply.status, 200, reply.text);
  const { draft_id: id, ...rest } = reply.json;
  assert.deepEqual(rest, { status: "ok", mode: "draft", held: "too many recipients" });
  assert.deepEqual(await service.outbox(), []);
  assert.equal((await service.post("/send-draft", { draft_id: id })).status, 200);
  assert.equal((await service.outbox()).length, 1);
});

test("the draft and the log say which rule decided, and where it is written", async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, { "policy/review.lua": `
    local review = require "shipped.policy.review"
    local rules = require "lib.rules"
    return { approve = review.approve, decide = rules.first {
      { "nobody", function() end },
      { "our rivals", function(letter)
        if letter.domains[1] == "example.com" then return "hold", "a rival" end
      end },
    } }` }) });
  const reply = await service.post("/", letter);
  assert.equal(reply.json.held, "a rival");
  const { decision } = await service.document(reply.json.draft_id);
  assert.deepEqual(decision,
    { verdict: "hold", rule: "our rivals", reason: "a rival", at: "policy/review.lua:6" });
  const id = reply.headers.get("x-request-id");
  const event = await service.event((e) => e.request_id === id && e.message === "decided");
  assert.deepEqual([event.verdict, event.rule, event.reason, event.at],
    ["hold", "our rivals", "a rival", "policy/review.lua:6"]);
  assert.ok((await service.post("/", { ...letter, to: "bob@example.org" })).json.id);
});

test("settings.lua says what policies may read from the environment", async (t) => {
  const scripts = await overlay(t, {
    "settings.lua": 'return { friends = { type = "list" }, most = { type = "number", default = 1 } }',
    "policy/review.lua": `
    local settings = require "lib.settings"
    return { approve = require("shipped.policy.review").approve, decide = function(letter)
      return "hold", table.concat(settings.friends, "+") .. settings.most
    end }` });
  const env = { SCRIPTS_DIR: scripts, POLICY_FRIENDS: "a, b" };
  const service = await start(t, env);
  assert.equal((await service.post("/", letter)).json.held, "a+b1");
  for (const [more, pattern] of [[{ POLICY_FRIENDS: undefined }, /POLICY_FRIENDS is not set/],
    [{ POLICY_MOST: "many" }, /POLICY_MOST: 'many' is not a number/],
    [{ POLICY_UNDO_SECONDS: "-5" }, /POLICY_UNDO_SECONDS: '-5' is not a number from 0 to 86400/],
    [{ POLICY_UNDO_SECONDS: "86401" }, /'86401' is not a number from 0 to 86400/]]) {
    const { code, stderr } = await run(t, ["serve"], { ...env, ...more });
    assert.equal(code, 1, stderr);
    assert.match(stderr, pattern);
  }
  await put(scripts, "settings.lua", 'return { api_keys = { type = "text", default = "" } }');
  const other = await start(t, { ...env, API_KEYS: "x=draft:00" });
  assert.equal((await other.post("/", letter)).status, 500);
});

test("a module that returns nothing is told as such each time it is required", async (t) => {
  const SCRIPTS_DIR = await overlay(t, { "lib/nothing.lua": "local nothing = {}",
    "policy/review.lua": 'pcall(require, "lib.nothing")\nreturn require "lib.nothing"' });
  const { code, stdout } = await run(t, ["check"], { SCRIPTS_DIR });
  assert.equal(code, 1, stdout);
  assert.match(stdout, /failed +scripts +module 'lib\.nothing' returns nothing to require/);
});

test("a policy refuses a send", async (t) => {
  const service = await reviewed(t, 'return "refuse", "not to this domain"');
  const reply = await service.post("/", letter);
  assertRefused(reply, 403, "refused_by_policy");
  assert.match(reply.json.error, /not to this domain/);
  assert.deepEqual((await service.get("/drafts")).json.drafts, []);
});

test("a policy that raises: 500, the reason in the log and not in the answer", async (t) => {
  const service = await reviewed(t, 'error("the bug is here")');
  const reply = await service.post("/", letter);
  assertRefused(reply, 500, "policy_error");
  assert.ok(!/bug|review|traceback/.test(reply.text), reply.text);
  const id = reply.headers.get("x-request-id");
  const event = await service.event((e) => e.request_id === id && e.severity === "ERROR");
  assert.match(event.error, /policy\/review\.lua:3: the bug is here/);
  assert.deepEqual(await service.outbox(), []);
  assert.equal((await service.get("/health")).status, 200);

  // The message is not lost: a reviewer finds it, with the reason.
  const { drafts } = (await service.get("/drafts?status=pending")).json;
  assert.deepEqual(drafts.map((draft) => draft.draft_id), [reply.json.draft_id]);
  assert.equal(drafts[0].held, "policy_error");
  const { verdict, rule, reason, at } = drafts[0].decision;
  assert.deepEqual([verdict, rule], ["hold", "review.decide failed"]);
  assert.match(reason, /review\.lua:3: the bug is here/);
  assert.match(at, /policy\/review\.lua:3$/);
  assert.equal((await service.post("/send-draft", reply.json)).status, 400);
  assert.equal((await service.post("/send-draft", { draft_id: drafts[0].draft_id })).status, 200);
  assert.equal((await service.outbox()).length, 1);
});

test("whatever a policy raises or returns, it is one answer", async (t) => {
  for (const body of ["error()", "error({})", 'error({ code = "no_such_code", message = 7 })',
    "error(nil)", "return nil", "return 7", 'return "perhaps"', "return {}, {}",
    "local x = nil + 1", "letter.draft.subject.x.y = 1", 'return ("x"):rep(-1)', "return string.format('%d', 'x')"]) {
    const service = await reviewed(t, body);
    assertRefused(await service.post("/", letter), 500, "policy_error");
    await service.stop();
  }
});

const RUNAWAYS = {
  "an endless loop": "while true do end",
  "an endless loop inside pcall": "while true do pcall(function() while true do end end) end",
  "endless recursion": "local function f() return 1 + f() end return f()",
  "a pattern that backtracks": '(("a"):rep(40) .. "b"):find(("a*"):rep(20) .. "c")',
  "a pattern inside an endless gsub": 'while true do (("a"):rep(99)):gsub("a-b", "") end',
  "a table that grows": "local t = {} for i = 1, math.huge do t[i] = { i, i, i, i } end",
  "a string that grows": 'local s = "x" while true do s = s .. s end',
  "a string that is huge": 'return ("x"):rep(1 << 40)',
  "memory, and pcall around it":
    'local t = {} while true do pcall(function() t[#t + 1] = ("x"):rep(1 << 20) end) end',
  "a sort that never ends": "local t = {} for i = 1, 100000 do t[i] = i end " +
    "while true do table.sort(t, function(a, b) return a > b end) end",
  "an endless metamethod":
    "return setmetatable({}, { __index = function(t, k) return t[k + 1] end })[1]",
  "an endless tostring": "local m = {} m.__tostring = function(x) return tostring(x) end " +
    "return tostring(setmetatable({}, m))",
};

for (const [name, body] of Object.entries(RUNAWAYS)) {
  test(`${name} is stopped, and takes only its own request down`, async (t) => {
    const service = await reviewed(t, body);
    const [bad, ...good] = await Promise.all([
      service.post("/", letter),
      ...Array.from({ length: 5 }, () => service.post("/", { ...letter, mode: "draft" })),
    ]);
    assertRefused(bad, 500, "policy_error");
    for (const reply of good) assert.equal(reply.status, 200, reply.text);
    // And again: what was stopped is not held against the next one.
    assertRefused(await service.post("/", letter), 500, "policy_error");
    assert.equal((await service.post("/", { ...letter, mode: "draft" })).status, 200);
    assert.deepEqual(await service.outbox(), []);
  });
}

test("scripts reach nothing but what they are given", async (t) => {
  for (const body of ["return io.x", "return os.x", "return debug.x", "return package.x",
    "return coroutine.x", "return load.x", "return dofile.x", "return loadfile.x",
    "return collectgarbage.x", 'require "../../etc/passwd"', 'require "/etc/passwd"',
    'require "no.such"', "x = 1", "_G.x = 1"]) {
    const service = await reviewed(t, body);
    assertRefused(await service.post("/", letter), 500, "policy_error");
    assert.equal((await service.post("/", { ...letter, mode: "draft" })).status, 200);
    await service.stop();
  }
});

// --- access --------------------------------------------------------------------------------------

const access = (body) => ({ "access.lua":
  `local access = {}\nfunction access.roles(identity)\n${body}\nend\nreturn access` });

test("access.lua says what a caller may do", async (t) => {
  const roles = 'if identity.method == "none" and identity.name == "anonymous" then ' +
    'return { "draft" } end error("who?")';
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, access(roles)) });
  const id = await service.draft();
  assertRefused(await service.post("/", letter), 403, "forbidden");
  assertRefused(await service.get("/drafts"), 403, "forbidden");
  assertRefused(await service.get(`/drafts/${id}/message`), 403, "forbidden");
  assertRefused(await service.post("/send-draft", { draft_id: id }), 403, "forbidden");
  for (const path of ["/health", "/ready", "/pixel"]) {
    assert.equal((await service.get(path)).status, 200, path);
  }
  assert.deepEqual(await service.outbox(), []);
});

test("an access.lua that fails lets nobody in", async (t) => {
  for (const body of ["return nil", 'return "send"', 'return { "boss" }', "return { 7 }",
    'error("the bug is here")', "while true do end"]) {
    const service = await start(t, { SCRIPTS_DIR: await overlay(t, access(body)) });
    const reply = await service.get("/drafts");
    assertRefused(reply, 500, "policy_error");
    const id = reply.headers.get("x-request-id");
    const event = await service.event((e) => e.request_id === id && e.severity === "ERROR");
    assert.match(event.error, /access\.lua/);
    assert.equal((await service.get("/health")).status, 200);
    await service.stop();
  }
});

test("an access.lua without roles() is refused at the start", async (t) => {
  const scripts = await overlay(t, { "access.lua": "return {}" });
  const { code, stderr } = await run(t, ["serve"], { SCRIPTS_DIR: scripts });
  assert.equal(code, 1, stderr);
  assert.match(stderr, /access\.lua/);
});
