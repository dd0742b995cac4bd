// At its most talkative the log tells every exchange with Google, and nothing that is secret: that
// nothing was told is looked at wherever a service ends (lib/disclosure.mjs).

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { secrets } from "../google/secrets.mjs";
import { secret, words } from "./lib/disclosure.mjs";
import { check, MAILBOX, settings, startOnGoogle, standIn } from "./lib/google.mjs";
import { run, temporary } from "./lib/service.mjs";

// What people write: each in a place of its own.
const WORDS = {
  message: "The-wording-of-this-letter-is-nobody-elses-business",
  patched: "Nor-is-what-it-says-after-second-thoughts",
  variable: "Nor-what-is-put-into-a-template",
  attached: "Nor-what-is-attached-to-it",
  metadata: "Nor-what-the-caller-keeps-with-it",
  reason: "Nor-why-somebody-was-against-it",
  received: "Nor-what-others-have-written-to-us",
};
Object.values(WORDS).forEach(words);
const KEY = secret(createHash("sha256").update("an-api-key").digest("hex"));
const RECEIVED = ["From: ann@example.com", `To: ${MAILBOX}`, "Subject: Hello",
  "Message-ID: <first@example.com>", "", WORDS.received, ""].join("\r\n");

const attachments = [{ filename: "a.txt", content: Buffer.from(WORDS.attached).toString("base64") }];
const MESSAGE = { to: "ann@example.com", subject: "Hello", message: WORDS.message, attachments,
  metadata: { status: WORDS.metadata } };

// That the search for them (lib/disclosure.mjs) has something to look for.
function assertInPlay(least) {
  assert.ok(secrets.size >= least, `there were just ${secrets.size} secrets to look for`);
}

// Every route, with all that a caller can give it.
async function callAll(google, service) {
  const { threadId } = await google.receive(MAILBOX, RECEIVED);
  const replies = [];
  const post = async (path, json) => {
    replies.push(await service.post(path, json));
    return replies.at(-1);
  };
  const get = async (path) => { replies.push(await service.get(path)); };

  const id = await service.draft(MESSAGE);
  await get("/drafts");
  await get("/drafts?status=pending");
  await get(`/drafts/${id}`);
  replies.push(await service.patch(`/drafts/${id}`, { message: WORDS.patched }));
  await get(`/drafts/${id}/message`);
  await post(`/drafts/${id}/test`, { to: "me@example.com" });
  const { json: { pixel_id } } = await post("/send-draft", { draft_id: id });
  await get(`/pixel?id=${pixel_id}`);
  await post(`/drafts/${await service.draft(MESSAGE)}/reject`, { reason: WORDS.reason });
  await post("/", { ...MESSAGE, mode: "send", format: "markdown" });
  await post("/", { ...MESSAGE, mode: "send", message: `<p>${WORDS.message}</p>`, format: "html" });
  const template = { template: "welcome", vars: { product: WORDS.variable, name: "Ann" } };
  await post("/", { to: "ann@example.com", subject: "s", ...template, mode: "send" });
  await service.draft({ message: undefined, ...template });
  await post("/", { ...MESSAGE, mode: "send", thread_id: threadId });
  await post("/", { ...MESSAGE, mode: "send", in_reply_to: "first@example.com" });
  for (const path of ["/health", "/ready"]) await get(path);
  for (const { status, text } of replies) assert.equal(status, 200, text);
}

test("every exchange is one event, and none tells a secret", async (t) => {
  const { google, service } = await startOnGoogle(t,
    { LOG_LEVEL: "debug", API_KEYS: `ci=draft:${KEY}` });
  await callAll(google, service);
  await service.stop();
  assertInPlay(8);

  const events = service.log.filter((e) => e.message === "google exchange");
  const times = (list) => list.reduce((n, name) => n.set(name, (n.get(name) ?? 0) + 1), new Map());
  const urls = events.map(({ method, url }) => `${method} ${new URL(url).pathname}`);
  assert.deepEqual(times(urls), times(google.log.map(({ http, path }) => `${http} ${path}`)));
  for (const event of events) {
    assert.equal(event.severity, "DEBUG");
    assert.ok(!Number.isNaN(Date.parse(event.time)) && event.ms >= 0 && event.step);
    assert.equal(event.status, 200);
  }
});

test("the events tell what was asked and answered", async (t) => {
  const { google, service } = await startOnGoogle(t,
    { LOG_LEVEL: "debug", API_KEYS: `ci=draft:${KEY}` });
  await callAll(google, service);
  await service.stop();
  const told = (step) => {
    const event = service.log.find((e) => e.step === step);
    assert.ok(event, `nothing about ${step}`);
    return event;
  };

  const configuration = service.log.find((e) => e.message === "configuration");
  assert.equal(configuration.GMAIL_USER, MAILBOX);
  assert.equal(configuration.GMAIL_URL, google.env().GMAIL_URL);
  assert.equal(configuration.API_KEYS, "(masked)");

  const { request: { payload }, answer: { keyId, signedJwt }, mailbox } = told("signJwt");
  assert.deepEqual([payload.sub, payload.iss, mailbox],
    [MAILBOX, google.settings.serviceAccount, MAILBOX]);
  assert.equal(keyId, (await google.key).keyId);
  assert.match(signedJwt, /^\(masked, \d+ bytes\)$/);

  const exchange = told("token exchange");
  assert.equal(exchange.request.grant_type, "urn:ietf:params:oauth:grant-type:jwt-bearer");
  assert.match(exchange.request.assertion, /^\(masked, \d+ bytes\)$/);
  assert.match(exchange.answer.access_token, /^\(masked, \d+ bytes\)$/);
  assert.equal(exchange.answer.token_type, "Bearer");

  const [identity] = told("Gmail sendAs.list").answer.sendAs;
  assert.deepEqual([identity.sendAsEmail, identity.signature], [MAILBOX, "<p>-- <br>Sam</p>"]);
  const sends = service.log.filter((e) => /Gmail (messages|drafts)\.send/.test(e.step));
  assert.deepEqual(sends.map(({ answer }) => answer.id).sort(),
    google.mails().map(({ id }) => id).sort());
  assert.match(told("Gmail drafts.create").request.message.raw, /^\(masked, \d+ bytes\)$/);
  const [answered] = told("Gmail threads.get").answer.messages;
  assert.match(answered.snippet, /^\(masked, \d+ bytes\)$/);
  assert.ok(answered.payload.headers.some(({ value }) => value === "<first@example.com>"));

  assert.ok(told("Firestore documents.commit").answer.commitTime);
  const drafts = service.log.filter((e) => e.step === "Firestore documents.commit")
    .flatMap((e) => e.request.writes).map(({ update }) => update?.fields)
    .filter((fields) => fields?.body && fields.status);
  assert.ok(drafts.length > 0);
  for (const { status, body } of drafts) {
    assert.deepEqual(status, { stringValue: "pending" });
    assert.match(body, /^\(masked, \d+ bytes\)$/);
  }
});

test("nor does it when Google fails", async (t) => {
  const { google, service } = await startOnGoogle(t, { LOG_LEVEL: "debug" });
  await service.post("/", { ...MESSAGE, mode: "send" });
  for (const fault of [
    { method: "gmail.*", status: 500 }, { method: "gmail.*", symptom: "gmail_auth_error" },
    { method: "gmail.*", kind: "cut", when: "after" }, { method: "gmail.*", kind: "truncate" },
    { method: "firestore.*", symptom: "firestore_permission_denied", count: 1 },
    { method: "gmail.*", symptom: "gmail_insufficient_permissions", count: 1 },
    { method: "gmail.*", status: 400, body: WORDS.message },
  ]) {
    google.fault(fault);
    await service.post("/", { ...MESSAGE, mode: "send" });
    google.faults.clear();
  }
  google.tokens.revoke();
  google.fault({ method: "oauth2.token", symptom: "invalid_jwt_signature" });
  await service.post("/", { ...MESSAGE, mode: "send" });
  await service.stop();
  assertInPlay(8);
  const failed = service.log.filter((e) => e.message === "google exchange" && e.error);
  assert.ok(failed.length >= 7, `${failed.length} failures are told`);
});

test("nor does the check, on a laptop and elsewhere", async (t) => {
  const google = await standIn(t);
  const here = await check(t, google, { LOG_LEVEL: "debug" });
  assert.equal(here.code, 0, here.stdout);

  const path = join(await temporary(t), "adc.json");
  await writeFile(path, JSON.stringify(google.adc()));
  const { GCE_METADATA_HOST, ...env } = settings(google, {
    LOG_LEVEL: "debug", GOOGLE_APPLICATION_CREDENTIALS: path,
    GOOGLE_SERVICE_ACCOUNT_EMAIL: google.settings.serviceAccount,
  });
  assert.ok(GCE_METADATA_HOST);
  google.configure({ delegatedScopes: [] });
  const there = await run(t, ["check", "--live"], env);
  assert.equal(there.code, 1, there.stdout);
  assert.ok(there.log.some((e) => e.step === "token refresh" && e.answer));
  assert.ok(there.log.some((e) => e.step === "generateIdToken" && e.answer));
  assertInPlay(8);
});
