// What is kept in Firestore: with Google's own client on the other side, with sizes that are near
// the limits, with many at once. On the stand-in, and by emulated.mjs on Google's emulator.

import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { test } from "node:test";
import { FieldValue, GeoPoint, Timestamp } from "@google-cloud/firestore";
import { start } from "../e2e/lib/backends.mjs";
import { standIn } from "../e2e/lib/google.mjs";
import { firestore } from "../e2e/lib/firestore.mjs";
import * as program from "../e2e/lib/service.mjs";

const { assertRefused, patientPixel } = program;

const MIB = 1024 * 1024;

async function collections(service) {
  const db = await service.world.db();
  return { db, drafts: db.collection("email_drafts"), opens: db.collection("email_opens") };
}

async function listAll(service, query) {
  const found = [];
  let token = null;
  do {
    const more = token ? `&page_token=${encodeURIComponent(token)}` : "";
    const page = await service.get(`/drafts?${query}${more}`);
    assert.equal(page.status, 200, page.text);
    found.push(...page.json.drafts);
    token = page.json.next_page_token;
  } while (token !== null);
  return found;
}

// --- documents of ours ----------------------------------------------------------------------------

test("a draft, as Google's client reads it", async (t) => {
  const service = await start(t);
  const { drafts, opens } = await collections(service);
  const body = '{"to":"ann@example.com","subject":"Zoë","message":"Hi","tracking":true,' +
    '"metadata":{"int":9007199254740993,"double":2.0,"none":null,"yes":true,"list":[],"map":{},' +
    '"deep":[{"a":[1,"x",null]},[2]]},"attachments":[{"filename":"a.bin","content":"AAECAw=="}]}';
  const made = await service.request("POST", "/",
    { body, headers: { "Content-Type": "application/json" } });
  assert.equal(made.status, 200, made.text);
  const document = drafts.doc(made.json.draft_id);

  const draft = (await document.get()).data();
  assert.ok(draft.created_at instanceof Timestamp);
  assert.deepEqual([draft.to, draft.subject, draft.body, draft.status],
    ["ann@example.com", "Zoë", "Hi", "pending"]);
  assert.equal(draft.tracking, true);
  assert.deepEqual(draft.metadata, { // a BigInt is an integer, a number a double
    int: 9007199254740993n, double: 2, none: null, yes: true, list: [], map: {},
    deep: [{ a: [1n, "x", null] }, { "[]": [2n] }],
  });
  assert.deepEqual(draft.attachments, [{ filename: "a.bin", size: 4n }]);
  const parts = await document.collection("parts").get();
  assert.deepEqual(parts.docs.map((part) => part.data()), [{ bytes: Buffer.from([0, 1, 2, 3]) }]);

  const sent = await service.post("/send-draft", { draft_id: document.id });
  assert.equal(sent.status, 200, sent.text);
  const after = (await document.get()).data();
  assert.ok(after.sent_at instanceof Timestamp && after.reviewed_at instanceof Timestamp);
  assert.deepEqual([after.status, after.message_id, after.pixel_id, after.attempt],
    ["sent", sent.json.message_id, sent.json.pixel_id, 1n]);
  assert.ok(!("sending_since" in after || "error" in after), JSON.stringify(Object.keys(after)));

  const pixel = opens.doc(sent.json.pixel_id);
  const fresh = (await pixel.get()).data();
  assert.ok(fresh.created_at instanceof Timestamp);
  assert.deepEqual([fresh.open_count, fresh.first_opened_at, fresh.last_opened_at, fresh.draft_id],
    [0n, null, null, document.id]);
  for (let i = 0; i < 2; i++) await service.get(`/pixel?id=${pixel.id}`);
  const opened = (await pixel.get()).data();
  assert.equal(opened.open_count, 2n);
  assert.ok(opened.first_opened_at instanceof Timestamp);
  assert.ok(opened.first_opened_at.valueOf() < opened.last_opened_at.valueOf());
  assert.deepEqual(service.world.google.problems, []);
});

// --- documents of others --------------------------------------------------------------------------

const OLD = {
  to: "ann@example.com", subject: "Old", body: "From before", status: "pending",
  created_at: new Timestamp(1735787045, 678912345),
};

// As it was, or what is otherwise; undefined: without it.
const old = (more = {}) => Object.fromEntries(
  Object.entries({ ...OLD, ...more }).filter(([, value]) => value !== undefined));

test("values of every type, as Google's client writes them", async (t) => {
  const service = await start(t);
  const { drafts } = await collections(service);
  const id = randomUUID();
  const vector = process.env.TEST_ON === "emulator" && { vector: FieldValue.vector([1, 2.5]) };
  await drafts.doc(id).set(old({
    metadata: {
      double: 1.5, nan: NaN, most: Infinity, least: -Infinity, tenth: 0.1, vast: 1e23,
      largest: Number.MAX_VALUE, smallest: 5e-324, third: 1 / 3,
      int: 9007199254740993n, min: -9223372036854775808n, none: null, yes: true,
      point: new GeoPoint(1.5, 0), ref: drafts.doc("x"), bytes: Buffer.from("hi"),
      at: new Timestamp(-62135596800, 0), list: [], map: {}, "a.b": 1, "é`\\": 2, ...vector,
    },
  }));
  const { json: { draft }, text } = await service.get(`/drafts/${id}`);
  assert.equal(draft.created_at, "2025-01-02T03:04:05.678912Z");
  for (const digits of ['"int":9007199254740993', '"min":-9223372036854775808']) {
    assert.ok(text.includes(digits), text);
  }
  const { int, min, ref, vector: vectorRead, ...metadata } = draft.metadata;
  assert.ok(int && min);
  assert.match(ref, /^projects\/.*\/databases\/\(default\)\/documents\/email_drafts\/x$/);
  assert.deepEqual(metadata, {
    double: 1.5, nan: "NaN", most: "Infinity", least: "-Infinity", tenth: 0.1, vast: 1e23,
    largest: Number.MAX_VALUE, smallest: 5e-324, third: 1 / 3, none: null, yes: true,
    point: { latitude: 1.5, longitude: 0 }, bytes: "aGk=", at: "0001-01-01T00:00:00.000000Z",
    list: [], map: {}, "a.b": 1, "é`\\": 2,
  });
  assert.deepEqual(vectorRead, vector ? { __type__: "__vector__", value: [1, 2.5] } : undefined);

  const before = (await drafts.doc(id).get()).get("metadata");
  assert.equal((await service.patch(`/drafts/${id}`, { subject: "New" })).status, 200);
  assert.equal((await service.post("/send-draft", { draft_id: id })).status, 200);
  assert.deepEqual((await drafts.doc(id).get()).get("metadata"), before, "it was rewritten");
});

const ONE_PART = [{ filename: "a.txt", size: 3 }];

// What others may have left in a draft, and what becomes of it when it is to be sent: it is, or
// there is a refusal with this code.
const ODD = [
  [{}, "sent"],
  [{ created_at: undefined }, "sent", "not listed"],
  [{ created_at: null }, "sent"],
  [{ created_at: "yesterday" }, "sent"],
  [{ created_at: NaN }, "sent"],
  [{ created_at: { a: { b: { c: { d: 1 } } } } }, "sent"],
  [{ created_at: [1] }, "sent"],
  [{ created_at: new GeoPoint(0, 0) }, "sent"],
  [{ created_at: Buffer.from("now") }, "sent"],
  [{ created_at: "x".repeat(100_000) }, "sent"],
  [{ created_at: new Timestamp(253402300799, 999999999) }, "sent"],
  [{ status: undefined }, "conflict"],
  [{ status: null }, "conflict"],
  [{ status: 5 }, "conflict"],
  [{ status: "lost" }, "conflict"],
  [{ status: "sending" }, "already_sent"], // nobody holds it, so the sweep may be first
  [{ status: "sending", sending_since: 7, attempt: "x" }, "already_sent"],
  [{ status: "sending", sending_since: Timestamp.now() }, "in_progress"],
  [{ status: "sent", sent_at: 5, message_id: {} }, "already_sent"],
  [{ status: "rejected", reject_reason: 7 }, "rejected"],
  [{ to: undefined }, "invalid_field"],
  [{ to: null }, "invalid_field"],
  [{ to: 5 }, "invalid_field"],
  [{ to: "" }, "invalid_recipient"],
  [{ to: "bob@" }, "invalid_recipient"],
  [{ to: ["a@example.com", "b@example.com"] }, "sent"],
  [{ cc: {} }, "invalid_field"],
  [{ subject: undefined }, "invalid_field"],
  [{ subject: {} }, "invalid_field"],
  [{ subject: "a\r\nBcc: eve@example.com" }, "invalid_field"],
  [{ body: undefined }, "invalid_field"],
  [{ body: 5 }, "invalid_field"],
  [{ body: "a\0b" }, "invalid_field"],
  [{ from: 5 }, "invalid_field"],
  [{ format: "weird" }, "invalid_field"],
  [{ tracking: "no" }, "invalid_field"],
  [{ metadata: "x" }, "invalid_field"],
  [{ reply_headers: 5 }, "invalid_field"],
  [{ attachments: "x" }, "invalid_field"],
  [{ attachments: [] }, "sent"],
  [{ attachments: ONE_PART }, "conflict"],
  [{ attachments: ONE_PART, _paraph: { parts: { set: 5 } } }, "firestore_error"],
  [{ attachments: ONE_PART, _paraph: { parts: { set: "gone", sizes: [3] } } }, "firestore_error"],
  [{ _paraph: "x" }, "sent"],
  [{ draft_id: "another", "x y": 1 }, "sent"],
];

test("odd drafts of others are read, listed, and sent or refused", async (t) => {
  const service = await start(t);
  service.described = false; // they are shown as they are
  const { drafts } = await collections(service);
  const rows = ODD.map(([more, fate, listed]) =>
    ({ id: randomUUID(), more, fate, isListed: listed === undefined }));
  await Promise.all(rows.map(({ id, more }) => drafts.doc(id).set(old(more))));
  await drafts.doc("ä".repeat(700)).set(old());

  const wanted = [...rows.filter((row) => row.isListed).map((row) => row.id), "ä".repeat(700)];
  for (const limit of [1, 7, 200]) {
    const ids = (await listAll(service, `limit=${limit}`)).map((draft) => draft.draft_id);
    assert.deepEqual(ids.sort(), [...wanted].sort(), `limit=${limit}`);
  }
  const pending = rows.filter(({ more, isListed }) => !("status" in more) && isListed);
  assert.equal((await listAll(service, "status=pending&limit=2")).length, pending.length + 1);

  for (const { id, more, fate } of rows) {
    await t.test(JSON.stringify(more).slice(0, 80), async () => {
      assert.equal((await service.document(id)).draft_id, id);
      let sent = await service.post("/send-draft", { draft_id: id });
      while (fate === "already_sent" && sent.json.code !== fate) {
        sent = await service.post("/send-draft", { draft_id: id });
      }
      if (fate !== "sent") return assertRefused(sent, sent.status, fate);
      assert.equal(sent.status, 200, sent.text);
      assert.equal((await service.document(id)).status, "sent");
    });
  }
  const unsent = ({ more, fate }) => more.status === "sent" || !fate.endsWith("sent");
  assert.equal(service.world.google.mails().length, rows.filter((row) => !unsent(row)).length);
});

// --- sizes ----------------------------------------------------------------------------------------

const attach = (contents) => contents.map((content, i) =>
  ({ filename: `${i}.bin`, content: content.toString("base64") }));

// Not by a real parser, which takes its time for so much; others read our mail elsewhere.
async function attachedTo(service, id) {
  const { status, text } = await service.get(`/drafts/${id}/message`);
  assert.equal(status, 200, text.slice(0, 300));
  return text.split("\r\n--").map((part) => [part, part.indexOf("\r\n\r\n")])
    .filter(([part, head]) => /^Content-Disposition: attachment/m.test(part.slice(0, head)))
    .map(([part, head]) => Buffer.from(part.slice(head), "base64"));
}

async function sizesOfParts(drafts, id) {
  const parts = await drafts.doc(id).collection("parts").get();
  return parts.docs.map((part) => part.get("bytes").length);
}

const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

test("attachments of 20 MB are kept in parts, replaced and taken away", async (t) => {
  const service = await start(t);
  const { drafts } = await collections(service);
  const large = [randomBytes(12 * MIB), Buffer.alloc(0), randomBytes(8 * MIB + 1)];
  const id = await service.draft({ attachments: attach(large) });
  const sizes = await sizesOfParts(drafts, id);
  assert.equal(sum(sizes), 20 * MIB + 1);
  assert.ok(Math.max(...sizes) < MIB - 100_000, `a part of ${Math.max(...sizes)} bytes`);
  const beside = await start(t, {}, { at: service.world });
  const read = await attachedTo(beside, id);
  assert.deepEqual(read.map((content, i) => content.equals(large[i])), [true, true, true]);

  const smaller = [randomBytes(3 * MIB)];
  const patched = await service.patch(`/drafts/${id}`, { attachments: attach(smaller) });
  assert.equal(patched.status, 200, patched.text);
  assert.equal(sum(await sizesOfParts(drafts, id)), 3 * MIB);
  assert.ok((await attachedTo(beside, id))[0].equals(smaller[0]));

  await service.patch(`/drafts/${id}`, { subject: "New" });
  assert.equal(sum(await sizesOfParts(drafts, id)), 3 * MIB);
  await service.patch(`/drafts/${id}`, { attachments: [] });
  assert.deepEqual(await sizesOfParts(drafts, id), []);
  assert.deepEqual(await attachedTo(beside, id), []);
});

test("the largest draft there can be is read, edited and sent", async (t) => {
  const service = await start(t);
  const message = "é".repeat(448_000); // 896,000 bytes
  const id = await service.draft({ message, tracking: false });
  assert.equal((await service.document(id)).body, message);
  const patched = await service.patch(`/drafts/${id}`, { cc: "bob@example.com" });
  assert.equal(patched.status, 200, patched.text);
  const sent = await service.post("/send-draft", { draft_id: id });
  assert.equal(sent.status, 200, sent.text);
  const more = { to: "ann@example.com", subject: "s", message: "é".repeat(450_000), mode: "draft" };
  assertRefused(await service.post("/", more), 413, "payload_too_large");
});

test("drafts of very many values are listed all the same", async (t) => {
  const service = await start(t);
  const metadata = { list: Array.from({ length: 18_000 }, (_, i) => i % 3 ? {} : i) };
  const ids = [];
  for (let i = 0; i < 8; i++) ids.unshift(await service.draft({ metadata }));
  const found = await listAll(service, "limit=200");
  assert.deepEqual(found.map((draft) => draft.draft_id), ids);
  for (const draft of found) assert.deepEqual(draft.metadata, metadata);
  const more = { list: Array.from({ length: 20_000 }, () => null) };
  assertRefused(await service.post("/", { to: "ann@example.com", subject: "s", message: "m",
    metadata: more, mode: "draft" }), 413, "payload_too_large");
});

// --- many at once ---------------------------------------------------------------------------------

test("of many who replace attachments at once one is left, whole", async (t) => {
  const one = await start(t);
  const two = await start(t, {}, { at: one.world });
  const { drafts } = await collections(one);
  const id = await one.draft({ attachments: attach([randomBytes(MIB)]) });
  const contents = Array.from({ length: 6 }, () => randomBytes(MIB));
  const replies = await Promise.all(contents.map((content, i) =>
    [one, two][i % 2].patch(`/drafts/${id}`, { attachments: attach([content]) })));
  const written = contents.filter((_, i) => replies[i].status === 200);
  for (const reply of replies) if (reply.status !== 200) assertRefused(reply, 409, "conflict");
  const [left] = await attachedTo(two, id);
  assert.ok(written.some((content) => content.equals(left)), `${written.length} were written`);
  assert.equal(sum(await sizesOfParts(drafts, id)), MIB);
});

test("200 opens of one pixel at once, by two processes, are 200", async (t) => {
  const env = { SCRIPTS_DIR: await patientPixel(t) };
  const one = await start(t, env);
  const two = await start(t, env, { at: one.world });
  const { opens } = await collections(one);
  const { json } = await one.post("/",
    { to: "ann@example.com", subject: "s", message: "m", mode: "send" });
  await Promise.all(Array.from({ length: 200 }, (_, i) =>
    [one, two][i % 2].get(`/pixel?id=${json.pixel_id}`)));
  const pixel = opens.doc(json.pixel_id);
  assert.equal((await pixel.get()).get("open_count"), 200n);
  assert.equal((await pixel.collection("opens").get()).size, 200);
});

// --- where it is ----------------------------------------------------------------------------------

test("a database that has a name", async (t) => {
  const service = await start(t, { FIRESTORE_DATABASE: "named" }, { database: "named" });
  const id = await service.draft({ attachments: attach([Buffer.from("x")]) });
  const found = await listAll(service, "status=pending");
  assert.deepEqual(found.map((draft) => draft.draft_id), [id]);
  assert.equal((await service.post("/send-draft", { draft_id: id })).status, 200);
});

// Like Google's own tools: no credentials, no metadata server, no project.
test("an emulator needs no settings but its address", async (t) => {
  let address = process.env.FIRESTORE_EMULATOR_HOST;
  if (!address) {
    const stand = await standIn(t, { emulator: true, project: "paraph-local" });
    address = stand.wires.firestore.address;
  }
  const nowhere = { GCE_METADATA_HOST: "127.0.0.1:1", FIRESTORE_EMULATOR_HOST: address };
  const tracker = await program.start(t,
    { BACKEND: "google", ROLE: "tracker", SCRIPTS_DIR: await patientPixel(t), ...nowhere });
  const db = await firestore(t, "paraph-local", address, async () => "owner")();
  const pixel = db.collection("email_opens").doc(randomUUID());
  await pixel.set({ to: "ann@example.com", subject: "s", open_count: 4 });
  await tracker.get(`/pixel?id=${pixel.id}`);
  assert.equal((await pixel.get()).get("open_count"), 5n);
});
