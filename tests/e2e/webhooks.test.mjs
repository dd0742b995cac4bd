// Webhooks: who asked to be told is told, of each thing that happened, at least once; on each backend.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { Webhook } from "standardwebhooks";
import { start, world } from "./lib/backends.mjs";
import { secret } from "./lib/disclosure.mjs";
import { newSecret, Receiver, receive } from "./lib/receiver.mjs";
import { atEnd, overlay, run, UUID } from "./lib/service.mjs";

const LETTER = { to: "ann@example.com", subject: "Hello", message: "Hi Ann, this is between us." };
const PERSON = { headers: { "user-agent": "Mozilla/5.0 (via ggpht.com GoogleImageProxy)" } };

const rules = { "policy/review.lua": `
  return { decide = function(letter)
    if letter.draft.subject == "Hold" then return "hold", "it says so", "by subject" end
    return "send"
  end }` };

const field = (html, name) => html.match(`name="${name}" value="([^"]*)"`)?.[1];

// A button of the review pages.
async function press(service, id, action, fields = {}) {
  const { text } = await service.get(`/review/${id}`);
  const body = new URLSearchParams({ csrf: field(text, "csrf"), etag: field(text, "etag"), ...fields });
  const reply = await service.request("POST", `/review/${id}/${action}`, { body, redirect: "manual" });
  assert.equal(reply.status, 303, reply.text);
}

const ok = (reply) => {
  assert.equal(reply.status, 200, reply.text);
  return reply.json;
};

// --- what is told --------------------------------------------------------------------------------

test("each thing that happens to a draft is told, whoever did it", async (t) => {
  const receiver = await receive(t);
  const service = await start(t, { ...receiver.env, SCRIPTS_DIR: await overlay(t, rules),
    POLICY_UNDO_SECONDS: "0" });
  const metadata = { order: "4711 of the first customer" };

  const id = await service.draft({ ...LETTER, metadata });
  const created = await receiver.event("draft.created", { draft_id: id });
  assert.match(created.id, UUID);
  assert.ok(Date.parse(created.timestamp) <= Date.now());
  const { trace_id: trace, ...data } = created.data;
  assert.match(trace, /^[0-9a-f]{32}$/);
  assert.deepEqual(data, { draft_id: id, to: LETTER.to, subject: LETTER.subject,
    status: "pending", metadata });

  const sent = ok(await service.post("/send-draft", { draft_id: id }));
  const told = await receiver.event("sent", { draft_id: id });
  assert.deepEqual(told.data, { draft_id: id, to: LETTER.to, subject: LETTER.subject,
    status: "sent", metadata, message_id: sent.message_id, thread_id: sent.thread_id,
    pixel_id: sent.pixel_id, trace_id: trace });
  await service.event((e) => e.webhook_id === told.id && e.mail_trace_id === trace);

  await service.get(`/pixel?id=${sent.pixel_id}`, PERSON);
  const opened = await receiver.event("opened", { draft_id: id });
  assert.deepEqual(opened.data, { draft_id: id, pixel_id: sent.pixel_id, to: LETTER.to,
    subject: LETTER.subject, kind: "proxy", trace_id: trace });

  const { draft_id: held } = ok(await service.post("/", { ...LETTER, subject: "Hold", mode: "send" }));
  assert.equal((await receiver.event("draft.held", { draft_id: held })).data.held, "it says so");
  ok(await service.post(`/drafts/${held}/reject`, { reason: "not now" }));
  ok(await service.post(`/drafts/${held}/reject`, { reason: "not now" }));
  const rejected = await receiver.event("draft.rejected", { draft_id: held });
  assert.deepEqual([rejected.data.status, rejected.data.reject_reason], ["rejected", "not now"]);

  const [approved, refused] = [await service.draft(), await service.draft()];
  await press(service, approved, "approve");
  await receiver.event("sent", { draft_id: approved });
  await press(service, refused, "reject", { reason: "no" });
  await receiver.event("draft.rejected", { draft_id: refused });

  const ids = receiver.events.map((e) => e.id);
  assert.equal(new Set(ids).size, ids.length, "an event came twice");
  assert.deepEqual(receiver.events.map((e) => e.type).sort(), ["draft.created", "draft.created",
    "draft.created", "draft.held", "draft.rejected", "draft.rejected", "opened", "sent", "sent"]);
  assert.ok(!receiver.attempts.some((e) => e.body.includes(LETTER.message)));
});

test("a send at once is told, with a key or without", async (t) => {
  const receiver = await receive(t);
  const service = await start(t, receiver.env);
  const sent = ok(await service.post("/", { ...LETTER, mode: "send" }));
  const { data } = await receiver.event("sent", { message_id: sent.id });
  assert.deepEqual(data, { to: LETTER.to, subject: LETTER.subject, message_id: sent.id,
    thread_id: sent.thread_id, pixel_id: sent.pixel_id, trace_id: data.trace_id });

  const headers = { "idempotency-key": "order-4711" };
  const keyed = ok(await service.post("/", { ...LETTER, mode: "send" }, { headers }));
  ok(await service.post("/", { ...LETTER, mode: "send" }, { headers }));
  await receiver.event("sent", { message_id: keyed.id });
  const untracked = ok(await service.post("/", { ...LETTER, mode: "send", tracking: false }));
  await receiver.event("sent", { message_id: untracked.id });
  assert.deepEqual(receiver.events.map((e) => e.type), ["sent", "sent", "sent"]);
});

test("what paraph send does is told by the service, when it runs", async (t) => {
  const receiver = await receive(t);
  const at = await world(t);
  const env = { ...at.env, ...receiver.env };
  const args = ["--to", "ann@example.com", "--subject", "Hello", "--message", "Hi Ann!"];
  for (const more of [["--dry-run"], ["--draft"], []]) {
    const { code, stderr } = await run(t, ["send", ...args, ...more], env);
    assert.equal(code, 0, stderr);
  }
  assert.deepEqual(receiver.attempts, []);
  await start(t, receiver.env, { at });
  await Promise.all([receiver.event("draft.created"), receiver.event("sent")]);
  assert.equal(receiver.attempts.length, 2);
});

test("what did not happen is not told", async (t) => {
  const receiver = await receive(t);
  const service = await start(t, { ...receiver.env, NO_SEND: "true" });
  const { draft_id: held } = ok(await service.post("/", { ...LETTER, mode: "send" }));
  assert.equal((await receiver.event("draft.held")).data.held, "no_send");
  assert.equal((await service.post("/send-draft", { draft_id: held })).status, 503);
  assert.equal((await service.post("/", { ...LETTER, to: "nobody" })).status, 400);
  await service.draft({ subject: "The last" });
  await receiver.event("draft.created", { subject: "The last" });
  assert.equal(receiver.attempts.length, 2);
});

test("a copy to look at is no send", async (t) => {
  const receiver = await receive(t);
  const service = await start(t, receiver.env);
  const id = await service.draft();
  ok(await service.post(`/drafts/${id}/test`, { to: "me@example.com" }));
  ok(await service.post(`/drafts/${id}/reject`, {}));
  await receiver.event("draft.rejected");
  assert.deepEqual(receiver.attempts.map((e) => e.type), ["draft.created", "draft.rejected"]);
});

test("WEBHOOK_EVENTS says what is told", async (t) => {
  const receiver = await receive(t);
  const service = await start(t, { ...receiver.env, WEBHOOK_EVENTS: "draft.rejected,sent" });
  const id = await service.draft();
  ok(await service.post(`/drafts/${id}/reject`, {}));
  await receiver.event("draft.rejected");
  assert.equal(receiver.attempts.length, 1);
});

test("however often a pixel is asked for, the first of each kind is told", async (t) => {
  const receiver = await receive(t);
  const service = await start(t, receiver.env);
  const { pixel_id: pixel } = ok(await service.post("/", { ...LETTER, mode: "send" }));
  const agents = ["GoogleImageProxy", "Mozilla/5.0", "curl/8", ""];
  for (let i = 0; i < 100; i++) {
    await service.get(`/pixel?id=${pixel}`, { headers: { "user-agent": agents[i % 4] } });
  }
  const { data } = await receiver.event("opened");
  assert.equal(data.kind, "proxy");
  await service.draft();
  await receiver.event("draft.created");
  assert.equal(receiver.attempts.filter((e) => e.type === "opened").length, 1);
});

test("what is large is left out", async (t) => {
  const receiver = await receive(t);
  const service = await start(t, receiver.env);
  const many = Array.from({ length: 500 }, (_, i) => `"${'\\"'.repeat(40)}" <a${i}@example.com>`);
  const id = await service.draft({ metadata: { much: "x".repeat(33000) }, to: many });
  const { data } = await receiver.event("draft.created");
  assert.deepEqual(data, { draft_id: id, status: "pending", subject: "Hello",
    omitted: ["to", "metadata"], trace_id: data.trace_id });
});

test("a tracker tells of opens", async (t) => {
  const receiver = await receive(t);
  const service = await start(t);
  const { pixel_id: pixel } = ok(await service.post("/", { ...LETTER, mode: "send" }));
  const tracker = await start(t, { ...receiver.env, ROLE: "tracker" }, { at: service.world });
  await tracker.get(`/pixel?id=${pixel}`, PERSON);
  await receiver.event("opened", { pixel_id: pixel });
});

test("a tracker without a secret leaves the delivery to the gateway", async (t) => {
  const receiver = await receive(t);
  const service = await start(t);
  const { pixel_id: pixel } = ok(await service.post("/", { ...LETTER, mode: "send" }));
  const { WEBHOOK_SECRET, ...unsigned } = receiver.env;
  const tracker = await start(t, { ...unsigned, ROLE: "tracker" }, { at: service.world });
  await tracker.get(`/pixel?id=${pixel}`, PERSON);
  await start(t, { ...unsigned, WEBHOOK_SECRET, ROLE: "gateway" }, { at: service.world });
  await receiver.event("opened", { pixel_id: pixel });
});

test("what is delivered is counted, and what waits", async (t) => {
  const receiver = await receive(t, { answer: ({ type }) => (type === "sent" ? 500 : 200) });
  const service = await start(t, receiver.env);
  const id = await service.draft();
  ok(await service.post("/send-draft", { draft_id: id }));
  await service.event((e) => e.message === "webhook not delivered");
  const value = async (line) => (await service.get("/metrics")).text.includes(`\n${line}\n`);
  for (const line of ['paraph_webhooks_total{event="draft.created",outcome="delivered"} 1',
    'paraph_webhooks_total{event="sent",outcome="retried"} 1', "paraph_webhooks_waiting 1"]) {
    while (!await value(line)) await delay(20);
  }
});

// --- signatures ----------------------------------------------------------------------------------

test("each secret signs, so that one can be replaced", async (t) => {
  const receiver = await receive(t);
  const next = newSecret();
  const service = await start(t,
    { ...receiver.env, WEBHOOK_SECRET: `${receiver.key}, ${next}` });
  await service.draft();
  const event = await receiver.event("draft.created");
  receiver.assertSigned(event, next);
  assert.equal(event.headers["webhook-signature"].split(" ").length, 2);
  assert.throws(() => receiver.assertSigned(event, newSecret()));
});

// --- the page ------------------------------------------------------------------------------------

test("the receiver of docs/webhooks.md takes what is signed, and nothing else", async (t) => {
  const page = await readFile(new URL("../../docs/webhooks.md", import.meta.url), "utf8");
  const [, source] = page.match(/^```js file=receiver\.mjs\n(.*?)^```$/ms);
  const [, line] = page.match(/^export WEBHOOK_SECRET=(.*)$/m);
  const { stdout } = await promisify(execFile)("sh", ["-c", `echo ${line}`]);
  const key = secret(stdout.trim());
  const dir = await overlay(t, { "receiver.mjs": source });
  const child = spawn(process.execPath, [join(dir, "receiver.mjs")],
    { env: { PORT: "0", WEBHOOK_SECRET: key }, stdio: ["ignore", "pipe", "inherit"] });
  atEnd(t, () => child.kill());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const port = (await lines.next()).value.match(/^port (\d+)$/)[1];
  const service = await start(t, { WEBHOOK_SECRET: key, WEBHOOK_ALLOW_PRIVATE: "true",
    WEBHOOK_URL: `http://127.0.0.1:${port}/` });
  const id = await service.draft();
  const { type, data } = JSON.parse((await lines.next()).value);
  assert.deepEqual([type, data.draft_id], ["draft.created", id]);

  const now = new Date(), body = JSON.stringify({ type: "sent" });
  const sign = (by, at) => ({ "webhook-id": "x", "webhook-timestamp": `${Math.floor(at / 1000)}`,
    "webhook-signature": new Webhook(by).sign("x", at, body) });
  const post = async (headers) =>
    (await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body, headers })).status;
  assert.equal(await post(sign(newSecret(), now)), 401);
  assert.equal(await post(sign(key, new Date(now - 600000))), 401);
  assert.equal(await post({}), 401);
  assert.equal(await post(sign(key, now)), 204);
});

// --- endpoints that fail -------------------------------------------------------------------------

test("whatever goes wrong, it is tried again, and no endpoint waits for another", async (t) => {
  const key = newSecret();
  const once = (answer) => (attempt, nth) => (nth === 0 ? answer : 204);
  const failing = await Promise.all([500, "reset", { status: 307, headers: { location: "/" } }]
    .map((answer) => receive(t, { key, answer: once(answer) })));
  const hanging = await receive(t, { key, answer: () => "hang" });
  const service = await start(t, { WEBHOOK_ALLOW_PRIVATE: "true", WEBHOOK_SECRET: key,
    WEBHOOK_URL: [hanging, ...failing].map(({ url }) => url).join(",") });
  const id = await service.draft();
  for (const receiver of failing) {
    const event = await receiver.event("draft.created", { draft_id: id });
    assert.deepEqual(receiver.attempts.map((e) => e.id), [event.id, event.id]);
    assert.equal(receiver.attempts[0].body, event.body);
  }
  const { error } = await service.event((e) => e.message === "webhook not delivered" &&
    e.endpoint === new URL(hanging.url).origin, "the end of the attempt that hangs");
  assert.match(error, /timed out|Timeout|no answer/i);
  hanging.answer = () => 200;
  await hanging.event("draft.created", { draft_id: id });
});

test("who sends does not wait for an endpoint", async (t) => {
  const receiver = await receive(t, { answer: () => "hang" });
  const service = await start(t, receiver.env);
  await service.draft();
  await receiver.until(() => receiver.open === 1);
  ok(await service.post("/", { ...LETTER, mode: "send" }));
  assert.equal(receiver.open, 1, "the attempt has ended, and the send after it");
});

test("a client that is gone (410) is not asked again", async (t) => {
  const receiver = await receive(t, { answer: (attempt, nth) => (nth === 0 ? 410 : 200) });
  const service = await start(t, receiver.env);
  await service.draft();
  const { endpoint, event } = await service.event((e) => e.message === "webhook event dropped");
  assert.deepEqual([endpoint, event], [new URL(receiver.url).origin, "draft.created"]);
});

for (const host of ["127.0.0.1", "localhost"]) {
  test(`a private address is refused: ${host}`, async (t) => {
    const receiver = await receive(t);
    const service = await start(t, { WEBHOOK_SECRET: receiver.key,
      WEBHOOK_URL: `https://${host}:${receiver.port}${receiver.path}` });
    await service.draft();
    const { error } = await service.event((e) => e.message === "webhook not delivered");
    assert.match(error, /private/);
    assert.equal(receiver.connections, 0);
  });
}

// --- crashes, and instances ----------------------------------------------------------------------

test("what was written before a crash is told after it", async (t) => {
  const at = await world(t);
  const gone = await receive(t);
  await gone.close();
  const service = await start(t, gone.env, { at });
  const id = await service.draft();
  await service.event((e) => e.message === "webhook not delivered");
  await service.kill();
  await at.outlive();

  const receiver = new Receiver({ key: gone.key });
  receiver.path = gone.path;
  await receiver.listen(t, gone.port);
  await start(t, gone.env, { at });
  await receiver.event("draft.created", { draft_id: id });
});

test("killed at any moment, nothing that was acknowledged is lost", async (t) => {
  const at = await world(t);
  const receiver = await receive(t);
  const service = await start(t, receiver.env, { at });
  const acknowledged = new Set();
  const write = async () => { for (;;) acknowledged.add(await service.draft()); };
  const writers = Promise.allSettled(Array.from({ length: 8 }, write));
  await receiver.until(() => receiver.events.length >= 20);
  await service.kill();
  await writers;
  await start(t, receiver.env, { at });
  const told = () => new Set(receiver.events.map((e) => e.data.draft_id));
  await receiver.until(() => [...acknowledged].every((id) => told().has(id)));
});

test("two instances lose nothing, and an event is one whoever tells it", async (t) => {
  const at = await world(t);
  const receiver = await receive(t);
  const services = [await start(t, receiver.env, { at }), await start(t, receiver.env, { at })];
  const ids = await Promise.all(Array.from({ length: 60 }, (_, i) => services[i % 2].draft()));
  const told = () => new Set(receiver.events.map((e) => e.data.draft_id));
  await receiver.until(() => ids.every((id) => told().has(id)));
  for (const id of ids) {
    const same = receiver.attempts.filter((e) => e.data.draft_id === id);
    assert.equal(new Set(same.map((e) => e.id)).size, 1, "one event has two ids");
  }
});

test("what has failed for good is told once", async (t) => {
  const receiver = await receive(t);
  const service = await start(t, receiver.env);
  const { google } = service.world;
  const to = google ? LETTER.to : "permfail@example.test";
  google?.fault({ method: "gmail.users.drafts.create", status: 400, count: 1 });
  const id = await service.draft({ to });
  assert.notEqual((await service.post("/send-draft", { draft_id: id })).status, 200);
  const failed = await receiver.event("send.failed", { draft_id: id });
  assert.equal(failed.data.status, "pending");
  assert.equal(failed.data.error, (await service.document(id)).error);

  google?.fault({ method: "gmail.users.messages.send", status: 400, count: 1 });
  assert.notEqual((await service.post("/", { ...LETTER, to, mode: "send" })).status, 200);
  await receiver.event("send.failed", { draft_id: undefined });
  assert.equal(receiver.events.filter((e) => e.type === "send.failed").length, 2);
});
