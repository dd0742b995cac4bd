// What policies decide, as it is stored and counted; on each backend.

import assert from "node:assert/strict";
import { test } from "node:test";
import { start, world } from "./lib/backends.mjs";
import { assertRefused, overlay } from "./lib/service.mjs";

const letter = { to: "ann@example.com", subject: "Hello", message: "Hi", mode: "send" };

const MOST = 5;
const limits = { "policy/limits.lua": `
  return { of = function(letter)
    return { { name = "from " .. letter.sender.address, most = ${MOST} } }
  end }` };

test("a limit of the day holds across instances, and a reviewer may exceed it", async (t) => {
  const at = await world(t);
  const env = { SCRIPTS_DIR: await overlay(t, limits) };
  const services = [await start(t, env, { at }), await start(t, env, { at })];
  const replies = await Promise.all(Array.from({ length: 12 }, (_, i) =>
    services[i % 2].post("/", letter)));
  const bodies = replies.map((reply) => {
    assert.equal(reply.status, 200, reply.text);
    return reply.json;
  });
  assert.equal(bodies.filter((body) => body.mode === "send").length, MOST);
  const held = bodies.filter((body) => body.mode === "draft");
  for (const body of held) assert.match(body.held, /^5 messages a day: from /);
  const { decision } = await services[0].document(held[0].draft_id);
  assert.equal(decision.rule, "limits.of");
  assert.match(decision.at, /^policy\/limits\.lua:\d+$/);
  assert.equal((await at.mails()).length, MOST);

  const reply = await services[0].post("/send-draft", { draft_id: held[0].draft_id });
  assert.equal(reply.status, 200, reply.text);
  assert.equal((await at.mails()).length, MOST + 1);
});

test("sixty at once are all sent, and counted", async (t) => {
  const MANY = 60;
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, { "policy/limits.lua": `
    return { of = function() return { { name = "all", most = ${MANY} } } end }` }) });
  const replies = await Promise.all(Array.from({ length: MANY }, () => service.post("/", letter)));
  for (const reply of replies) assert.equal(reply.json.mode, "send", reply.text);
  assert.equal((await service.mails()).length, MANY);
  assert.equal((await service.post("/", letter)).json.held, `${MANY} messages a day: all`);
});

test("a hold, a refusal and a failure, each with its reason", async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, { "policy/review.lua": `
    return { decide = function(letter)
      local word = letter.draft.subject
      if word == "fail" then error("the bug") end
      return word, "because", "by its subject"
    end }` }) });
  const held = (await service.post("/", { ...letter, subject: "hold" })).json;
  assert.equal(held.held, "because");
  assert.deepEqual((await service.document(held.draft_id)).decision, {
    verdict: "hold", rule: "by its subject", reason: "because", at: "policy/review.lua:2" });
  assertRefused(await service.post("/", { ...letter, subject: "refuse" }), 403,
    "refused_by_policy");
  const failed = (await service.post("/", { ...letter, subject: "fail" }));
  assertRefusedWith(failed);
  const kept = await service.document(failed.json.draft_id);
  assert.deepEqual([kept.status, kept.held], ["pending", "policy_error"]);
  assert.match(kept.decision.reason, /^policy\/review\.lua:4: the bug$/);
  assert.deepEqual(await service.mails(), []);
});

function assertRefusedWith(reply) {
  assert.equal(reply.status, 500);
  assert.equal(reply.json.code, "policy_error");
  assert.equal(reply.json.held, "policy_error");
  assert.ok(!reply.text.includes("the bug"), reply.text);
}

test("opens are counted by their kind, and nothing tells who it was", async (t) => {
  const service = await start(t);
  const { pixel_id: id } = (await service.post("/", letter)).json;
  const agents = ["curl/8.5.0", "Mozilla/5.0 (via ggpht.com GoogleImageProxy)", "Mozilla/5.0",
    "Mozilla/5.0 (via ggpht.com GoogleImageProxy)"];
  for (const agent of agents) {
    const reply = await service.get(`/pixel?id=${id}`, { headers: { "User-Agent": agent } });
    assert.equal(reply.headers.get("content-type"), "image/gif");
  }
  const stored = await service.world.stored("email_opens", id);
  assert.deepEqual(
    [stored.open_count, stored.opens_scanner, stored.opens_proxy, stored.opens_prefetch],
    [4, 1, 2, 1]);
  assert.equal(stored.last_open.kind, "proxy");
  assert.ok(stored.last_open.reason.length > 5);
  assert.ok(!/ggpht|Mozilla|127\.0\.0\.1|::1/.test(JSON.stringify(stored)), JSON.stringify(stored));
  assert.ok(stored.first_opened_at < stored.last_opened_at);
});

test("an open is counted even if its policy fails", async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, { "policy/opens.lua":
    'return { classify = function() error("the bug") end }' }) });
  const { pixel_id: id } = (await service.post("/", letter)).json;
  assert.equal((await service.get(`/pixel?id=${id}`)).headers.get("content-type"), "image/gif");
  const stored = await service.world.stored("email_opens", id);
  assert.deepEqual([stored.open_count, stored.opens_unknown], [1, 1]);
  assert.match(stored.last_open.reason, /the bug/);
});
