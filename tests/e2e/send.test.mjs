// Sending: a reviewed draft, once; a message at once; copies for a test; the brake; on each backend.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { start } from "./lib/backends.mjs";
import { pixels, read, withoutDate } from "./lib/mail.mjs";
import { assertRefused, file, UUID } from "./lib/service.mjs";

const letter = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!" };

const service = await start(file, { PIXEL_TRACKER_BASE_URL: "https://t.example.org" });

// What is answered, and what leaves.
async function newMail(action) {
  await service.newMail();
  const reply = await action();
  return { reply, mails: await service.newMail() };
}

test("a draft is sent as it was shown", async () => {
  const id = await service.draft({ cc: "Bob <bob@example.com>", bcc: "eve@example.com" });
  const shown = await service.get(`/drafts/${id}/message`);
  const { reply, mails } = await newMail(() => service.post("/send-draft", { draft_id: id }));
  assert.equal(reply.status, 200, reply.text);
  const { message_id: messageId, thread_id: threadId, pixel_id: pixelId, ...rest } = reply.json;
  assert.deepEqual(rest, { status: "ok" });
  assert.ok(messageId && threadId, reply.text);
  assert.match(pixelId, UUID);
  assert.equal(mails.length, 1);
  assert.equal(withoutDate(mails[0]), withoutDate(shown.bytes));
  await read(mails[0], ({ html }) => {
    const url = `https://t.example.org/pixel?id=${pixelId}`;
    assert.deepEqual(pixels(html),
      [`<img src="${url}" width="1" height="1" alt="" style="display:none;">`]);
  });

  const document = await service.document(id);
  assert.equal(document.status, "sent");
  assert.equal(document.message_id, messageId);
  assert.equal(document.thread_id, threadId);
  assert.equal(document.pixel_id, pixelId);
  assert.ok(Date.parse(document.sent_at) >= Date.parse(document.created_at));
});

test("the message of a sent draft is the one that was sent", async () => {
  const id = await service.draft({ subject: "Kept" });
  const { mails } = await newMail(() => service.post("/send-draft", { draft_id: id }));
  const shown = await service.get(`/drafts/${id}/message`);
  assert.equal(shown.status, 200);
  assert.equal(withoutDate(shown.bytes), withoutDate(mails[0]));
});

test("a draft is sent once", async () => {
  const id = await service.draft();
  const first = await service.post("/send-draft", { draft_id: id });
  const { reply, mails } = await newMail(() => service.post("/send-draft", { draft_id: id }));
  assertRefused(reply, 409, "already_sent");
  assert.equal(reply.json.message_id, first.json.message_id);
  assert.equal(mails.length, 0);
});

test("of many callers at once one sends", async () => {
  const id = await service.draft();
  const { reply: replies, mails } = await newMail(() => Promise.all(
    Array.from({ length: 20 }, () => service.post("/send-draft", { draft_id: id }))));
  const won = replies.filter((reply) => reply.status === 200);
  assert.equal(won.length, 1);
  for (const reply of replies.filter((r) => r !== won[0])) {
    assert.equal(reply.status, 409, reply.text);
    assert.match(reply.json.code, /^(in_progress|already_sent)$/);
  }
  assert.equal(mails.length, 1);
});

test("a draft that is not there, or is no id", async () => {
  assertRefused(await service.post("/send-draft", { draft_id: randomUUID() }), 404,
    "draft_not_found");
  for (const draftId of ["nonsense", "", "../../etc/passwd"]) {
    const reply = await service.post("/send-draft", { draft_id: draftId });
    assert.ok([400, 404].includes(reply.status), reply.text);
    assertRefused(reply, reply.status, reply.status === 404 ? "draft_not_found" : "invalid_field");
  }
  for (const json of [{}, { draft_id: 7 }, { draft_id: null }, { draft_id: ["a"] }]) {
    assertRefused(await service.post("/send-draft", json), 400, "invalid_field", "draft_id");
  }
  assertRefused(await service.post("/send-draft", { draft_id: randomUUID(), force: true }), 400,
    "unknown_field", "force");
});

// --- what was reviewed is what is sent -----------------------------------------------------------

test("the etag that the reviewer saw", async () => {
  const id = await service.draft();
  const shown = await service.get(`/drafts/${id}/message`);
  const etag = shown.headers.get("etag");
  assert.match(etag, /^"[0-9a-f]{64}"$/);
  assert.equal((await service.get(`/drafts/${id}/message`)).headers.get("etag"), etag);
  assert.equal((await service.head(`/drafts/${id}/message`)).headers.get("etag"), etag);

  const wrong = { draft_id: id, etag: "0".repeat(64) };
  const refused = await newMail(() => service.post("/send-draft", wrong));
  assertRefused(refused.reply, 409, "changed_since_review");
  assert.equal(refused.mails.length, 0);
  assert.equal((await service.document(id)).status, "pending");

  await service.patch(`/drafts/${id}`, { message: "Hi Bob!" });
  const stale = { draft_id: id, etag: etag.slice(1, -1) };
  assertRefused(await service.post("/send-draft", stale), 409, "changed_since_review");
  const edited = (await service.get(`/drafts/${id}/message`)).headers.get("etag");
  assert.notEqual(edited, etag);
  const reply = await service.post("/send-draft", { draft_id: id, etag: edited.slice(1, -1) });
  assert.equal(reply.status, 200, reply.text);

  const other = await service.draft();
  const quoted = (await service.get(`/drafts/${other}/message`)).headers.get("etag");
  assert.equal((await service.post("/send-draft", { draft_id: other, etag: quoted })).status, 200);
});

test("every member that a recipient sees changes the etag", async () => {
  const id = await service.draft();
  const seen = new Set();
  const etag = async () => (await service.get(`/drafts/${id}/message`)).headers.get("etag");
  seen.add(await etag());
  const changes = [
    { to: "bob@example.com" }, { subject: "Other" }, { message: "Other" }, { cc: "c@example.com" },
    { bcc: "d@example.com" }, { reply_to: "e@example.com" }, { from_name: "Zoë" },
    { format: "html" }, { tracking: false }, { in_reply_to: "<x@example.com>" },
    { attachments: [{ filename: "a.txt", content: "YQ==" }] },
    { attachments: [{ filename: "a.txt", content: "Yg==" }] },
    { attachments: [{ filename: "b.txt", content: "Yg==" }] },
  ];
  for (const [i, change] of changes.entries()) {
    const reply = await service.patch(`/drafts/${id}`, change);
    assert.equal(reply.status, 200, reply.text);
    seen.add(await etag());
    assert.equal(seen.size, i + 2, `no change by ${JSON.stringify(change)}`);
  }
});

test("a signature that changes after the review is noticed", async (t) => {
  const one = await start(t);
  const id = await one.draft();
  const etag = (await one.get(`/drafts/${id}/message`)).headers.get("etag").slice(1, -1);
  await one.stop();
  one.world.sign("<b>Two</b>");
  const two = await start(t, {}, { at: one.world });
  assertRefused(await two.post("/send-draft", { draft_id: id, etag }), 409,
    "changed_since_review");
});

// --- at once -------------------------------------------------------------------------------------

test("a message is sent at once", async () => {
  const { reply, mails } = await newMail(() => service.post("/", { ...letter, mode: "send" }));
  assert.equal(reply.status, 200, reply.text);
  const { id, thread_id: threadId, pixel_id: pixelId, ...rest } = reply.json;
  assert.deepEqual(rest, { status: "ok", mode: "send" });
  assert.ok(id && threadId);
  assert.match(pixelId, UUID);
  assert.equal(mails.length, 1);
  await read(mails[0], (mail) => {
    assert.equal(mail.subject, "Hello");
    assert.deepEqual(mail.to, [{ name: "", address: "ann@example.com" }]);
    assert.equal(mail.from.length, 1);
    assert.equal(mail.attachments.length, 0);
    assert.equal(pixels(mail.html).length, 1);
  });
});

test("what is not tracked has no pixel", async () => {
  const { reply, mails } =
    await newMail(() => service.post("/", { ...letter, mode: "send", tracking: false }));
  assert.equal(reply.json.pixel_id, null, reply.text);
  await read(mails[0], ({ html }) => assert.ok(!html.includes("/pixel"), html));
  const id = await service.draft({ tracking: false });
  const sent = await service.post("/send-draft", { draft_id: id });
  assert.equal(sent.json.pixel_id, null, sent.text);
});

test("ENABLE_TRACKING=false tracks nothing", async (t) => {
  const quiet = await start(t, { ENABLE_TRACKING: "false" });
  const reply = await quiet.post("/", { ...letter, mode: "send" });
  assert.equal(reply.json.pixel_id, null, reply.text);
  const [mail] = await quiet.outbox();
  await read(mail, ({ html }) => assert.ok(!html.includes("/pixel"), html));
});

test("two messages are two mails, with ids of their own", async () => {
  const { reply, mails } = await newMail(() => Promise.all(
    [1, 2, 3].map(() => service.post("/", { ...letter, mode: "send" }))));
  assert.equal(new Set(reply.map((r) => r.json.id)).size, 3);
  assert.equal(new Set(reply.map((r) => r.json.pixel_id)).size, 3);
  const ids = new Set();
  for (const mail of mails) await read(mail, ({ messageId }) => ids.add(messageId));
  assert.equal(ids.size, 3);
});

// --- a copy for a test ---------------------------------------------------------------------------

test("a test copy is marked, untracked, for nobody else, and changes nothing", async () => {
  const id = await service.draft({ cc: "bob@example.com", bcc: "eve@example.com" });
  const kept = await service.document(id);
  const { reply, mails } =
    await newMail(() => service.post(`/drafts/${id}/test`, { to: "me@example.com" }));
  assert.equal(reply.status, 200, reply.text);
  const { message_id: messageId, ...rest } = reply.json;
  assert.deepEqual(rest, { status: "ok" });
  assert.ok(messageId);
  assert.equal(mails.length, 1);
  await read(mails[0], (mail) => {
    assert.ok(mail.subject.startsWith("[TEST]"), mail.subject);
    assert.ok(mail.subject.endsWith("Hello"), mail.subject);
    assert.deepEqual(mail.to.map((a) => a.address), ["me@example.com"]);
    assert.deepEqual([...mail.cc, ...mail.bcc], []);
    assert.equal(pixels(mail.html).length, 0);
  });
  assert.ok(!/bob@example|eve@example/.test(mails[0].toString()));
  assert.deepEqual(await service.document(id), kept);
});

test("a test copy needs a recipient", async () => {
  const id = await service.draft();
  assertRefused(await service.post(`/drafts/${id}/test`, {}), 400, "invalid_field", "to");
  assertRefused(await service.post(`/drafts/${id}/test`, { to: "bob@" }), 400,
    "invalid_recipient", "to");
  assertRefused(await service.post(`/drafts/${id}/test`, { to: "a@example.com", cc: "b@c.d" }), 400,
    "unknown_field", "cc");
});

// --- refusals ------------------------------------------------------------------------------------

test("NO_SEND: nothing leaves", async (t) => {
  const braked = await start(t, { NO_SEND: "true" });
  const reply = await braked.post("/", { ...letter, mode: "send" });
  assert.equal(reply.status, 200, reply.text);
  const { draft_id: id, ...rest } = reply.json;
  assert.deepEqual(rest, { status: "ok", mode: "draft", held: "no_send" });
  assertRefused(await braked.post("/send-draft", { draft_id: id }), 503, "no_send");
  assert.equal((await braked.document(id)).status, "pending");
  assertRefused(await braked.post(`/drafts/${id}/test`, { to: "me@example.com" }), 503, "no_send");
  assert.deepEqual(await braked.outbox(), []);
});
