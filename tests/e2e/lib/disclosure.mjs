// What a service must not tell, looked for in all that it told: secrets in its log and in its answers,
// what people write in its log.
//
// Credentials of requests, tokens of the stand-in for Google, and cookies that are set are found
// without being told; a test adds what else it holds with secret(). What an answer is there to hand
// out (Set-Cookie, the key of `paraph key`) is not searched.

import { secret, secrets } from "../../google/secrets.mjs";

export { secret };

const LEAST = 12; // characters; what is shorter is found by chance
const PIECES = 3; // of a text, the longest lines
const HELD = 4 * 1024 * 1024; // characters of answers, until they are searched

const texts = new Set(); // what people wrote
const spelled = new Set(); // the same, as a log would have it

// As it would be found, encoded or not.
function* spellings(text) {
  yield text;
  yield JSON.stringify(text).slice(1, -1);
  for (const encoding of ["base64", "base64url", "hex"]) {
    for (let skip = 0; skip < 3; skip++) { // a text inside of another begins anywhere in it
      const encoded = Buffer.from(text).subarray(skip).toString(encoding);
      const sure = encoded.slice(0, encoded.length - encoded.length % 4 - 4);
      if (sure.length >= LEAST) yield sure;
    }
  }
}

// Somebody's own words: may be in an answer, never in a log. Returns it.
export function words(text) {
  if (texts.has(text)) return text;
  texts.add(text);
  const lines = text.split(/[\r\n]+/).map((line) => line.trim().slice(0, 200))
    .filter((line) => line.length >= LEAST).sort((a, b) => b.length - a.length);
  for (const line of lines.slice(0, PIECES)) {
    for (const spelling of spellings(line)) spelled.add(spelling);
  }
  return text;
}

const strings = (value) => (typeof value === "string" ? [value]
  : Object.values(value ?? {}).flatMap(strings));

// What of a request is secret, or somebody's own.
export function noteRequest(headers, json) {
  for (const [name, value] of new Headers(headers)) {
    if (/^(x-serverless-)?authorization$/.test(name)) secret(value.replace(/^\S+\s+/, ""));
    if (["x-api-key", "x-goog-iap-jwt-assertion"].includes(name)) secret(value);
    if (name !== "cookie") continue;
    for (const pair of value.split(/;\s*/)) secret(pair.replace(/^[^=]*=/, ""));
  }
  const { message, vars, metadata, attachments } = json ?? {};
  strings([message, vars, metadata]).forEach(words);
  if (Array.isArray(attachments)) strings(attachments.map((one) => one?.content)).forEach(words);
}

// The same of one that is written by hand.
export function noteRaw(bytes) {
  const [head] = bytes.toString("latin1").split("\r\n\r\n");
  for (const [, name, value] of head.matchAll(/^(authorization|x-api-key|cookie): *(.*?)\r?$/gim)) {
    noteRequest([[name, value]]);
  }
}

function search(text, wanted, where) {
  for (const one of wanted) {
    const at = text.indexOf(one);
    if (at < 0) continue;
    const around = text.slice(Math.max(0, at - 200), at + one.length + 20);
    throw new Error(`${where} tells '${one}':\n…${around}…`);
  }
}

// The log of one process, or whatever else it writes.
export function assertLogTellsNothing(text) {
  search(text, secrets, "the log");
  search(text, spelled, "the log");
}

// The answers of one service: bounded, so that what is full is searched before there is more.
export class Answers {
  #held = [];
  #size = 0;

  note(status, headers, body) {
    const lines = [];
    for (const [name, value] of headers) {
      if (name === "set-cookie") secret(value.replace(/^[^=]*=/, "").replace(/;.*/, ""));
      else lines.push(`${name}: ${value}`);
    }
    this.noteText(`${status}\n${lines.join("\n")}\n\n${body}`);
  }

  noteText(text) {
    this.#held.push(text);
    this.#size += text.length;
    if (this.#size > HELD) this.assertTellNothing();
  }

  assertTellNothing() {
    const text = this.#held.join("\n");
    this.#held = [];
    this.#size = 0;
    search(text, secrets, "an answer");
  }
}
