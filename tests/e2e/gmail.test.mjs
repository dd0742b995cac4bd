// What only Gmail has, against the stand-in: send-as identities, threads, drafts that settle what
// became of a send.

import assert from "node:assert/strict";
import { test } from "node:test";
import { counts, MAILBOX, startOnGoogle } from "./lib/google.mjs";
import { assertRefused } from "./lib/service.mjs";

const HELLO = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!" };
const scope = (name) => `https://www.googleapis.com/auth/${name}`;

const identity = (sendAsEmail, signature = "", more = {}) =>
  ({ sendAsEmail, signature, verificationStatus: "accepted", ...more });

const MAILBOXES = {
  [MAILBOX]: {
    sendAs: [
      { sendAsEmail: MAILBOX, signature: "<p>Sam</p>", isPrimary: true, isDefault: true },
      identity("sales@example.com", '<img src="https://x.example/logo.png">Sales'),
      identity("new@example.com", "", { verificationStatus: "pending" }),
    ],
  },
  "boss@example.com": { name: "Boss", signature: "<p>The boss</p>" },
};

const from = (service, address, more = {}) =>
  service.post("/", { ...HELLO, mode: "send", from: address, ...more });

// --- identities -----------------------------------------------------------------------------------

test("mail leaves as an identity of the mailbox, or from the sender's own mailbox", async (t) => {
  const { google, service } = await startOnGoogle(t, { ALLOWED_SENDERS: "@example.com" },
    { mailboxes: MAILBOXES });
  const sales = await from(service, "sales@example.com");
  assert.equal(sales.status, 200, sales.text);
  const [mail] = google.mails(MAILBOX);
  assert.equal(mail.from, "sales@example.com");
  assert.match(mail.read.mailparser.html,
    /<div class="gmail_signature"[^>]*><img alt="" src="https:\/\/x.example\/logo.png">Sales/);

  const boss = await from(service, "boss@example.com");
  assert.equal(boss.status, 200, boss.text);
  assert.equal(google.mails("boss@example.com").length, 1);
  assert.match(google.mails("boss@example.com")[0].read.mailparser.html, /The boss/);

  assertRefused(await from(service, "new@example.com"), 403, "forbidden", "from");
  const gone = await from(service, "gone@example.com");
  assertRefused(gone, 403, "forbidden", "from");
  assert.match(gone.json.error, /gone@example\.com.*Send mail as/);
  assert.equal(google.mails(MAILBOX).length, 1);
  assert.deepEqual(google.problems, []);
});

test("what cannot be signed does not leave", async (t) => {
  const { google, service } = await startOnGoogle(t);
  google.fault({ method: "gmail.users.settings.*", status: 500, count: Infinity });
  const refused = await service.post("/", { ...HELLO, mode: "send" });
  assertRefused(refused, 502, "gmail_error");
  assert.equal(google.mails().length, 0);
  google.faults.clear();
  const sent = await service.post("/", { ...HELLO, mode: "send" });
  assert.equal(sent.status, 200, sent.text);
});

// --- threads --------------------------------------------------------------------------------------

const QUESTION = `From: Ann <ann@example.com>\r\nTo: ${MAILBOX}\r\nSubject: Hello\r\n` +
  "Message-ID: <question@example.com>\r\nReferences: <first@example.com>\r\n\r\nWhen?\r\n";

test("an answer joins its thread, however it is named", async (t) => {
  const { google, service } = await startOnGoogle(t);
  for (const [name, answering] of [
    ["thread_id", ({ threadId }) => ({ thread_id: threadId })],
    ["in_reply_to, an id of Gmail", ({ id }) => ({ in_reply_to: id })],
    ["in_reply_to, a Message-ID", () => ({ in_reply_to: "<question@example.com>" })],
    ["both", ({ id, threadId }) => ({ in_reply_to: id, thread_id: threadId })],
  ]) {
    await t.test(name, async () => {
      google.gmail.reset();
      const question = await google.receive(MAILBOX, QUESTION);
      const sent = await service.post("/",
        { ...HELLO, subject: "Re: Hello", mode: "send", ...answering(question) });
      assert.equal(sent.status, 200, sent.text);
      const [mail] = google.mails();
      assert.equal(sent.json.thread_id, question.threadId);
      const text = mail.submitted.toString();
      assert.match(text, /\r\nIn-Reply-To: <question@example\.com>\r\n/);
      assert.match(text, /\r\nReferences: <first@example\.com> <question@example\.com>\r\n/);
    });
  }
  assert.deepEqual(google.problems, []);
});

test("a draft answers the message that was the last one when it was sent, and is shown so after",
  async (t) => {
    const { google, service } = await startOnGoogle(t);
    const { threadId } = await google.receive(MAILBOX, QUESTION);
    const id = await service.draft({ subject: "Hello", thread_id: threadId });
    const sent = await service.post("/send-draft", { draft_id: id });
    assert.equal(sent.status, 200, sent.text);
    assert.equal(sent.json.thread_id, threadId);
    const shown = await service.get(`/drafts/${id}/message`);
    assert.match(shown.text, /\r\nIn-Reply-To: <question@example\.com>\r\n/);

    const copy = await service.post(`/drafts/${id}/test`, { to: "tester@example.com" });
    assert.equal(copy.status, 200, copy.text);
    assert.notEqual(google.mails()[1].threadId, threadId);
  });

test("a thread or message that is not there is refused", async (t) => {
  const { google, service } = await startOnGoogle(t);
  const { threadId } = await google.receive(MAILBOX, QUESTION);
  for (const [members, field] of [
    [{ thread_id: "ffff" }, "thread_id"],
    [{ in_reply_to: "ffff" }, "in_reply_to"],
    [{ in_reply_to: "no id" }, "in_reply_to"],
    [{ in_reply_to: "ffff", thread_id: threadId }, "in_reply_to"],
  ]) {
    assertRefused(await service.post("/", { ...HELLO, mode: "draft", ...members }),
      400, "invalid_field", field);
  }
});

// --- drafts ---------------------------------------------------------------------------------------

const DRAFTS_SEND = "gmail.users.drafts.send";

for (const [name, fault, attempts] of [
  ["is lost", { kind: "cut", when: "after" }, 1],
  ["is lost before Gmail reads the request", { kind: "cut", when: "before" }, 2],
  ["is cut short", { kind: "truncate" }, 1],
  ["is a 503 though it was sent", { status: 503, when: "after" }, 1],
  ["is a 503 and it was not sent", { status: 503 }, 2],
]) {
  test(`an answer to drafts.send that ${name} is settled`, async (t) => {
    const { google, service } = await startOnGoogle(t);
    const id = await service.draft();
    google.fault({ method: DRAFTS_SEND, count: 1, ...fault });
    const sent = await service.post("/send-draft", { draft_id: id });
    assert.equal(sent.status, 200, sent.text);
    assert.equal(google.mails().length, 1);
    assert.equal(sent.json.message_id, google.mails()[0].id);
    assert.equal(sent.json.thread_id, google.mails()[0].threadId);
    assert.equal(google.drafts().length, 0);
    assert.equal(google.calls(DRAFTS_SEND).length, attempts);
    assert.equal((await service.document(id)).status, "sent");
  });
}

test("a refused draft leaves nothing in the mailbox", async (t) => {
  const { google, service } = await startOnGoogle(t);
  const id = await service.draft();
  google.fault({ method: DRAFTS_SEND, status: 400, reason: "invalidArgument", message: "No." });
  assertRefused(await service.post("/send-draft", { draft_id: id }), 502, "gmail_error");
  assert.equal(google.drafts().length, 0);
  const draft = await service.document(id);
  assert.equal(draft.status, "pending");
  assert.equal(draft.gmail_draft_id, undefined);
  google.faults.clear();
  const sent = await service.post("/send-draft", { draft_id: id });
  assert.equal(sent.status, 200, sent.text);
  assert.equal(google.mails().length, 1);
});

test("with a grant to send alone drafts leave as they are, with a warning", async (t) => {
  const { google, service } = await startOnGoogle(t, { GMAIL_SCOPES: scope("gmail.send") });
  const id = await service.draft();
  const sent = await service.post("/send-draft", { draft_id: id });
  assert.equal(sent.status, 200, sent.text);
  assert.equal(sent.json.message_id, google.mails()[0].id);
  assert.deepEqual(Object.keys(counts(google)).filter((name) => name.startsWith("gmail.")),
    ["gmail.users.messages.send"]);
  await service.event((e) => e.severity === "WARNING" && /gmail\.compose/.test(e.error));
});

test("a large answer is uploaded with its thread", async (t) => {
  const { google, service } = await startOnGoogle(t);
  const { threadId } = await google.receive(MAILBOX, QUESTION);
  const content = Buffer.alloc(4 * 1024 * 1024, "paraph ").toString("base64");
  const attachments = [{ filename: "big.txt", content }];
  const sent = await service.post("/", { ...HELLO, mode: "send", thread_id: threadId, attachments });
  assert.equal(sent.status, 200, sent.text);
  assert.equal(sent.json.thread_id, threadId);
  assert.equal(google.mails()[0].read.mailparser.attachments[0].content.length, 4 * 1024 * 1024);
});

test("no more sends are under way at once than GMAIL_CONCURRENCY says", async (t) => {
  const { google, service } = await startOnGoogle(t,
    { GMAIL_CONCURRENCY: "2", ENABLE_TRACKING: "false" });
  await service.post("/", { ...HELLO, mode: "send" });
  google.fault({ method: "gmail.users.messages.send", kind: "delay", ms: 30, count: Infinity });
  const replies = await Promise.all(Array.from({ length: 20 }, () =>
    service.post("/", { ...HELLO, mode: "send" })));
  assert.ok(replies.every(({ status }) => status === 200));
  const most = Math.max(...google.calls("gmail.users.messages.send").map((call) => call.concurrent));
  assert.equal(most, 2);
});
