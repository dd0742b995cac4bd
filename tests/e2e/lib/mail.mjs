// Mail as its readers see it: two parsers that have nothing in common with the program, or with
// each other.

import assert from "node:assert/strict";
import { simpleParser } from "mailparser";
import PostalMime from "postal-mime";

function flat(addresses) {
  return (addresses ?? []).flatMap((a) => a.group ?? a)
    .map((a) => ({ name: a.name ?? "", address: a.address }));
}

const bareId = (id) => (id ?? "").replace(/^<|>$/g, "");

// Both see the same things under the same names.
async function byMailparser(bytes) {
  const mail = await simpleParser(bytes, {
    skipHtmlToText: true, skipTextToHtml: true, skipImageLinks: true, skipTextLinks: true,
  });
  const addresses = (field) => flat([mail[field] ?? []].flat().flatMap((list) => list.value));
  return {
    subject: mail.subject ?? "",
    from: addresses("from"),
    to: addresses("to"),
    cc: addresses("cc"),
    bcc: addresses("bcc"),
    replyTo: addresses("replyTo"),
    messageId: bareId(mail.messageId),
    inReplyTo: bareId(mail.inReplyTo),
    date: mail.date,
    text: mail.text ?? "",
    html: mail.html || "",
    attachments: mail.attachments.map((a) => ({
      filename: a.filename ?? null, type: a.contentType, cid: a.cid ?? null,
      inline: a.contentDisposition === "inline", content: Buffer.from(a.content),
    })),
  };
}

async function byPostalMime(bytes) {
  const mail = await PostalMime.parse(bytes);
  return {
    subject: mail.subject ?? "",
    from: flat([mail.from]),
    to: flat(mail.to),
    cc: flat(mail.cc),
    bcc: flat(mail.bcc),
    replyTo: flat(mail.replyTo),
    messageId: bareId(mail.messageId),
    inReplyTo: bareId(mail.inReplyTo),
    date: new Date(mail.date),
    text: mail.text ?? "",
    html: mail.html ?? "",
    attachments: mail.attachments.map((a) => ({
      filename: a.filename ?? null, type: a.mimeType, cid: bareId(a.contentId) || null,
      inline: a.disposition === "inline", content: Buffer.from(a.content),
    })),
  };
}

export const parsers = { mailparser: byMailparser, "postal-mime": byPostalMime };

// What every message must be, whatever is in it (RFC 5322 §2.1.1, RFC 5321 §2.3.8).
export function assertSound(bytes) {
  const text = bytes.toString("latin1");
  assert.ok(!/\r(?!\n)|(?<!\r)\n/.test(text), "a bare CR or LF");
  assert.ok(!text.includes("\0"), "a NUL");
  const long = text.split("\r\n").find((line) => line.length > 998);
  assert.equal(long, undefined, "a line of more than 998 bytes");
  const head = text.slice(0, text.indexOf("\r\n\r\n") + 2);
  for (const name of ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version"]) {
    const count = head.match(new RegExp(`^${name}:`, "gim"))?.length ?? 0;
    assert.equal(count, 1, `${name} stands there ${count} times`);
  }
}

// Run `check(mail, parser)` on what each parser reads.
export async function read(bytes, check) {
  assertSound(bytes);
  for (const [name, parse] of Object.entries(parsers)) {
    try {
      await check(await parse(bytes), name);
    } catch (error) {
      error.message = `as ${name} reads it: ${error.message}`;
      throw error;
    }
  }
}

// Readers end a text with line ends of their own.
export const trimmed = (text) => text.replace(/\r\n/g, "\n").replace(/\n+$/, "");

// The message as a recipient gets it but for what differs at each building.
export function withoutDate(bytes) {
  return bytes.toString("latin1").replace(/^(Date|Message-ID):.*\r\n(?:[ \t].*\r\n)*/gim, "");
}

export const pixels = (html) => html.match(/<img\b[^>]*\/pixel\?id=[^>]*>/g) ?? [];
