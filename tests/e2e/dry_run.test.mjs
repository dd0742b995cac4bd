// paraph send --dry-run: the message as it would leave, and what the rules would make of it; nothing
// leaves, and nothing is written; on each backend.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { world } from "./lib/backends.mjs";
import { pixels, read, withoutDate } from "./lib/mail.mjs";
import { overlay, put, run, temporary, UUID } from "./lib/service.mjs";

const HELLO = ["--to", "Ann <ann@example.com>", "--bcc", "eve@example.com", "--subject", "Grüße",
  "--message", "Es geht um *alles*.", "--format", "markdown"];

const rules = { "policy/review.lua": `
  return { decide = function(letter)
    local verdict = letter.draft.subject:match("^%l+")
    return verdict or "send", "because of its subject", "by subject"
  end }` };

const letter = (subject) => ["--to", "ann@example.com", "--subject", subject, "--message", "Hi"];
const rehearse = (t, at, args, env = {}) =>
  run(t, ["send", "--dry-run", ...args], { ...at.env, ...env });
const bytesOf = ({ stdout }) => Buffer.from(stdout);

// Without what is made up anew for each message.
const likeness = (bytes) => withoutDate(bytes).replaceAll("=\r\n", "")
  .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "UUID").replace(/_[0-9a-f]{16}/g, "_");

// Calls of Google that only look.
const READS = new RegExp(["^metadata\\.", "\\.signJwt$", "^oauth2\\.token$", "\\.getProfile$",
  "\\.get$", "\\.batchGet$", "\\.list$", "\\.runQuery$", "\\.runAggregationQuery$"].join("|"));

// All that is kept anywhere.
async function kept(at) {
  const mails = (await at.mails()).map(({ name }) => name).toSorted();
  const waiting = (await at.waiting()).length;
  if (at.google) return { mails, waiting };
  const { stdout } = await promisify(execFile)("sqlite3",
    [join(at.env.DATA_DIR, "paraph.db"), ".dump"]);
  return { mails, waiting, store: stdout };
}

// What a dry run does must leave no trace.
async function traceless(t, at, action) {
  const before = await kept(at);
  if (at.google) at.google.log = [];
  const result = await action();
  assert.deepEqual(await kept(at), before);
  if (at.google) {
    assert.ok(at.google.log.length > 0);
    assert.deepEqual(at.google.log.map(({ method }) => method).filter((m) => !READS.test(m)), []);
  }
  return result;
}

test("the message is the one that a send lets out, and nothing else is printed", async (t) => {
  const at = await world(t);
  const dir = await temporary(t);
  await put(dir, "offer.pdf", "%PDF-1.4");
  const args = [...HELLO, "--attach", join(dir, "offer.pdf")];
  const sent = await run(t, ["send", ...args], at.env);
  assert.equal(sent.code, 0, sent.stderr);
  const [mail] = await at.mails();
  const { code, stdout, stderr } = await traceless(t, at, () => rehearse(t, at, args));
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(likeness(Buffer.from(stdout)), likeness(mail.bytes));
  await read(Buffer.from(stdout), ({ to, subject, html, attachments }) => {
    assert.deepEqual(to, [{ name: "Ann", address: "ann@example.com" }]);
    assert.equal(subject, "Grüße");
    assert.equal(pixels(html).length, 1);
    assert.equal(attachments[0].content.toString(), "%PDF-1.4");
  });
});

test("what would be held or refused is shown all the same, with the rule", async (t) => {
  const at = await world(t);
  const env = { SCRIPTS_DIR: await overlay(t, rules) };
  assert.equal((await run(t, ["send", ...HELLO], at.env)).code, 0); // so that there is a store
  for (const [subject, told, exit] of [["hold it", "it would be held", 0],
    ["refuse it", "it would be refused", 1]]) {
    const shown = await traceless(t, at, () => rehearse(t, at, letter(subject), env));
    assert.equal(shown.code, exit, shown.stderr);
    assert.equal(shown.stderr, `paraph send: ${told}: because of its subject ` +
      "(by subject, policy/review.lua:2)\n");
    await read(bytesOf(shown), (mail) => assert.equal(mail.subject, subject));
  }
  const braked = await traceless(t, at, () => rehearse(t, at, letter("Hi"), { NO_SEND: "1" }));
  assert.equal(braked.code, 0);
  assert.equal(braked.stderr, "paraph send: it would be held: no_send (NO_SEND, environment)\n");
  await read(bytesOf(braked), (mail) => assert.equal(mail.subject, "Hi"));
});

test("a draft is shown as a review would let it out", async (t) => {
  const at = await world(t);
  const shown = await rehearse(t, at, [...HELLO, "--draft"]);
  assert.deepEqual([shown.code, shown.stderr], [0, ""]);
  await read(bytesOf(shown), ({ subject, html }) => {
    assert.equal(subject, "Grüße");
    assert.match(html.match(/pixel\?id=([0-9a-f-]+)/)[1], UUID);
  });
  assert.deepEqual(await at.mails(), []);
});

test("an answer is found in the mailbox, and a key is not used up", async (t) => {
  const at = await world(t);
  const { thread_id: thread, in_reply_to: id } = await at.thread();
  const args = [...HELLO, "--thread-id", thread, "--in-reply-to", id, "--idempotency-key", "k"];
  const shown = await rehearse(t, at, args);
  assert.deepEqual([shown.code, shown.stderr], [0, ""]);
  await read(bytesOf(shown), (mail) => assert.equal(mail.inReplyTo, "x@example.com"));
  const sent = await run(t, ["send", ...args], at.env);
  assert.match(sent.stdout, /^sent: message /);
  assert.equal((await at.mails()).length, 1);
  const again = await rehearse(t, at, args);
  assert.deepEqual([again.code, again.stderr], [0, ""]);
  await read(bytesOf(again), (mail) => assert.equal(mail.subject, "Grüße"));
});

test("what cannot be built is an error, and prints no message", async (t) => {
  const at = await world(t);
  for (const [args, told] of [
    [["--to", "nobody", "--subject", "x", "--message", "y"], /invalid_recipient: to: 'nobody'/],
    [[...letter("x"), "--template", "y"], /template: goes in place of message/],
  ]) {
    const { code, stdout, stderr } = await rehearse(t, at, args);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, told);
  }
});
