// Policies that mean harm: each file in hostile/ is one idea, laid over as policy/review.lua. What
// becomes of it stands in its second line; whatever that is, the service and its other callers must
// not notice.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { test } from "node:test";
import { metrics } from "./lib/metrics.mjs";
import { overlay, put, start } from "./lib/service.mjs";

const DIR = new URL("hostile/", import.meta.url);
const SECRET = "top-secret", FOREIGN = "of-somebody-else";
const letter = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!", mode: "send" };

// A service lives for so many policies, two services at a time.
const LANES = 2;

// One policy: how it is called, what becomes of it, and words that say so in the log.
function read(name, text) {
  const [, kind, words] = text.match(/^-- Tries to .+\.\n-- Expected: ([a-z ]+)(?:, (.+))?\n/);
  assert.match(kind, /^(stopped|refused|harmless|not loaded)$/, name);
  assert.equal(words === undefined, kind === "harmless", name);
  return {
    name, text, kind,
    // Which of its budgets is used up first depends on the machine.
    words: words?.split(" or ").map((word) => word.match(/^"(.+)"$/)[1])
      .concat(kind === "refused" ? [] : ["ran for more than", "MiB of memory"]),
    handler: text.includes("\n-- Called as a handler.\n"),
  };
}

// The shipped routes, and one that calls the policy as a handler, which may wait.
async function routes() {
  const shipped = await readFile(new URL("../../scripts/routes.lua", import.meta.url), "utf8");
  const route = `  { "POST", "/hostile", access = "public", handler = function()
    return require "policy.review".decide({})
  end },\n}\n`;
  return shipped.replace(/}\n$/, () => route);
}

const milliseconds = (times) => {
  const sorted = [...times].sort((a, b) => a - b);
  return `median ${sorted[sorted.length >> 1].toFixed(0)} ms, worst ${sorted.at(-1).toFixed(0)} ms`;
};

// Drafts of a neighbour, one after the other, while `under_way` goes on; how long each took.
async function neighbour(service, underWay) {
  const times = [];
  let ended = false;
  const end = underWay.finally(() => { ended = true; });
  do {
    const before = performance.now();
    const reply = await service.post("/", { ...letter, mode: "draft", subject: FOREIGN });
    times.push(performance.now() - before);
    assert.equal(reply.status, 200, reply.text);
  } while (!ended);
  await end;
  return times;
}

async function reload(service) {
  const seen = service.log.length;
  service.signal("SIGHUP");
  return service.event((e) => service.log.indexOf(e) >= seen && /reload/.test(e.message), "reload");
}

const holds = (text, words) => words.some((word) => text.includes(word));

// What a request has written to the log, once its last line is there.
async function eventsOf(service, reply) {
  await service.logged(reply);
  const id = reply.headers.get("x-request-id");
  return service.log.filter((e) => e.request_id === id);
}

function assertQuiet(policy, reply, events) {
  const all = reply.text + JSON.stringify(events);
  assert.ok(!all.includes(SECRET), "a secret is told");
  assert.ok(!all.includes(FOREIGN), "another's mail is told");
  assert.ok(events.length <= 110, `${events.length} events`);
  for (const event of events) assert.ok(JSON.stringify(event).length <= 256 * 1024, "a huge event");
}

async function assertOutcome(policy, service, reply) {
  const events = await eventsOf(service, reply);
  assertQuiet(policy, reply, events);
  if (policy.kind === "harmless") {
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.json.mode, "send", reply.text);
    return;
  }
  assert.equal(reply.status, 500, reply.text);
  assert.equal(reply.json.code, "policy_error");
  assert.ok(!/review\.lua|traceback/.test(reply.text), reply.text);
  const told = events.filter((e) => e.severity === "ERROR").map((e) => JSON.stringify(e)).join("\n");
  assert.ok(holds(told.replaceAll('\\"', '"'), policy.words), `${policy.words}: is not in\n${told}`);
  assert.match(told, /review\.lua:\d+|memory|could not be described|the reply/);
}

async function assertSurvived(policy, service, scripts, times) {
  await put(scripts, "policy/review.lua", policy.text);
  const event = await reload(service);
  if (policy.kind === "not loaded") {
    assert.equal(event.severity, "ERROR");
    assert.ok(holds(JSON.stringify(event), policy.words), JSON.stringify(event));
    times.push(...await neighbour(service, Promise.resolve()));
    return;
  }
  assert.equal(event.severity, "INFO", JSON.stringify(event));
  const answer = service.post(policy.handler ? "/hostile" : "/", letter);
  times.push(...await neighbour(service, answer));
  await assertOutcome(policy, service, await answer);
  // What was stopped leaves nothing behind: reading and writing work as before.
  assert.equal((await service.get("/drafts?limit=1")).status, 200);
  times.push(...await neighbour(service, Promise.resolve()));
}

const files = (await readdir(DIR)).filter((name) => name.endsWith(".lua")).sort();
const policies = await Promise.all(
  files.map(async (name) => read(name, await readFile(new URL(name, DIR), "utf8"))));

test("there are policies enough", () => assert.ok(policies.length >= 60));

test("whatever a policy tries, it harms itself alone", { concurrency: LANES }, async (t) => {
  const all = [];
  const lane = (number) => t.test(`service ${number}`, async (lane) => {
    const scripts = await overlay(lane, { "routes.lua": await routes() });
    const service = await start(lane, { SCRIPTS_DIR: scripts, HOSTILE_SECRET: SECRET });
    for (const policy of policies.filter((_, i) => i % LANES === number)) {
      await lane.test(policy.name, async (one) => {
        const times = [];
        await assertSurvived(policy, service, scripts, times);
        one.diagnostic(`the neighbour's requests: ${milliseconds(times)}`);
        all.push(...times);
      });
    }
    const odd = service.log.filter((event) => event.line !== undefined);
    assert.deepEqual(odd, [], "lines that are no events");
    await service.stop();
  });
  await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)));
  t.diagnostic(`all requests of neighbours: ${milliseconds(all)}`);
});

const ROUTES = `local fetch = require "paraph.fetch"
local task = require "paraph.task"
local routes = require "shipped.routes"
local function wide(at)
  local many, branches = {}, {}
  for i = 1, 100000 do many[i] = true end
  for i = 1, 32 do
    branches[i] = function()
      if i == at then return table.unpack(many) end
    end
  end
  return assert(task.all(branches))
end
routes[#routes + 1] = { "POST", "/wide", access = "public", handler = function(req)
  wide(tonumber(req.query.at))
  return { json = {} }
end }
routes[#routes + 1] = { "POST", "/hoard", access = "public", handler = function(req)
  local kept, ok, reply = {}, true, nil
  while ok do
    ok, reply = pcall(fetch, { url = req.query.url, max_bytes = 64 << 20 })
    kept[#kept + 1] = ok and reply or nil
  end
  return { json = { kept = #kept, why = reply } }
end }
routes[#routes + 1] = { "POST", "/garbage", access = "public", handler = function()
  for i = 1, 500000 do local _ = { i } end
  return { json = {} }
end }
return routes
`;

// Coroutines are kept for the next task; one of many results has a stack that would never shrink.
test("what is kept of a task is small", async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, { "routes.lua": ROUTES }) });
  const memory = async () => {
    for (let i = 0; i < 3; i++) assert.equal((await service.post("/garbage")).status, 200);
    return (await metrics(service)).value("paraph_lua_memory_bytes");
  };
  const before = await memory();
  for (let at = 1; at <= 32; at++) {
    const reply = await service.post(`/wide?at=${at}`);
    assert.equal(reply.status, 200, reply.text);
  }
  const after = await memory();
  assert.ok(after < before + 10e6, `${before} bytes have become ${after}`);
});

test("an answer that is more than a request may hold is no trouble later", async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, { "routes.lua": ROUTES }) });
  const server = createServer((_, reply) => reply.end(Buffer.alloc(60 << 20)));
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  t.after(() => server.close());
  const { json } = await service.post(`/hoard?url=http://127.0.0.1:${server.address().port}/`);
  assert.match(json.why, /holds more than 256 MiB of blobs/);
  assert.equal(json.kept, 4);
  for (let i = 0; i < 3; i++) assert.equal((await service.post("/garbage")).status, 200);
});
