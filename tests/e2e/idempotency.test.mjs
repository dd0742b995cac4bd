// Idempotency-Key, over HTTP: one request, however often it is repeated, by however many, to
// however many instances. What a crash does to it is in idempotency_crash.test.mjs.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { backends } from "./lib/backends.mjs";
import { assertRefused, overlay, put, start } from "./lib/service.mjs";

const letter = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!", mode: "send" };
const keyed = (key) => ({ headers: { "Idempotency-Key": key } });

const REPLAYED = "idempotency-replayed";

function assertReplay(reply, first) {
  assert.equal(reply.status, first.status, reply.text);
  assert.equal(reply.text, first.text);
  assert.equal(reply.headers.get("content-type"), first.headers.get("content-type"));
  assert.equal(reply.headers.get(REPLAYED), "true");
}

function assertFirst(reply) {
  assert.equal(reply.status, 200, reply.text);
  assert.equal(reply.headers.get(REPLAYED), null);
}

// One request was carried out; every other one was told so, or has its answer.
function assertOnce(replies) {
  const firsts = replies.filter((r) => r.status === 200 && r.headers.get(REPLAYED) === null);
  assert.equal(firsts.length, 1);
  for (const reply of replies) {
    if (reply === firsts[0]) continue;
    if (reply.status === 200) assertReplay(reply, firsts[0]);
    else assertRefused(reply, 409, "in_progress");
  }
  return firsts[0];
}

for (const [name, backend] of Object.entries(backends)) {
  const on = (what, body) => test(`${name}: ${what}`, async (t) => {
    const world = await backend(t);
    await body(t, world, await start(t, world.env));
  });

  on("the same request has the same answer, and is done once", async (t, world, service) => {
    const key = keyed(randomUUID());
    const sent = await service.post("/", letter, key);
    assertFirst(sent);
    assert.deepEqual(Object.keys(sent.json).sort(),
      ["id", "mode", "pixel_id", "status", "thread_id"]);
    assertReplay(await service.post("/", letter, key), sent);
    assert.deepEqual(await world.subjects(), ["Hello"]);

    const { drafts } = (await service.get("/drafts")).json;
    assert.equal(drafts.length, 1);
    assert.equal(drafts[0].status, "sent");
    assert.equal(drafts[0].mode, "send");
    assert.equal(drafts[0].message_id, sent.json.id);

    assertFirst(await service.post("/", letter, keyed(randomUUID())));
    assertFirst(await service.post("/", letter));
    assertFirst(await service.post("/", letter));
    assert.equal((await world.subjects()).length, 4);
    if (world.google) assert.deepEqual(world.google.problems, []);
  });

  on("a draft is made once, and sent once", async (t, world, service) => {
    const key = keyed("order 42");
    const draft = { ...letter, mode: "draft" };
    const made = await service.post("/", draft, key);
    assertFirst(made);
    assertReplay(await service.post("/", draft, key), made);
    assert.equal((await service.get("/drafts")).json.drafts.length, 1);

    const id = made.json.draft_id;
    const sent = await service.post("/send-draft", { draft_id: id }, key);
    assertFirst(sent);
    assertReplay(await service.post("/send-draft", { draft_id: id }, key), sent);
    assertReplay(await service.post("/", draft, key), made);
    assertRefused(await service.post("/send-draft", { draft_id: id }), 409, "already_sent");
    assert.deepEqual(await world.subjects(), ["Hello"]);
  });

  on("another body is a conflict, be it the same JSON", async (t, world, service) => {
    const key = keyed(randomUUID());
    const sent = await service.post("/", letter, key);
    assertFirst(sent);
    const other = await service.post("/", { ...letter, subject: "Other" }, key);
    assertRefused(other, 409, "idempotency_conflict");
    const spaced = await service.request("POST", "/", {
      body: JSON.stringify(letter, null, 1),
      headers: { "Content-Type": "application/json", ...key.headers },
    });
    assertRefused(spaced, 409, "idempotency_conflict");
    assertReplay(await service.post("/", letter, key), sent);
    assert.deepEqual(await world.subjects(), ["Hello"]);
  });

  on("fifty at once, to two instances", async (t, world, service) => {
    const services = [service, await start(t, world.env)];
    for (const [path, json] of [
      ["/", letter], ["/", { ...letter, subject: "Draft", mode: "draft" }],
      ["/send-draft", { draft_id: await service.draft({ subject: "Reviewed" }) }],
    ]) {
      const key = keyed(randomUUID());
      const first = assertOnce(await Promise.all(Array.from({ length: 50 }, (_, i) =>
        services[i % 2].post(path, json, key))));
      for (const one of services) assertReplay(await one.post(path, json, key), first);
    }
    assert.deepEqual((await world.subjects()).sort(), ["Hello", "Reviewed"]);
    const { drafts } = (await service.get("/drafts")).json;
    assert.deepEqual(drafts.map(({ subject, status }) => `${subject}: ${status}`).sort(),
      ["Draft: pending", "Hello: sent", "Reviewed: sent"]);
  });

  on("what was refused leaves the key free", async (t, world, service) => {
    const key = keyed(randomUUID());
    assertRefused(await service.post("/", { ...letter, to: "ann@" }, key), 400,
      "invalid_recipient", "to");
    assertRefused(await service.post("/", { ...letter, too: "x" }, key), 400, "unknown_field");
    const text = await service.request("POST", "/",
      { body: "{", headers: { "Content-Type": "application/json", ...key.headers } });
    assertRefused(text, 400, "malformed_json");
    assertRefused(await service.post("/send-draft", { draft_id: randomUUID() }, key), 404,
      "draft_not_found");
    const sent = await service.post("/", letter, key);
    assertFirst(sent);
    assertReplay(await service.post("/", letter, key), sent);
    assert.deepEqual(await world.subjects(), ["Hello"]);
  });
}

// --- keys ----------------------------------------------------------------------------------------

test("a key is 1 to 255 printable ASCII characters", async (t) => {
  const service = await start(t);
  const ask = async (field) => {
    const body = JSON.stringify({ ...letter, mode: "draft" });
    const answer = await service.raw(Buffer.from("POST / HTTP/1.1\r\nHost: x\r\n" +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n` +
      `Connection: close\r\n${field}\r\n\r\n${body}`, "latin1"));
    return { status: Number(answer.slice(9, 12)), json: JSON.parse(answer.split("\r\n\r\n")[1]) };
  };
  for (const key of ["", "   ", "k".repeat(256), "a\tb", "sch\xfcssel", "schl\xc3\xbcssel"]) {
    const { status, json } = await ask(`Idempotency-Key: ${key}`);
    assert.deepEqual([status, json.code, json.field], [400, "invalid_field", "Idempotency-Key"],
      key);
  }
  assert.equal((await service.get("/drafts")).json.drafts.length, 0);
  for (const key of ["k", "k".repeat(255), '"quoted, and with spaces"']) {
    const { status, json } = await ask(`idempotency-key: ${key}`);
    assert.equal(status, 200, json.error);
    assert.equal((await ask(`IDEMPOTENCY-KEY:   ${key}  `)).json.draft_id, json.draft_id);
  }
});

// --- failures ------------------------------------------------------------------------------------

test("a mailbox that refuses for now: the same key tries again", async (t) => {
  const world = await backends.local(t);
  const service = await start(t, world.env);
  const key = keyed(randomUUID());
  for (let i = 0; i < 3; i++) {
    const refused = await service.post("/", { ...letter, to: "tempfail@example.test" }, key);
    assertRefused(refused, 502, "gmail_error");
    assert.equal(refused.headers.get("retry-after"), "30");
  }
  assertRefused(await service.post("/", letter, key), 409, "idempotency_conflict");
  const { drafts } = (await service.get("/drafts")).json;
  assert.deepEqual(drafts.map(({ status, mode, attempt }) => [status, mode, attempt]),
    [["pending", "send", 3]]);
  assert.match(drafts[0].error, /refused for now/);
  assert.deepEqual(await world.subjects(), []);
});

const DRAFTS = "gmail.users.drafts";
const QUOTA = { symptom: "gmail_sending_limit", retryAfterMs: 120000 };

for (const [what, fault, status, code] of [
  ["over its quota", { method: `${DRAFTS}.create`, ...QUOTA }, 429, "rate_limited"],
  ["over its quota when it sends", { method: `${DRAFTS}.send`, ...QUOTA }, 429, "rate_limited"],
  ["down", { method: `${DRAFTS}.create`, status: 503 }, 502, "gmail_error"],
  ["without a store", { method: "firestore.*", status: 503 }, 502, "firestore_error"],
]) {
  test(`a mailbox ${what}: the same key sends later`, async (t) => {
    const world = await backends.google(t);
    const service = await start(t, world.env);
    const key = keyed(randomUUID());
    world.google.fault({ ...fault, count: Infinity });
    for (let i = 0; i < 2; i++) {
      assertRefused(await service.post("/", letter, key), status, code);
    }
    world.google.faults.clear();
    const other = await start(t, world.env); // it knows of no limit
    const sent = await other.post("/", letter, key);
    assertFirst(sent);
    assertReplay(await service.post("/", letter, key), sent);
    assert.deepEqual(await world.subjects(), ["Hello"]);
    assert.deepEqual(await world.waiting(), []);
    assert.deepEqual(world.google.problems, []);
  });
}

test("an outcome that is unknown is settled before anything is sent again", async (t) => {
  for (const when of ["before", "after"]) {
    const world = await backends.google(t);
    const service = await start(t, world.env);
    const key = keyed(randomUUID());
    const send = world.google.fault(
      { method: `${DRAFTS}.send`, kind: "cut", when, count: Infinity });
    world.google.fault({ method: `${DRAFTS}.get`, status: 403, count: Infinity });
    const unknown = await service.post("/", letter, key);
    assertRefused(unknown, 502, unknown.json.code);
    assert.ok(send.hits > 0);
    assertRefused(await service.post("/", letter, key), 409, "in_progress");
    world.google.faults.clear();
    await world.outlive();
    const sent = await service.post("/", letter, key);
    assertFirst(sent);
    assert.equal(sent.json.id, world.google.mails()[0].id);
    assertReplay(await service.post("/", letter, key), sent);
    assert.deepEqual(await world.subjects(), ["Hello"]);
    assert.deepEqual(await world.waiting(), []);
  }
});

test("an outcome that nothing can settle is left to a person", async (t) => {
  const world = await backends.google(t);
  const service = await start(t,
    { ...world.env, GMAIL_SCOPES: "https://www.googleapis.com/auth/gmail.send" });
  const key = keyed(randomUUID());
  world.google.fault({ method: "gmail.users.messages.send", kind: "cut", when: "after" });
  assertRefused(await service.post("/", letter, key), 502, "gmail_error");
  assertRefused(await service.post("/", letter, key), 409, "in_progress");
  await world.outlive();
  const held = await service.post("/", letter, key);
  assertFirst(held);
  assert.equal(held.json.mode, "draft");
  assert.match(held.json.held, /look into the mailbox/);
  assertReplay(await service.post("/", letter, key), held);
  assert.equal((await service.document(held.json.draft_id)).status, "pending");
  assert.deepEqual(await world.subjects(), ["Hello"]);
});

test("a policy that raises holds the send, and the key stays with that", async (t) => {
  const review = (body) =>
    `local review = {}\nfunction review.decide()\n${body}\nend\nreturn review`;
  const scripts = await overlay(t, { "policy/review.lua": review('error("the bug is here")') });
  const world = await backends.local(t);
  const service = await start(t, { ...world.env, SCRIPTS_DIR: scripts });
  const key = keyed(randomUUID());
  const failed = await service.post("/", letter, key);
  assertRefused(failed, 500, "policy_error");
  await service.event((e) => e.request_id === failed.json.request_id &&
    /policy\/review\.lua:3: the bug is here/.test(e.error));

  await put(scripts, "policy/review.lua", review('return "send"'));
  service.signal("SIGHUP");
  await service.event((e) => e.message === "scripts reloaded" && e.generation === 2);
  const held = await service.post("/", letter, key);
  assertFirst(held);
  assert.equal(held.json.held, "policy_error");
  assert.equal(held.json.draft_id, failed.json.draft_id);
  assertReplay(await service.post("/", letter, key), held);
  assert.equal((await service.get("/drafts")).json.drafts.length, 1);
  assert.deepEqual(await world.subjects(), []);
});

test("under the brake a send with a key is a draft, and stays one", async (t) => {
  const world = await backends.local(t);
  const braked = await start(t, { ...world.env, NO_SEND: "true" });
  const key = keyed(randomUUID());
  const held = await braked.post("/", letter, key);
  assertFirst(held);
  assert.equal(held.json.held, "no_send");
  await braked.stop();
  const service = await start(t, world.env);
  assertReplay(await service.post("/", letter, key), held);
  assert.deepEqual(await world.subjects(), []);
});
