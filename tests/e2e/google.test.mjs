// The main job on Google, against the stand-in: what is called, how often, and what arrives.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { CHAIN, counts, startOnGoogle } from "./lib/google.mjs";
import { assertRefused } from "./lib/service.mjs";

const HELLO = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!" };
const COMMIT = "firestore.projects.databases.documents.commit";
const SEND = "gmail.users.messages.send";

function assertChainOnce(google) {
  for (const method of CHAIN) assert.equal(google.calls(method).length, 1, method);
}

test("a draft, its message, its sending, an open: the documents and the mail", async (t) => {
  const { google, service } = await startOnGoogle(t);
  const id = await service.draft();
  const shown = await service.get(`/drafts/${id}/message`);
  assert.equal(shown.status, 200, shown.text);
  const etag = shown.headers.get("etag").slice(1, -1);

  const sent = await service.post("/send-draft", { draft_id: id, etag });
  assert.equal(sent.status, 200, sent.text);
  assert.equal(google.mails().length, 1);
  const [mail] = google.mails();
  assert.equal(sent.json.message_id, mail.id);
  assert.equal(sent.json.thread_id, mail.threadId);
  assert.equal(google.drafts().length, 0);

  const { html } = mail.read.mailparser;
  const pixel = `<img src="https://t.example.org/pixel?id=${sent.json.pixel_id}" width="1" ` +
    `height="1" alt="" style="display:none;">`;
  assert.equal(html.split(pixel).length, 2, html);
  assert.ok(html.indexOf("Hi Ann!") < html.indexOf(pixel), "the pixel comes first");
  assert.ok(html.indexOf(pixel) < html.indexOf("Sam"), "the signature does not follow");

  const draft = google.document("email_drafts", id);
  assert.deepEqual(draft.status, { stringValue: "sent" });
  assert.ok(draft.sent_at.timestampValue && draft.created_at.timestampValue);
  const before = google.document("email_opens", sent.json.pixel_id);
  assert.deepEqual(before.open_count, { integerValue: "0" });
  assert.deepEqual(before.draft_id, { stringValue: id });

  for (let i = 0; i < 3; i++) await service.get(`/pixel?id=${sent.json.pixel_id}`);
  const after = google.document("email_opens", sent.json.pixel_id);
  assert.deepEqual(after.open_count, { integerValue: "3" });
  assert.ok(after.first_opened_at.timestampValue <= after.last_opened_at.timestampValue);
  assert.deepEqual(google.problems, []);

  const again = await service.post("/send-draft", { draft_id: id });
  assertRefused(again, 409, "already_sent");
  assert.equal(again.json.message_id, mail.id);
});

test("the chain is walked once: 100 sends, one after the other", async (t) => {
  const { google, service } = await startOnGoogle(t);
  for (let i = 0; i < 100; i++) {
    const reply = await service.post("/", { ...HELLO, mode: "send" });
    assert.equal(reply.status, 200, reply.text);
  }
  assertChainOnce(google);
  assert.equal(google.mails().length, 100);
});

test("the chain is walked once: 50 first sends at the same time", async (t) => {
  const { google, service } = await startOnGoogle(t);
  const replies = await Promise.all(Array.from({ length: 50 }, () =>
    service.post("/", { ...HELLO, mode: "send" })));
  assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([200]));
  assertChainOnce(google);
  assert.equal(google.mails().length, 50);
  assert.ok(Math.max(...google.calls(SEND).map((call) => call.concurrent)) > 1);
});

test("warm, a tracked send makes two calls and a draft one", async (t) => {
  const { google, service } = await startOnGoogle(t);
  await service.post("/", { ...HELLO, mode: "send" });
  await service.draft();
  google.log = [];
  await service.post("/", { ...HELLO, mode: "send" });
  assert.deepEqual(counts(google), { [COMMIT]: 1, [SEND]: 1 });
  google.log = [];
  await service.draft();
  assert.deepEqual(counts(google), { [COMMIT]: 1 });
  google.log = [];
  await service.post("/", { ...HELLO, mode: "send", tracking: false });
  assert.deepEqual(counts(google), { [SEND]: 1 });
});

test("drafts of the service that was before are read, listed and sent", async (t) => {
  const { google, service } = await startOnGoogle(t);
  const id = "0b9e6f3a-4c1d-4e8f-9a2b-7c6d5e4f3a2b";
  await put(google, "email_drafts", id, {
    to: { stringValue: "ann@example.com" }, subject: { stringValue: "Old" },
    body: { stringValue: "From before" }, status: { stringValue: "pending" },
    created_at: { timestampValue: "2025-01-02T03:04:05.678Z" },
  });
  const { json } = await service.get("/drafts?status=pending");
  assert.equal(json.drafts.length, 1);
  assert.equal(json.drafts[0].created_at, "2025-01-02T03:04:05.678000Z");
  const sent = await service.post("/send-draft", { draft_id: id });
  assert.equal(sent.status, 200, sent.text);
  assert.match(google.mails()[0].read.mailparser.text, /From before/);
});

// Into the stand-in's store, as another program would have written it.
async function put(google, collection, id, fields) {
  const { project, database } = google.settings;
  const name = `projects/${project}/databases/${database}/documents/${collection}/${id}`;
  google.configure({ emulator: true });
  const reply = await fetch(`${google.wires.firestore.url}/v1/projects/${project}/databases/` +
    `${database}/documents:commit`, {
    method: "POST", headers: { Authorization: "Bearer owner", "Content-Type": "application/json" },
    body: JSON.stringify({ writes: [{ update: { name, fields } }] }),
  });
  assert.equal(reply.status, 200, await reply.text());
  google.configure({ emulator: false });
}

test("a 20 MB attachment goes by upload, and comes out the same", async (t) => {
  // the stand-in reads it with two parsers before it answers
  const { google, service } = await startOnGoogle(t, { UPSTREAM_TIMEOUT: "100",
    REQUEST_TIMEOUT: "200" });
  const content = randomBytes(20 * 1024 * 1024);
  const attachments = [{ filename: "big.bin", content: content.toString("base64") }];
  const peak = async () => Number((await readFile(`/proc/${service.pid}/status`, "utf8"))
    .match(/VmHWM:\s+(\d+)/)[1]);
  await service.post("/", { ...HELLO, mode: "send" });
  const before = await peak();
  const reply = await service.post("/", { ...HELLO, mode: "send", attachments });
  assert.equal(reply.status, 200, reply.text);
  t.diagnostic(`peak memory: ${before} KiB before, ${await peak()} KiB after`);
  const [, mail] = google.mails();
  assert.ok(mail.read.mailparser.attachments[0].content.equals(content), "other bytes");

  const id = await service.draft({ attachments });
  const sent = await service.post("/send-draft", { draft_id: id });
  assert.equal(sent.status, 200, sent.text);
  assert.ok(google.mails()[2].read.mailparser.attachments[0].content.equals(content));
});

test("a single fault is survived where repeating is harmless", async (t) => {
  const { google, service } = await startOnGoogle(t);
  await service.draft();
  for (const fault of [
    { method: "firestore.*", status: 503 },
    { method: "firestore.*", symptom: "firestore_aborted" },
    { method: "gmail.*", symptom: "gmail_auth_error" },
    { method: "firestore.*", kind: "cut", when: "connect" },
    { method: "iamcredentials.*", symptom: "iam_unavailable" },
    { method: "oauth2.token", symptom: "internal_failure" },
  ]) {
    await t.test(JSON.stringify(fault), async () => {
      google.fault({ count: 1, ...fault });
      const before = google.mails().length;
      const id = await service.draft();
      const sent = await service.post("/send-draft", { draft_id: id });
      assert.equal(sent.status, 200, sent.text);
      assert.equal(google.mails().length, before + 1);
      google.faults.clear();
    });
  }
});

test("a rate limit is 429 with the time to wait, and the draft waits", async (t) => {
  const { google, service } = await startOnGoogle(t);
  const id = await service.draft();
  google.fault({ method: "gmail.users.drafts.*", symptom: "gmail_sending_limit",
    retryAfterMs: 120000 });
  const reply = await service.post("/send-draft", { draft_id: id });
  assertRefused(reply, 429, "rate_limited");
  const seconds = Number(reply.headers.get("retry-after"));
  assert.ok(seconds > 100 && seconds <= 121, `Retry-After: ${seconds}`);
  assert.equal((await service.document(id)).status, "pending");
  assert.equal(google.mails().length, 0);
});

test("a sender that Gmail would replace silently is refused", async (t) => {
  const { google, service } = await startOnGoogle(t, { ALLOWED_SENDERS: "@example.com" });
  const reply = await service.post("/", { ...HELLO, mode: "send", from: "sender@example.com" });
  assert.equal(reply.status, 200, reply.text);
  const foreign = await service.post("/", { ...HELLO, mode: "send", from: "x@elsewhere.example" });
  assertRefused(foreign, 403, "forbidden", "from");
  assert.equal(google.mails().length, 1);
});

test("a signature that may not be read is left out, with a warning", async (t) => {
  const scopes = "https://www.googleapis.com/auth/gmail.compose";
  const { google, service } = await startOnGoogle(t, { GMAIL_SCOPES: scopes });
  const reply = await service.post("/", { ...HELLO, mode: "send" });
  assert.equal(reply.status, 200, reply.text);
  assert.ok(!/Sam/.test(google.mails()[0].read.mailparser.html));
  await service.event((e) => e.severity === "WARNING" && /signature/.test(JSON.stringify(e)));
});
