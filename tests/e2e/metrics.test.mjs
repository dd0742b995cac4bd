// GET /metrics: whatever happens is counted, once; on each backend.

import assert from "node:assert/strict";
import { test } from "node:test";
import { start } from "./lib/backends.mjs";
import { apiKeys, bearer } from "./lib/identity.mjs";
import { assertMoved, judge, metrics, Page } from "./lib/metrics.mjs";
import { assertRefused, overlay, patientPixel, put } from "./lib/service.mjs";

const MESSAGE = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!" };
const SENDS = "paraph_sends_total", DRAFTS = "paraph_drafts_total", CLAIMS = "paraph_claims_total";
const OPENS = "paraph_opens_total", REQUESTS = "paraph_http_requests_total";
const REVIEW = "policy/review.lua";

// What the rules do is what the subject says.
const OBEDIENT = `
local function obey(letter)
  if letter.draft.subject == "fail" then error("it was told to") end
  return letter.draft.subject == "hold" and "hold" or letter.draft.subject == "refuse" and "refuse" or "send"
end
return { decide = obey, approve = obey }
`;

// A service with these rules; its scripts can be written to.
async function obedient(t, env = {}, options = {}) {
  const SCRIPTS_DIR = await patientPixel(t);
  await put(SCRIPTS_DIR, REVIEW, OBEDIENT);
  return start(t, { SCRIPTS_DIR, ...env }, options);
}

async function send(service, subject, status = 200) {
  const reply = await service.post("/", { ...MESSAGE, subject, mode: "send" });
  assert.equal(reply.status, status, reply.text);
  return reply.json;
}

async function approve(service, id, status = 200) {
  const reply = await service.post("/send-draft", { draft_id: id });
  assert.equal(reply.status, status, reply.text);
  return reply.json;
}

test("what becomes of a message is counted by its end", async (t) => {
  const service = await obedient(t);
  await assertMoved(service, [
    [SENDS, { mode: "direct", outcome: "sent" }, 2],
    [SENDS, { mode: "direct", outcome: "held" }, 2], // by the rules, and since they failed
    [SENDS, { mode: "direct", outcome: "refused" }, 1],
    [SENDS, { mode: "draft" }, 0],
    [DRAFTS, { outcome: "created" }, 0],
    [DRAFTS, { outcome: "held" }, 2],
    ["paraph_policy_errors_total", { hook: "review.decide" }, 1],
    ["paraph_policy_errors_total", {}, 1],
    ["paraph_policy_duration_seconds_count", { hook: "review.decide" }, 5],
    ["paraph_policy_duration_seconds_count", { hook: "compose.bodies" }, 5],
    [REQUESTS, { method: "POST", route: "/", status: "200" }, 3],
    [REQUESTS, { method: "POST", route: "/", status: "403" }, 1],
    [REQUESTS, { method: "POST", route: "/", status: "500" }, 1],
    ["paraph_http_request_duration_seconds_count", { route: "/" }, 5],
  ], async () => {
    await send(service, "Hello");
    await send(service, "Hello");
    await send(service, "hold");
    await send(service, "refuse", 403);
    await send(service, "fail", 500);
  });
});

test("drafts, their reviews and their claims are counted", async (t) => {
  const service = await obedient(t);
  const ids = {};
  await assertMoved(service, [[DRAFTS, { outcome: "created" }, 4], [DRAFTS, { outcome: "held" }, 0]],
    async () => {
      for (const subject of ["Hello", "hold", "refuse", "No."]) {
        ids[subject] = await service.draft({ subject });
      }
    });
  await assertMoved(service, [
    [SENDS, { mode: "draft", outcome: "sent" }, 1],
    [SENDS, { mode: "draft", outcome: "held" }, 1],
    [SENDS, { mode: "draft", outcome: "refused" }, 1],
    [SENDS, { mode: "direct" }, 0],
    [CLAIMS, { outcome: "won" }, 1],
    [CLAIMS, { outcome: "lost" }, 0],
    [DRAFTS, { outcome: "rejected" }, 1],
    [DRAFTS, { outcome: "created" }, 0],
  ], async () => {
    await approve(service, ids.Hello);
    await approve(service, ids.hold, 403);
    await approve(service, ids.refuse, 403);
    for (let i = 0; i < 2; i++) { // the second time changes nothing
      assert.equal((await service.post(`/drafts/${ids["No."]}/reject`, {})).status, 200);
    }
  });
});

test("of those who send a draft at once, one claims it", async (t) => {
  const service = await obedient(t);
  const id = await service.draft();
  const before = await metrics(service);
  const replies = await Promise.all(Array.from({ length: 8 }, () =>
    service.post("/send-draft", { draft_id: id })));
  const after = await metrics(service);
  const moved = (name, labels) => after.value(name, labels) - before.value(name, labels);
  assert.equal(replies.filter(({ status }) => status === 200).length, 1);
  assert.equal(moved(CLAIMS, { outcome: "won" }), 1);
  assert.equal(moved(SENDS, { mode: "draft", outcome: "sent" }), 1);
  // Who read the draft before it was claimed loses; who came later is told so without a claim.
  const lost = moved(CLAIMS, { outcome: "lost" });
  assert.ok(lost >= 0 && lost <= 7, `${lost} claims lost`);
  assert.equal(moved(CLAIMS, {}), 1 + lost);
});

test("a claim that is taken over is told apart", async (t) => {
  const service = await obedient(t);
  const id = await service.draft();
  const { world } = service;
  const document = await world.stored("email_drafts", id);
  await service.stop();
  await world.put("email_drafts", { [id]: { ...document, status: "sending",
    sending_since: "2020-01-01T00:00:00Z" } });
  const again = await obedient(t, {}, { at: world });
  await again.event((e) => e.message === "abandoned send finished");
  const page = await metrics(again);
  assert.equal(page.value(CLAIMS, { outcome: "taken_over" }), 1);
  assert.equal(page.value(SENDS, { mode: "draft", outcome: "sent" }), 1);
});

test("opens are counted by kind, and nothing else asked of the pixel is one", async (t) => {
  const service = await obedient(t);
  const { pixel_id: id } = await send(service, "Hello");
  const open = (agent) => service.get(`/pixel?id=${id}`, { headers: { "User-Agent": agent } });
  await assertMoved(service, [
    [OPENS, {}, 3],
    [OPENS, { kind: "proxy" }, 1],
    [OPENS, { kind: "lost" }, 0],
    [REQUESTS, { method: "GET", route: "/pixel", status: "200" }, 5],
    [REQUESTS, { method: "HEAD", route: "/pixel", status: "200" }, 1],
    ["paraph_policy_duration_seconds_count", { hook: "opens.classify" }, 3],
  ], async () => {
    await open("Mozilla/5.0 (via ggpht.com GoogleImageProxy)");
    await open("Mozilla/5.0");
    await open('"}\n\\'.replace("\n", " "));
    await service.get("/pixel?id=11111111-1111-4111-8111-111111111111");
    await service.get("/pixel");
    await service.head(`/pixel?id=${id}`);
  });
});

test("what nobody has a route or a name for is other", async (t) => {
  const service = await obedient(t);
  await assertMoved(service, [
    [REQUESTS, { method: "GET", route: "other", status: "404" }, 1],
    [REQUESTS, { method: "GET", route: "other", status: "400" }, 2], // no text
    [REQUESTS, { method: "other", route: "other", status: "404" }, 1],
    [REQUESTS, { method: "DELETE", route: "other", status: "405" }, 1],
    [REQUESTS, { route: "/drafts/{id}", status: "404" }, 2],
  ], async () => {
    await service.get("/nothing/of/the/kind");
    await service.get("/%ff");
    await service.get("/a%22%7D%0A%23");
    await service.raw("BREW /coffee HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    await service.request("DELETE", "/health");
    await service.get("/drafts/1");
    await service.get("/drafts/11111111-1111-4111-8111-111111111111");
  });
});

test("reloads are counted, and the scripts that serve have a number", async (t) => {
  const SCRIPTS_DIR = await overlay(t, { [REVIEW]: OBEDIENT });
  const service = await start(t, { SCRIPTS_DIR });
  const hangUp = async (message) => {
    const told = () => service.log.filter((e) => e.message.startsWith(message)).length;
    const before = told();
    service.signal("SIGHUP");
    await service.event(() => told() > before);
  };
  await assertMoved(service, [
    ["paraph_reloads_total", { outcome: "loaded" }, 1],
    ["paraph_reloads_total", { outcome: "refused" }, 1],
    ["paraph_generation", {}, 1],
  ], async () => {
    await put(SCRIPTS_DIR, REVIEW, "this is no Lua");
    await hangUp("reload refused");
    await put(SCRIPTS_DIR, REVIEW, `${OBEDIENT}\n`);
    await hangUp("scripts reloaded");
  });
});

test("the page is as Prometheus wants it, and in one order", async (t) => {
  const service = await obedient(t);
  await send(service, "Hello");
  await send(service, "fail", 500);
  const page = await metrics(service);
  await judge(page.text);
  const names = [...page.types.keys()];
  assert.deepEqual(names, [...names].sort());
  assert.deepEqual([...page.helps.keys()], names);
  const keys = (text) => text.split("\n").filter((line) => /^[a-z]/.test(line))
    .map((line) => line.replace(/ \S+$/, ""));
  const again = keys((await metrics(service)).text);
  assert.deepEqual(again.filter((key) => keys(page.text).includes(key)), keys(page.text));
  assert.equal(new Set(again).size, again.length, "a series twice");
  const head = await service.head("/metrics");
  assert.equal(head.status, 200);
  assert.equal(head.text, "");

  assert.equal(page.value("paraph_workers"), 1);
  assert.equal(page.value("paraph_http_requests_in_flight"), 1);
  assert.equal(page.samples.get("paraph_build_info").length, 1);
  assert.ok(!page.samples.has("paraph_webhooks_waiting"));
  const memory = page.value("process_resident_memory_bytes");
  const lua = page.value("paraph_lua_memory_bytes");
  assert.ok(lua > 100000 && memory > lua && memory < 4e9, `${lua} of ${memory}`);
  assert.ok(page.value("process_open_fds") >= 5);
  assert.ok(page.value("process_cpu_seconds_total") > 0);
  const age = Date.now() / 1000 - page.value("process_start_time_seconds");
  assert.ok(age > 0 && age < 600, `${age} s`);
});

test("it takes the role ops", async (t) => {
  const { keys, env } = await apiKeys(t, { agent: ["draft", "send", "review"], prometheus: ["ops"] });
  const service = await start(t, env);
  assertRefused(await service.get("/metrics"), 401, "unauthenticated");
  assertRefused(await service.get("/metrics", bearer(keys.agent)), 403, "forbidden");
  assert.ok(await metrics(service, bearer(keys.prometheus)) instanceof Page);
});

test("a tracker has none, unless AUTH says who may see it", async (t) => {
  const public_ = { ROLE: "tracker", K_SERVICE: "paraph-tracker", HOST: "127.0.0.1" };
  for (const env of [public_, { ROLE: "tracker" }]) {
    const closed = await start(t, env);
    assertRefused(await closed.get("/metrics"), 404, "not_found");
    assertRefused(await closed.post("/metrics"), 404, "not_found");
    assert.equal((await closed.get("/pixel")).status, 200);
  }
  const { keys, env } = await apiKeys(t, { prometheus: ["ops"] });
  const keyed = await start(t, { ...public_, ...env });
  assertRefused(await keyed.get("/metrics"), 401, "unauthenticated");
  await metrics(keyed, bearer(keys.prometheus));
  await metrics(await start(t, { ...public_, AUTH: "none" }));
});

test("in a rehearsal nothing is counted", async (t) => {
  const { keys, env } = await apiKeys(t, { ann: ["ops", "review", "draft", "send"] });
  const service = await obedient(t, env);
  const line = ':send {"to": "ann@example.com", "subject": "fail", "message": "Hi"}';
  await assertMoved(service, [[SENDS, {}, 0], [DRAFTS, {}, 0], ["paraph_policy_errors_total", {}, 0],
    ["paraph_policy_duration_seconds_count", { hook: "review.decide" }, 0],
    [REQUESTS, { route: "/repl", status: "200" }, 1]],
  async () => {
    const reply = await service.post("/repl", { line }, bearer(keys.ann));
    assert.equal(reply.status, 200, reply.text);
  }, bearer(keys.ann));
});
