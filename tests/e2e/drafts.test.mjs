// Drafts: made, read, listed, edited, rejected; on each backend.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { start } from "./lib/backends.mjs";
import { assertRefused, file, UUID } from "./lib/service.mjs";

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const letter = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!" };

const service = await start(file);

test("a draft is answered with its id, and nothing leaves", async () => {
  const reply = await service.post("/", { ...letter, mode: "draft" });
  assert.equal(reply.status, 200);
  assert.match(reply.headers.get("content-type"), /^application\/json/);
  const { draft_id: id, ...rest } = reply.json;
  assert.match(id, UUID);
  assert.deepEqual(rest, { status: "ok", mode: "draft" });
  assert.deepEqual(await service.outbox(), []);
});

test("draft is the mode of a request that names none", async () => {
  assert.equal((await service.post("/", letter)).json.mode, "draft");
});

test("SEND_MODE=send sends what names no mode", async (t) => {
  const sender = await start(t, { SEND_MODE: "send" });
  const reply = await sender.post("/", letter);
  assert.equal(reply.json.mode, "send", reply.text);
  assert.equal((await sender.outbox()).length, 1);
  assert.equal((await sender.post("/", { ...letter, mode: "draft" })).json.mode, "draft");
  assert.equal((await sender.outbox()).length, 1);
});

test("a draft is read back with the members of §4", async () => {
  const from = Date.now();
  const id = await service.draft(letter);
  const reply = await service.get(`/drafts/${id}`);
  assert.equal(reply.json.status, "ok");
  const { draft } = reply.json;
  assert.equal(draft.draft_id, id);
  assert.equal(draft.to, letter.to);
  assert.equal(draft.subject, letter.subject);
  assert.equal(draft.body, letter.message);
  assert.equal(draft.status, "pending");
  assert.match(draft.created_at, RFC3339);
  const created = Date.parse(draft.created_at);
  assert.ok(created >= from - 1000 && created <= Date.now() + 1000, draft.created_at);
  for (const later of ["sent_at", "message_id", "sending_since", "error", "reject_reason"]) {
    assert.ok(!draft[later], `${later}: ${draft[later]}`);
  }
});

test("a list of recipients is as long as what is written of it", async () => {
  const to = Array.from({ length: 120 }, (_, i) => `${"N".repeat(900)} <ann${i}@example.com>`);
  for (const mode of ["draft", "send"]) {
    assertRefused(await service.post("/", { ...letter, to, mode }), 400, "invalid_field", "to");
  }
});

test("what is taken can be listed, however deep it is", async () => {
  let metadata = {};
  for (let i = 0; i < 61; i++) metadata = { a: metadata };
  const reply = await service.post("/", { ...letter, metadata, mode: "draft" });
  assert.ok(reply.status === 200 || reply.json.field.startsWith("metadata"), reply.text); // Firestore: 20
  assert.equal((await service.get("/drafts?limit=3")).status, 200);
  if (reply.status !== 200) return;
  const { draft } = (await service.get(`/drafts/${reply.json.draft_id}`)).json;
  assert.deepEqual(draft.metadata, metadata);
  assert.equal((await service.patch(`/drafts/${draft.draft_id}`, { subject: "Lunch" })).status, 200);
});

test("a draft as large as can be can still be rejected", async () => {
  const id = await service.draft({ ...letter, message: "x".repeat(899000) });
  assert.equal((await service.post(`/drafts/${id}/reject`, { reason: "n".repeat(2000) })).status, 200);
});

test("ids are UUIDs in any case", async () => {
  const id = await service.draft();
  assert.equal((await service.get(`/drafts/${id.toUpperCase()}`)).json.draft.draft_id, id);
});

test("the optional members come back by their own names", async () => {
  const more = {
    cc: "bob@example.com", bcc: ["eve@example.com"], reply_to: "Desk <desk@example.com>",
    format: "markdown", from_name: "Zoë", ...await service.world.thread(),
    tracking: false, metadata: { order: { id: "9007199254740993", tags: ["a", null, {}, []] } },
  };
  const draft = await service.document(await service.draft(more));
  for (const [name, value] of Object.entries(more)) assert.deepEqual(draft[name], value, name);
});

test("metadata is given back to the last digit", async () => {
  const body = '{"to":"a@example.com","subject":"s","message":"m","mode":"draft",' +
    '"metadata":{"n":9007199254740993,"m":-9223372036854775808,"r":0.1,"e":[],"o":{}}}';
  const headers = { "Content-Type": "application/json" };
  const made = await service.request("POST", "/", { body, headers });
  assert.equal(made.status, 200, made.text);
  const { text } = await service.get(`/drafts/${made.json.draft_id}`);
  for (const part of ['"n":9007199254740993', '"m":-9223372036854775808', '"r":0.1', '"e":[]',
    '"o":{}']) {
    assert.ok(text.replace(/\s/g, "").includes(part), `${part} is not in ${text}`);
  }
});

test("a number that cannot be carried exactly is refused by name", async () => {
  for (const number of ["9223372036854775808", "1e400", "0.12345678901234567890123"]) {
    const body = '{"to":"a@example.com","subject":"s","message":"m","mode":"draft",' +
      `"metadata":{"answer":${number}}}`;
    const reply = await service.request("POST", "/",
      { body, headers: { "Content-Type": "application/json" } });
    assertRefused(reply, 400, "invalid_field");
    assert.match(reply.json.error + reply.json.field, /answer/);
  }
});

test("recipients in an array are stored as one string", async () => {
  const to = ["ann@example.com", "Bob <bob@example.com>"];
  const draft = await service.document(await service.draft({ to }));
  assert.equal(typeof draft.to, "string");
  for (const address of ["ann@example.com", "bob@example.com"]) {
    assert.ok(draft.to.includes(address), draft.to);
  }
});

test("a draft that is not there", async () => {
  for (const id of [randomUUID(), "nonsense", "%F0%9F%92%A9", "0".repeat(500)]) {
    for (const [method, path, json] of [
      ["GET", `/drafts/${id}`], ["GET", `/drafts/${id}/message`],
      ["PATCH", `/drafts/${id}`, { subject: "x" }],
      ["POST", `/drafts/${id}/reject`, { reason: "x" }],
      ["POST", `/drafts/${id}/test`, { to: "a@example.com" }],
    ]) {
      const reply = await service.request(method, path, { json });
      assertRefused(reply, 404, "draft_not_found");
    }
  }
});

// --- the list ------------------------------------------------------------------------------------

async function pages(service, query, between = () => {}) {
  const ids = [], sizes = [];
  let token = null;
  do {
    const page = await service.get(
      `/drafts?${query}${token ? `&page_token=${encodeURIComponent(token)}` : ""}`);
    assert.equal(page.status, 200, page.text);
    assert.equal(page.json.status, "ok");
    ids.push(...page.json.drafts.map((draft) => draft.draft_id));
    sizes.push(page.json.drafts.length);
    token = page.json.next_page_token;
    assert.ok(token === null || (typeof token === "string" && token !== ""), String(token));
    await between();
  } while (token !== null);
  return { ids, sizes };
}

test("the list is newest first, and pages stay right while drafts are added", async (t) => {
  const service = await start(t);
  const made = [];
  for (let i = 0; i < 7; i++) made.unshift(await service.draft({ subject: `Number ${i}` }));
  const { ids, sizes } =
    await pages(service, "limit=3", () => service.draft({ subject: "meanwhile" }));
  assert.deepEqual(ids, made);
  assert.deepEqual(sizes, [3, 3, 1]);
});

test("a page that is exactly full", async (t) => {
  const service = await start(t);
  for (let i = 0; i < 4; i++) await service.draft();
  const { ids } = await pages(service, "limit=2");
  assert.equal(new Set(ids).size, 4);
});

test("an empty list", async (t) => {
  const empty = await start(t);
  assert.deepEqual((await empty.get("/drafts")).json,
    { status: "ok", drafts: [], next_page_token: null });
});

test("50 drafts a page unless asked otherwise, 200 at most", async (t) => {
  const service = await start(t);
  await Promise.all(Array.from({ length: 55 }, (_, i) => service.draft({ subject: `n${i}` })));
  assert.equal((await service.get("/drafts")).json.drafts.length, 50);
  assert.equal((await service.get("/drafts?limit=200")).json.drafts.length, 55);
  for (const limit of ["0", "201", "-1", "x", "", "1.5", "1e1", "99999999999999999999", "%zz",
    "%ff", "1%00"]) {
    assertRefused(await service.get(`/drafts?limit=${limit}`), 400, "invalid_field", "limit");
  }
});

test("a parameter that nobody knows", async () => {
  for (const [query, field] of [["x=1", "x"], ["Limit=1", "Limit"], ["%zz=1", "%zz"],
    ["%ff", "%ff"], ["a%0a=", "a\n"]]) {
    assertRefused(await service.get(`/drafts?${query}`), 400, "unknown_field", field);
  }
});

test("drafts by status", async (t) => {
  const service = await start(t);
  const [a, b, c] = [await service.draft(), await service.draft(), await service.draft()];
  await service.post("/send-draft", { draft_id: b });
  await service.post(`/drafts/${c}/reject`, { reason: "no" });
  assert.deepEqual((await pages(service, "status=pending")).ids, [a]);
  assert.deepEqual((await pages(service, "status=sent")).ids, [b]);
  assert.deepEqual((await pages(service, "status=rejected")).ids, [c]);
  assert.deepEqual((await pages(service, "status=sending")).ids, []);
  assertRefused(await service.get("/drafts?status=lost"), 400, "invalid_field", "status");
});

test("a page token that is none of ours", async () => {
  for (const token of ["x", "AAAA", "%27%20OR%201=1", "=".repeat(300), "%F0%9F%92%A9"]) {
    const reply = await service.get(`/drafts?page_token=${token}`);
    assertRefused(reply, 400, "invalid_field", "page_token");
  }
});

// --- editing -------------------------------------------------------------------------------------

test("a pending draft is edited under the names of POST /", async () => {
  const id = await service.draft({ cc: "bob@example.com" });
  const before = await service.document(id);
  const reply = await service.patch(`/drafts/${id}`, { message: "Hi again", subject: "Re" });
  assert.equal(reply.status, 200, reply.text);
  assert.equal(reply.json.status, "ok");
  assert.deepEqual(reply.json.draft, await service.document(id));
  assert.equal(reply.json.draft.body, "Hi again");
  assert.equal(reply.json.draft.subject, "Re");
  assert.equal(reply.json.draft.cc, "bob@example.com");
  assert.equal(reply.json.draft.created_at, before.created_at);
  assert.equal(reply.json.draft.draft_id, id);
  const message = await service.get(`/drafts/${id}/message`);
  assert.ok(message.text.includes("Hi again"));
});

test("twenty who edit at once all do", async () => {
  const id = await service.draft();
  const edits = Array.from({ length: 20 }, (_, i) => ({ metadata: { edit: i } }));
  const replies = await Promise.all(edits.map((edit) => service.patch(`/drafts/${id}`, edit)));
  for (const [i, reply] of replies.entries()) {
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual(reply.json.draft.metadata, { edit: i });
  }
});

test("attachments are replaced and taken away", async () => {
  const id = await service.draft({ attachments: [{ filename: "one.txt", content: "b25l" }] });
  await service.patch(`/drafts/${id}`, { attachments: [{ filename: "two.txt", content: "dHdv" }] });
  let { text } = await service.get(`/drafts/${id}/message`);
  assert.ok(text.includes("two.txt") && text.includes("dHdv") && !text.includes("one.txt"), text);
  await service.patch(`/drafts/${id}`, { attachments: [] });
  ({ text } = await service.get(`/drafts/${id}/message`));
  assert.ok(!text.includes("two.txt"), text);
});

test("what PATCH refuses", async () => {
  const id = await service.draft();
  const kept = await service.document(id);
  const cases = [
    [{ mode: "send" }, "unknown_field", "mode"],
    [{ status: "sent" }, "unknown_field", "status"],
    [{ nonsense: 1 }, "unknown_field", "nonsense"],
    [{ to: "bob@" }, "invalid_recipient", "to"],
    [{ subject: 7 }, "invalid_field", "subject"],
    [{ subject: "" }, "invalid_field", "subject"],
    [{ message: null }, "invalid_field", "message"],
    [{ subject: "a\r\nBcc: eve@example.com" }, "invalid_field", "subject"],
  ];
  for (const [json, code, field] of cases) {
    assertRefused(await service.patch(`/drafts/${id}`, json), 400, code, field);
  }
  assert.deepEqual(await service.document(id), kept);
});

test("a draft is edited only while it is pending", async () => {
  const sent = await service.draft();
  await service.post("/send-draft", { draft_id: sent });
  assertRefused(await service.patch(`/drafts/${sent}`, { subject: "x" }), 409, "already_sent");
  const rejected = await service.draft();
  await service.post(`/drafts/${rejected}/reject`, { reason: "no" });
  assertRefused(await service.patch(`/drafts/${rejected}`, { subject: "x" }), 409, "rejected");
});

// --- rejecting -----------------------------------------------------------------------------------

test("a rejected draft says why, and stays rejected", async () => {
  const id = await service.draft();
  const reply = await service.post(`/drafts/${id}/reject`, { reason: "too early" });
  assert.equal(reply.status, 200, reply.text);
  assert.equal(reply.json.status, "ok");
  assert.equal(reply.json.draft.status, "rejected");
  assert.equal(reply.json.draft.reject_reason, "too early");
  const document = await service.document(id);
  assert.deepEqual(document, reply.json.draft);
  const again = await service.post(`/drafts/${id}/reject`, { reason: "another reason" });
  assert.equal(again.status, 200);
  assert.deepEqual(again.json.draft, document);
  assert.deepEqual(await service.document(id), document);
  assertRefused(await service.post("/send-draft", { draft_id: id }), 409, "rejected");
});

test("reasons that are none", async () => {
  const id = await service.draft();
  for (const reason of [7, [], {}, true, "a\0b", "x".repeat(2001)]) {
    assertRefused(await service.post(`/drafts/${id}/reject`, { reason }), 400, "invalid_field",
      "reason");
  }
  assert.equal((await service.document(id)).status, "pending");
});

test("a sent draft cannot be rejected", async () => {
  const id = await service.draft();
  await service.post("/send-draft", { draft_id: id });
  assertRefused(await service.post(`/drafts/${id}/reject`, { reason: "x" }), 409, "already_sent");
  assert.equal((await service.document(id)).status, "sent");
});

test("drafts survive a restart", async (t) => {
  const first = await start(t);
  const id = await first.draft({ attachments: [{ filename: "a.bin", content: "AAEC" }] });
  const kept = await first.document(id);
  await first.stop();
  const second = await start(t, {}, { at: first.world });
  assert.deepEqual(await second.document(id), kept);
  assert.ok((await second.get(`/drafts/${id}/message`)).text.includes("AAEC"));
});
