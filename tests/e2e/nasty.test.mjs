// 300 messages that nobody would write, sent, and read back field by field by both parsers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { read, trimmed } from "./lib/mail.mjs";
import { random } from "./lib/random.mjs";
import { assertRefused, file, start } from "./lib/service.mjs";

const SEED = Number(process.env.SEED ?? 20260301);
const MESSAGES = 300;

const service = await start(file, { LOCAL_SIGNATURE: "<i>sig</i>" });
const { below, between, bytes, chance, pick } = random(SEED);
const many = (n, make) => Array.from({ length: n }, make);

// What breaks encoders: sequences that must stay together, characters that mean something in
// headers, both directions, every length of UTF-8. (No U+FEFF: postal-mime drops one that begins an
// encoded word.)
const PIECES = [
  "a", "Z", "0", " ", "  ", "\u00a0", "=", "?", "=?", "?=", "=?utf-8?Q?x?=", "_", "\"", "\\", "'",
  ",", ";", ":", "<", ">", "(", ")", "@", "[", "]", ".", "%", "&", "&amp;", "#", "*", "~", "\u0300",
  "e\u0301", "n\u0303\u0323", "Z\u0351\u036b\u0343", "ß", "ü", "Ж", "中文", "日本語", "한국어", "ไทย",
  "नमस्ते", "עברית", "العربية", "\u202eabc\u202c", "\u200b", "\u200d", "\u00ad", "👍🏽",
  "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "🇫🇷🇩🇪", "1️⃣", "🫠", "𝔘𝔫𝔦", "\u{10ffff}", "\ufffd", "ﷺ", "ǅ", "Bcc: x",
  "Content-Type: text/html", "--", "--=_boundary", "averyveryverylongwordthatdoesnotbreak",
];
const LINES = [
  "", " ", "\t", ".", "..", "From here", ">From", "-- ", "--", "=", "=20", "trailing ",
  "trailing\t", "x".repeat(75), "x".repeat(76), "x".repeat(77), "x".repeat(998), "x".repeat(999),
  "é".repeat(1500), "中".repeat(400), "👨‍👩‍👧‍👦".repeat(60), "a b ".repeat(700), "\u2028", "Subject: not a header",
];

const word = (max) => many(between(1, max), () => pick(PIECES)).join("");

// A text of one line; white space at its ends belongs to nobody.
const line = (max) => word(max).trim() || "x";

// The first `max` units of it, without half a character at the end.
const cut = (text, max) => text.slice(0, max).replace(/[\ud800-\udbff]$/, "").trim() || "x";

// A length that puts a character of several bytes at every column of a folded line in turn.
const atColumn = (i) => "x".repeat(i % 90) + pick(["é", "中", "👍🏽", "👨‍👩‍👧‍👦", "🇩🇪", "e\u0301"]) +
  "y".repeat(below(90));

const phrase = (name) => `"${name.replace(/["\\]/g, "\\$&")}"`;

function mailboxes(n) {
  return many(n, () => {
    const address = `${pick(["ann", "bob.b", "x+y", "o'neil", "a=b", "q_" + "z".repeat(40)])}${
      below(1000)}@${pick(["example.com", "sub.example.org", `${"d".repeat(60)}.example`])}`;
    return { name: chance(0.7) ? line(12) : "", address };
  });
}

const spelt = (list) =>
  list.map(({ name, address }) => name ? `${phrase(name)} <${address}>` : address);

function attachments() {
  return many(pick([0, 0, 1, 2, 5]), () => ({
    // mailparser takes what looks like an encoded word in a filename for one; RFC 2231 does not.
    filename: cut(line(pick([3, 30])).replaceAll("=?", "="), 80),
    type: pick(["application/octet-stream", "image/png", "application/pdf", "text/x-nasty"]),
    content: chance(0.3) ? Buffer.from(many(256, (_, i) => i)) : bytes(below(500)),
  }));
}

function nasty(i) {
  const html = chance(0.4);
  const body = chance(0.5)
    ? many(between(1, 12), () => chance(0.5) ? pick(LINES) : line(20)).join("\n")
    : atColumn(i);
  return {
    subject: chance(0.5) ? cut(line(30), 400) : atColumn(i),
    fromName: chance(0.5) ? line(10) : "",
    to: mailboxes(pick([1, 1, 2, 20])), cc: mailboxes(pick([0, 1, 3])),
    bcc: mailboxes(pick([0, 0, 2])), replyTo: mailboxes(pick([0, 1])),
    html, body: body.trim() === "" ? "x" : body, attachments: attachments(),
  };
}

function request(m) {
  return {
    to: spelt(m.to), cc: spelt(m.cc), bcc: spelt(m.bcc), reply_to: spelt(m.replyTo),
    from_name: m.fromName || undefined, subject: m.subject, message: m.body,
    format: m.html ? "html" : "text", tracking: false, mode: "send",
    attachments: m.attachments.map(({ filename, type, content }) => ({
      filename, content_type: type, content: content.toString("base64") })),
  };
}

async function send(json) {
  const reply = await service.post("/", json);
  return { reply, mails: await service.newMail() };
}

test(`${MESSAGES} messages, seed ${SEED}`, async () => {
  console.log(`seed ${SEED}`);
  for (let i = 0; i < MESSAGES; i++) {
    const m = nasty(i);
    const { reply, mails } = await send(request(m));
    const what = `message ${i}`;
    assert.equal(reply.status, 200, `${reply.text}: ${what}`);
    assert.equal(mails.length, 1, what);
    await read(mails[0], (mail) => {
      assert.equal(mail.subject, m.subject, what);
      assert.equal(mail.from[0].name, m.fromName, what);
      for (const field of ["to", "cc", "bcc", "replyTo"]) {
        assert.deepEqual(mail[field], m[field], `${field}: ${what}`);
      }
      if (m.html) {
        assert.ok(trimmed(mail.html).startsWith(trimmed(m.body)), what);
      } else {
        assert.ok(trimmed(mail.text).startsWith(trimmed(m.body)), `${mail.text}\n${what}`);
      }
      assert.deepEqual(mail.attachments.map(({ filename, type, content }) =>
        ({ filename, type, content })), m.attachments, what);
    });
  }
});

test("injections into every field", async () => {
  const clean = request({ ...nasty(0), html: false });
  const injections = ["\r\nBcc: eve@evil.example", "\nBcc: eve@evil.example", "\rX: y", "\0",
    "\u2028X: y", "\r\n\r\n<script>", "\u0085X: y", "\u001b[2J"];
  for (const injection of injections) {
    for (const field of ["subject", "from_name", "in_reply_to", "thread_id", "from", "template"]) {
      const json = { ...clean, [field]: `x${injection}` };
      if (field === "template") delete json.message;
      const { reply, mails } = await send(json);
      assertRefused(reply, 400, reply.json.code, field);
      assert.equal(mails.length, 0);
    }
    for (const field of ["to", "cc", "bcc", "reply_to"]) {
      for (const value of [`ann@example.com${injection}`, `"x${injection}" <ann@example.com>`,
        `x <ann@example.com${injection}>`]) {
        const { reply, mails } = await send({ ...clean, [field]: [value] });
        assert.equal(reply.status, 400, `${field}: ${JSON.stringify(value)}`);
        assert.equal(mails.length, 0);
      }
    }
    for (const member of ["filename", "content_type", "content_id"]) {
      const attachment = { filename: "a", content: "YQ==", [member]: `text/plain${injection}` };
      const { reply, mails } = await send({ ...clean, attachments: [attachment] });
      assertRefused(reply, 400, "invalid_field", `attachments[0].${member}`);
      assert.equal(mails.length, 0);
    }
  }
});
