// `paraph test`: a line for each test, the place of each failure, exit codes, and no trace anywhere.

import assert from "node:assert/strict";
import { chmod, readdir } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { overlay, run, temporary } from "./lib/service.mjs";

const lines = (stdout) => stdout.trimEnd().split("\n").map((line) =>
  line.replace(/\(\d+\.\d ms\)$/, "(… ms)"));

// A directory with these files, tested: the exit code, the lines, standard error.
async function tested(t, files, { options = [], env, wrap } = {}) {
  const dir = await overlay(t, files);
  const { code, stdout, stderr } = await run(t, ["test", ...options, dir], env, { wrap });
  return { code, lines: lines(stdout), stderr, dir };
}

const GOOD = { "a_test.lua": "return { works = function() end }" };

const REVIEW = {
  "policy/review.lua": `
    local review = {}
    function review.decide(request)
      if request.recipients[1].address:find("@new%.") then return "hold", "a new domain" end
      return "send"
    end
    return review`,
  "policy/review_test.lua": `local expect = require "lib.expect"
local testing = require "paraph.testing"

local function post(to)
  local world = testing.world { now = "2026-03-02T09:00:00Z" }
  local reply = world.request("POST", "/", { to = to, subject = "x", message = "x", mode = "send" },
    { caller = { name = "crm", roles = { "send" } } })
  return reply.json.mode, #world.sent
end

return {
  ["what is known is sent"] = function()
    local mode, sent = post("ann@example.com")
    expect.equal(mode, "send")
    expect.equal(sent, 1)
  end,
  ["holds"] = testing.cases({
    { name = "a new domain", to = "ann@new.example" },
    { name = "an old one", to = "ann@old.example" },
  }, function(case)
    expect.equal(post(case.to), "draft")
  end),
}
`,
};

test("each test is a line, in the order of their names", async (t) => {
  const { code, lines: seen, stderr } = await tested(t, {
    ...GOOD,
    "policy/b_test.lua": `return {
      second = { inner = function() end }, first = function() print("here", 1) end }`,
    "policy/b.lua": "error('nobody requires this')",
    "not_a_test.txt": "",
  });
  assert.deepEqual(seen, [
    "ok   a_test.lua: works (… ms)",
    "     here\t1",
    "ok   policy/b_test.lua: first (… ms)",
    "ok   policy/b_test.lua: second: inner (… ms)",
    "3 passed, 0 failed (… ms)",
  ]);
  assert.equal(stderr, "");
  assert.equal(code, 0);
});

test("policies are tested whole, and a row that fails is named", async (t) => {
  const { code, lines: seen } = await tested(t, REVIEW);
  assert.deepEqual(seen, [
    "ok   policy/review_test.lua: holds: a new domain (… ms)",
    'FAIL policy/review_test.lua:21: holds: an old one: got "send", wanted "draft"',
    "ok   policy/review_test.lua: what is known is sent (… ms)",
    "2 passed, 1 failed (… ms)",
  ]);
  assert.equal(code, 1);
});

test("a failure is one line, and begins with its place", async (t) => {
  const { code, lines: seen } = await tested(t, {
    "a_test.lua": `local expect = require "lib.expect"
local store, task = require "paraph.store", require "paraph.task"
return {
  branch = function()
    task.all { function() expect.equal(1, 2) end }
  end,
  expected = function()
    expect.equal("send", "hold")
  end,
  raised = function()
    assert(store.get("c", ""))
  end,
  runtime = function()
    local t
    return t.x
  end,
  words = function() error("one\\ntwo") end,
  nothing = function()
    for _ in ipairs(nil) do end
  end,
  elsewhere = function()
    require("lib.lease").is_over()
    require("lib.fail").no = nil
    require("lib.expect").holds(nil, "x")
  end,
}`,
  });
  assert.deepEqual(seen.filter((line) => !line.includes("elsewhere")), [
    "FAIL a_test.lua:5: branch: got 1, wanted 2",
    'FAIL a_test.lua:8: expected: got "send", wanted "hold"',
    "FAIL a_test.lua:19: nothing: attempt to index a nil value",
    "FAIL a_test.lua:11: raised: id: an id is 1 to 1500 bytes of UTF-8 without '/'",
    "FAIL a_test.lua:15: runtime: attempt to index a nil value (local 't')",
    "FAIL a_test.lua:17: words: one\\ntwo",
    "0 passed, 7 failed (… ms)",
  ]);
  assert.match(seen.find((line) => line.includes("elsewhere")),
    /^FAIL a_test\.lua:23: elsewhere: .*attempt to index a function value/);
  assert.equal(code, 1);
});

test("the chain of calls is below a failure under --verbose", async (t) => {
  const { lines: seen } = await tested(t, {
    "a_test.lua": `local function inner() error("no") end
return {
  a = function()
    inner()
  end,
}`,
  }, { options: ["--verbose"] });
  assert.equal(seen[0], "FAIL a_test.lua:1: a: no");
  assert.ok(seen.includes("     a_test.lua:1: in upvalue 'inner'"), seen.join("\n"));
  assert.match(seen.join("\n"), /\n {5}a_test\.lua:4: in function <a_test\.lua:3>\n/);
});

test("a file that cannot be run is a failure, and the others are run", async (t) => {
  const { code, lines: seen } = await tested(t, {
    ...GOOD,
    "list_test.lua": "return { function() end }",
    "missing_test.lua": 'local x = require "policy.nothing"\nreturn x',
    "none_test.lua": "return {}",
    "nothing_test.lua": "\nfor _ in ipairs(nil) do end",
    "number_test.lua": "return 7",
    "raises_test.lua": "\nerror('at once')",
    "syntax_test.lua": "return {\n  a = function( end,\n}",
    "value_test.lua": "return { a = 7 }",
    "endless_test.lua": "while true do end",
  });
  assert.deepEqual(seen, [
    "ok   a_test.lua: works (… ms)",
    "FAIL endless_test.lua:1: the script ran for more than 2000 ms without waiting",
    "FAIL list_test.lua: a test without a name (number 1)",
    "FAIL missing_test.lua:1: there is no module 'policy.nothing' (no policy/nothing.lua among "
      + "the scripts)",
    "FAIL none_test.lua: it returns no tests",
    "FAIL nothing_test.lua:2: attempt to index a nil value",
    "FAIL number_test.lua: it returns no table of tests",
    "FAIL raises_test.lua:2: at once",
    "FAIL syntax_test.lua:2: <name> or '...' expected near 'end'",
    "FAIL value_test.lua: a: a test is a function, or a table of tests",
    "1 passed, 9 failed (… ms)",
  ]);
  assert.equal(code, 1);
});

test("what never ends is stopped and named, and the next test is run", async (t) => {
  const { code, lines: seen } = await tested(t, {
    "a_test.lua": `local task = require "paraph.task"
return {
  a = function() while true do end end,
  b = function() while true do pcall(function() while true do end end) end end,
  c = function() while true do task.sleep(1000) end end,
  d = function() end,
}`,
  });
  assert.deepEqual(seen.slice(0, 4), [
    "FAIL a_test.lua:3: a: the script ran for more than 2000 ms without waiting",
    "FAIL a_test.lua:4: b: the script ran for more than 2000 ms without waiting",
    "FAIL a_test.lua:5: c: it did not end in time",
    "ok   a_test.lua: d (… ms)",
  ]);
  assert.equal(code, 1);
});

test("what one test does, the next one does not find", async (t) => {
  const { code } = await tested(t, {
    "a_test.lua": `local config, store = require "paraph.config", require "paraph.store"
local testing, time = require "paraph.testing", require "paraph.time"
local function check()
  local world = testing.world { config = { tracking = false } }
  assert(store.create("c", "a", {}))
  assert(#world.sent == 0)
  world.request("POST", "/", { to = "a@example.com", subject = "x", message = "x", mode = "send" })
  assert(#world.sent == 1)
  world.store_fails("store_error", "down")
  world.advance(99)
end
local function fresh()
  assert(config.tracking and time.now() == "2026-01-01T00:00:00.000000Z")
  assert(store.get("c", "a") == nil)
end
return { a = check, b = fresh, c = check, d = fresh }`,
  });
  assert.equal(code, 0);
});

test("exit 2 if there is nothing to run, with the reason", async (t) => {
  const empty = await temporary(t);
  const none = await run(t, ["test", empty]);
  assert.equal(none.code, 2);
  assert.equal(none.stderr, `paraph test: there is no *_test.lua below ${empty}\n`);
  assert.equal(none.stdout, "");
  const missing = await run(t, ["test", join(empty, "none")]);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /^paraph test: \S*none: No such file or directory\n$/);
  for (const args of [["--unreal", empty], [empty, empty], ["--real", "--verbose", empty, empty]]) {
    const { code, stderr } = await run(t, ["test", ...args]);
    assert.equal(code, 2);
    assert.match(stderr, /usage: paraph/);
  }
});

test("the environment does not matter, and nothing is written", async (t) => {
  const cwd = await temporary(t);
  await chmod(cwd, 0o555);
  const { code, lines: seen, stderr } = await tested(t, {
    "a_test.lua": `local config, mail = require "paraph.config", require "paraph.mail"
local store, testing = require "paraph.store", require "paraph.testing"
return { a = function()
  assert(store.create("c", "a", {}))
  local world = testing.world()
  local reply = world.request("POST", "/", { to = "ann@example.com", subject = "x", message = "x",
    mode = "send" })
  assert(reply.json.mode == "send" and #world.sent == 1, reply.body)
  assert(config.backend == "local" and mail.default_sender() ~= "real@example.com")
end }`,
  }, {
    env: {
      BACKEND: "google", GMAIL_USER: "real@example.com", NO_SEND: "true", ROLE: "tracker",
      AUTH: "nonsense", PORT: "abc", K_SERVICE: "x", DATA_DIR: join(cwd, "data"),
    },
    wrap: ["sh", "-c", 'cd "$0" && exec "$@"', cwd],
  });
  assert.deepEqual([seen[0], stderr, code], ["ok   a_test.lua: a (… ms)", "", 0]);
  assert.deepEqual(await readdir(cwd), []);
});

test("without a DIR it is SCRIPTS_DIR that is tested", async (t) => {
  const dir = await overlay(t, GOOD);
  const { code, stdout } = await run(t, ["test"], { SCRIPTS_DIR: dir });
  assert.deepEqual([lines(stdout)[0], code], ["ok   a_test.lua: works (… ms)", 0]);
});

test("under --real the store, the outbox and time are real, and none of the service's", async (t) => {
  const { code, lines: seen, dir } = await tested(t, {
    "a_test.lua": `local expect, store = require "lib.expect", require "paraph.store"
local task, testing, time = require "paraph.task", require "paraph.testing", require "paraph.time"
return {
  a = function() expect.raises("under --real", testing.world) end,
  b = function()
    local before = time.monotonic()
    assert(task.sleep(150))
    assert(time.monotonic() - before >= 149)
    assert(store.create("c", "a", {}))
  end,
  c = function() assert(store.get("c", "a")) end,
}`,
  }, { options: ["--real"] });
  assert.deepEqual(seen, [
    "ok   a_test.lua: a (… ms)",
    "ok   a_test.lua: b (… ms)",
    "ok   a_test.lua: c (… ms)",
    "3 passed, 0 failed (… ms)",
    "slowest: a_test.lua: b (… ms)",
  ]);
  assert.equal(code, 0);
  assert.ok(!existsSync(join(dir, "data")));
});

test("--json is an object for each test, and one for all", async (t) => {
  const dir = await overlay(t, {
    ...REVIEW,
    "b_test.lua": 'return { prints = function() print("here", 1) end }',
    "c_test.lua": "return {",
  });
  const { code, stdout, stderr } = await run(t, ["test", "--json", dir]);
  const [...told] = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  const all = told.pop();
  assert.equal(code, 1);
  assert.deepEqual([all.passed, all.failed, typeof all.ms], [3, 2, "number"]);
  assert.deepEqual(told.map(({ file, name, passed, line }) => [file, name, passed, line]), [
    ["b_test.lua", "prints", true, undefined],
    ["c_test.lua", undefined, false, 1],
    ["policy/review_test.lua", "holds: a new domain", true, undefined],
    ["policy/review_test.lua", "holds: an old one", false, 21],
    ["policy/review_test.lua", "what is known is sent", true, undefined],
  ]);
  assert.equal(told[3].error, 'got "send", wanted "draft"');
  assert.match(told[3].trace, /policy\/review_test\.lua:21/);
  assert.equal(stderr, "     here\t1\n");
});
