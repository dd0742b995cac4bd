// One trace through the life of a mail, from the request to the open; on each backend.

import assert from "node:assert/strict";
import { test } from "node:test";
import { start } from "./lib/backends.mjs";
import { assertMoved } from "./lib/metrics.mjs";
import { patientPixel } from "./lib/service.mjs";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736", SPAN = "00f067aa0ba902b7";
const TRACEPARENT = `00-${TRACE}-${SPAN}-01`;
const MESSAGE = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!" };
const CLOUD = "logging.googleapis.com/";
// Where Google is played, the project is known already.
const PROJECT = process.env.TEST_ON ? {} : { GOOGLE_CLOUD_PROJECT: "trace-project" };
// Told of a mail on its way, and no step of it.
const ASIDE = ["request", "google exchange", "identities from the cache"];

const traced = (traceparent = TRACEPARENT) => ({ headers: { traceparent } });

async function post(service, path, json, options) {
  const reply = await service.post(path, json, options);
  assert.equal(reply.status, 200, reply.text);
  return reply;
}

// The steps that the log has of a mail, in their order: each with its time.
function stepsOf(service, trace) {
  const events = service.log.filter((e) => e.mail_trace_id === trace);
  for (const event of events) {
    assert.match(event.request_id, /^\S+$/);
    assert.match(event.trace_id, /^[0-9a-f]{32}$/);
    if (event.message === ASIDE[2]) continue;
    assert.ok(event.ms >= 0 && event.ms < 100000, JSON.stringify(event));
  }
  return events;
}

const told = (events) => events.map((e) => e.message).filter((message) => !ASIDE.includes(message));

test("a mail from its request to its open: one trace, each step, and what it moved", async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await patientPixel(t), LOG_LEVEL: "debug" });
  let id, opened, made, sent;
  await assertMoved(service, [
    ["paraph_drafts_total", { outcome: "created" }, 1],
    ["paraph_claims_total", { outcome: "won" }, 1],
    ["paraph_sends_total", { mode: "draft", outcome: "sent" }, 1],
    ["paraph_sends_total", {}, 1],
    ["paraph_opens_total", {}, 1],
    ["paraph_http_requests_total", { route: "/pixel", status: "200" }, 1],
  ], async () => {
    made = await post(service, "/", { ...MESSAGE, mode: "draft" }, traced());
    id = made.json.draft_id;
    assert.equal((await service.get(`/drafts/${id}/message`)).status, 200);
    sent = await post(service, "/send-draft", { draft_id: id });
    opened = await service.get(`/pixel?id=${sent.json.pixel_id}`);
  });
  for (const reply of [made, sent, opened]) await service.logged(reply);

  const events = stepsOf(service, TRACE);
  assert.deepEqual(told(events), ["draft stored", "approval decided", "claimed", "pixel stored",
    "draft made in the mailbox", "mail given to the mailbox", "marked sent", "mail sent", "open"]);
  assert.deepEqual(events.filter((e) => e.message === "request").map((e) => `${e.method} ${e.path}`),
    ["POST /", `GET /drafts/${id}/message`, "POST /send-draft", "GET /pixel"]);
  const last = (message) => events.filter((e) => e.message === message).at(-1);
  assert.equal(last("draft stored").trace_id, TRACE);
  assert.notEqual(last("mail sent").trace_id, TRACE);
  assert.equal(last("mail sent").request_id, sent.headers.get("x-request-id"));
  for (const message of ["draft stored", "claimed", "marked sent", "mail sent", "open"]) {
    assert.equal(last(message).draft_id, id, message);
  }
  for (const message of ["pixel stored", "mail sent", "open"]) {
    assert.equal(last(message).pixel_id, sent.json.pixel_id, message);
  }
  assert.equal(last("open").request_id, opened.headers.get("x-request-id"));

  const document = await service.document(id);
  assert.equal(document.trace_id, TRACE);
  assert.equal((await service.world.stored("email_opens", sent.json.pixel_id)).trace_id, TRACE);
});

test("at the level of every day, a mail is three events and its requests", async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await patientPixel(t), LOG_LEVEL: "info" });
  const { draft_id: id } = (await post(service, "/", { ...MESSAGE, mode: "draft" }, traced())).json;
  const { pixel_id: pixel } = (await post(service, "/send-draft", { draft_id: id })).json;
  await service.logged(await service.get(`/pixel?id=${pixel}`));
  assert.deepEqual(told(stepsOf(service, TRACE)), ["draft stored", "mail sent", "open"]);
});

test("a mail that is sent at once has the trace of its request", async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await patientPixel(t), LOG_LEVEL: "debug" });
  const sent = await post(service, "/", { ...MESSAGE, mode: "send" }, traced());
  await service.logged(await service.get(`/pixel?id=${sent.json.pixel_id}`));
  assert.deepEqual(told(stepsOf(service, TRACE)), ["decided", "pixel stored", "mail sent", "open"]);
});

test("a trace cannot be edited, and what is none in the store is none", async (t) => {
  const service = await start(t);
  const made = await post(service, "/", { ...MESSAGE, mode: "draft" }, traced());
  const id = made.json.draft_id;
  assert.equal((await service.patch(`/drafts/${id}`, { trace_id: "x" })).status, 400);
  const changed = await service.patch(`/drafts/${id}`, { subject: "Hi" });
  assert.equal(changed.json.draft.trace_id, TRACE);
  assert.equal((await service.post("/", { ...MESSAGE, trace_id: TRACE })).status, 400);
  await service.world.put("email_drafts", { [id]:
    { ...(await service.world.stored("email_drafts", id)), trace_id: '"} evil\n' } });
  const event = await service.logged(await service.get(`/drafts/${id}`));
  assert.equal(event.mail_trace_id, undefined);
});

test("what is no trace is not taken for one", async (t) => {
  const service = await start(t);
  const bad = [
    `00-${TRACE}-${SPAN}-01-x`, `00-${TRACE.toUpperCase()}-${SPAN}-01`, `ff-${TRACE}-${SPAN}-01`,
    `00-${"0".repeat(32)}-${SPAN}-01`, `00-${TRACE}-${"0".repeat(16)}-01`, `00-${TRACE}-${SPAN}`,
    `00-${TRACE}"}-${SPAN}-01`, "x".repeat(4000), "00", "-", `${TRACEPARENT}, ${TRACEPARENT}`,
  ];
  for (const value of bad) {
    for (const name of ["traceparent", "X-Cloud-Trace-Context"]) {
      const event = await service.logged(await service.get("/health", { headers: { [name]: value } }));
      assert.match(event.trace_id, /^[0-9a-f]{32}$/);
      assert.notEqual(event.trace_id, TRACE, `${name}: ${value}`);
      assert.equal(event[`${CLOUD}spanId`], undefined);
    }
  }
  for (const event of service.log) assert.equal(event.line, undefined, "a line that is no JSON");
});

test("whatever calls itself a browser, its event is one line of JSON", async (t) => {
  const service = await start(t);
  for (const agent of ["\xff\xfe", '"}', "\\", "a\tb", "\xc3", "paraph_test", "%0a", "x".repeat(8000)]) {
    const id = `agent-${Buffer.from(agent.slice(0, 9), "latin1").toString("hex")}`;
    await service.raw(Buffer.from(`GET /health HTTP/1.1\r\nHost: x\r\nUser-Agent: ${agent}\r\n` +
      `X-Request-Id: ${id}\r\nConnection: close\r\n\r\n`, "latin1"));
    const event = await service.event((e) => e.request_id === id);
    assert.ok(event.httpRequest.userAgent.length <= 500, agent);
  }
  for (const event of service.log) assert.equal(event.line, undefined, "a line that is no JSON");
});

test("a request is an event that Cloud Logging shows as one", async (t) => {
  const service = await start(t, PROJECT);
  const body = { ...MESSAGE, mode: "draft" };
  const agent = 'Mozilla/5.0 "} \\ \u0001'.replace("\u0001", "") + "x".repeat(600);
  const reply = await post(service, "/", body, { headers: { "User-Agent": agent,
    "X-Cloud-Trace-Context": `${TRACE}/74;o=1` } });
  const event = await service.logged(reply);
  const { latency, ...http } = event.httpRequest;
  assert.match(latency, /^\d+\.\d{6}s$/);
  assert.deepEqual(http, {
    requestMethod: "POST", requestUrl: "/", status: 200, userAgent: agent.slice(0, 500),
    requestSize: String(JSON.stringify(body).length), responseSize: String(reply.bytes.length),
    remoteIp: "127.0.0.1", protocol: "HTTP/1.1",
  });
  assert.deepEqual(event[`${CLOUD}labels`], { caller: "anonymous", route: "/" });
  assert.equal(event.trace_id, TRACE);
  assert.match(event[`${CLOUD}trace`], new RegExp(`^projects/[a-z0-9-]+/traces/${TRACE}$`));
  assert.equal(event[`${CLOUD}spanId`], "000000000000004a");
  assert.equal(event[`${CLOUD}trace_sampled`], true);
  const asked = await service.logged(await service.get("/sign-in?next=%2Fsecret"));
  assert.ok(!JSON.stringify(asked).includes("secret"), JSON.stringify(asked));
});
