// What is asked of Google is counted by interface and by what came of it, repetitions too.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startOnGoogle } from "./lib/google.mjs";
import { assertMoved, judge, metrics } from "./lib/metrics.mjs";

const MESSAGE = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!", tracking: false };
const ASKED = "paraph_google_requests_total", AGAIN = "paraph_google_retries_total";
const TOOK = "paraph_google_request_duration_seconds_count";
const SEND = "gmail.users.messages.send", COMMIT = "firestore.projects.databases.documents.commit";

// A service that has its tokens and the signature already.
async function warm(t, env) {
  const { google, service } = await startOnGoogle(t, env);
  assert.equal((await send(service)).status, 200);
  return { google, service };
}

const send = (service) => service.post("/", { ...MESSAGE, mode: "send" });

test("each server that is asked has its own series", async (t) => {
  const { google, service } = await warm(t, {});
  const page = await metrics(service);
  for (const api of ["metadata", "iam", "oauth", "gmail", "firestore"]) {
    assert.ok(page.value(ASKED, { api, code: "200" }) > 0, api);
    assert.equal(page.value(TOOK, { api }), page.value(ASKED, { api }), api);
    assert.equal(page.value(AGAIN, { api }), 0, api);
  }
  assert.equal(page.value(ASKED, { api: "gmail" }),
    google.log.filter(({ method }) => method.startsWith("gmail.")).length);
  assert.equal(page.value(ASKED, { api: "jwks" }), 0);
  await judge(page.text);
});

// The fault, what it is counted as, and whether the send is tried again.
const faults = [
  { name: "a 429 of Gmail", fault: { method: SEND, status: 429, headers: { "Retry-After": "1" } },
    api: "gmail", code: "429", again: 1 },
  { name: "a 401 of Gmail", fault: { method: SEND, status: 401 }, api: "gmail", code: "401", again: 1 },
  { name: "a 400 of Gmail", fault: { method: SEND, status: 400 }, api: "gmail", code: "400", again: 0,
    outcome: "failed" },
  { name: "a 503 of Gmail", fault: { method: SEND, status: 503 }, api: "gmail", code: "503", again: 0,
    outcome: "unknown" },
  { name: "a cut connection", fault: { method: SEND, kind: "cut", when: "after" }, api: "gmail",
    code: "error", again: 0, outcome: "unknown" },
  { name: "no answer", fault: { method: SEND, kind: "hang" }, api: "gmail", code: "timeout", again: 0,
    outcome: "unknown" },
];

for (const { name, fault, api, code, again, outcome = "sent" } of faults) {
  test(`${name} is counted as ${code}, and the send as ${outcome}`, async (t) => {
    const { google, service } = await warm(t, { UPSTREAM_TIMEOUT: "3" });
    google.fault(fault);
    await assertMoved(service, [
      [ASKED, { api, code }, 1],
      [ASKED, { api, code: "200" }, outcome === "sent" ? 1 : 0],
      [AGAIN, { api }, again],
      ["paraph_sends_total", { mode: "direct", outcome }, 1],
      ["paraph_sends_total", {}, 1],
    ], () => send(service));
  });
}

test("a 503 of Firestore is repeated, and counted", async (t) => {
  const { google, service } = await warm(t, {});
  google.fault({ method: COMMIT, status: 503 });
  await assertMoved(service, [
    [ASKED, { api: "firestore", code: "503" }, 1],
    [AGAIN, { api: "firestore" }, 1],
    ["paraph_drafts_total", { outcome: "created" }, 1],
  ], () => service.draft());
});

test("an open that the store does not take is lost, and counted as such", async (t) => {
  const { google, service } = await warm(t, {});
  const { json: { pixel_id: id } } = await service.post("/",
    { ...MESSAGE, tracking: true, mode: "send" });
  google.fault({ method: "firestore.*", status: 403, count: Infinity });
  await assertMoved(service, [["paraph_opens_total", { kind: "lost" }, 1],
    ["paraph_opens_total", {}, 1]],
  async () => assert.equal((await service.get(`/pixel?id=${id}`)).status, 200));
});

test("who waits behind GMAIL_CONCURRENCY is counted as long as he waits", async (t) => {
  const { google, service } = await warm(t, { GMAIL_CONCURRENCY: "1" });
  const waiting = async () => (await metrics(service)).value("paraph_mailbox_waiting");
  google.fault({ method: SEND, kind: "delay", ms: 2000 });
  const sends = [1, 2, 3].map(() => send(service));
  while (await waiting() !== 2);
  for (const reply of await Promise.all(sends)) assert.equal(reply.status, 200, reply.text);
  assert.equal(await waiting(), 0);
});
