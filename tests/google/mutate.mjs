// Answers that are nearly right, for a fault of kind "mutate": by chance that comes again.
//
// What says that a call was refused comes without the call having been processed, as with Google:
// who sends again what was refused must not be blamed. What says that the server failed comes with
// and without.

import { mutateBytes, mutateJson } from "../e2e/lib/mutate.mjs";
import { random } from "../e2e/lib/random.mjs";

// Without 429, which silences a mailbox for seconds: the tests of symptoms have it.
const REFUSALS = [301, 302, 400, 401, 403, 404, 409, 412, 416, 451];
const FAILURES = [500, 502, 503, 504, 599];
const ODD = [201, 202, 204, 206, 299];

const HEADERS = [
  { "Content-Encoding": "gzip" }, { "Content-Encoding": "br, gzip" }, { "Content-Length": "0" },
  { "Content-Length": "7" }, { "Content-Length": "99999" }, { "Content-Length": "-1" },
  { "Content-Length": "18446744073709551616" }, { "Transfer-Encoding": "chunked" },
  { "Content-Type": "text/html" }, { "Content-Type": "" }, { "Retry-After": "0" },
  { "Retry-After": "-1" }, { "Retry-After": "Mon, 99 Foo" }, { "X-Long": "x".repeat(20000) },
  { Location: "http://127.0.0.1:1/" }, { "WWW-Authenticate": 'Bearer error="' }, { Date: "never" },
];
const BODIES = ["", "null", "[]", "{}", "[{}]", '"', "<html>", "\0", '{"error":{}}', '{"error":1}',
  '{"error":{"code":"x","errors":[1,{}],"details":[{"@type":1}],"status":[]}}', "[".repeat(2000)];

export class Mutations {
  #chance;

  #share;

  // The share of the calls whose answers are mutated.
  constructor(seed, share) {
    this.#chance = random(seed);
    this.#share = share;
  }

  // What is to become of the next call: nothing, or { status?, processed }.
  plan() {
    const { chance, pick } = this.#chance;
    if (!chance(this.#share)) return null;
    if (chance(0.15)) return { status: pick(REFUSALS), processed: false };
    if (chance(0.15)) return { status: pick(FAILURES), processed: chance(0.5) };
    return { status: chance(0.1) ? pick(ODD) : undefined, processed: true };
  }

  #body(bytes) {
    const { chance, pick } = this.#chance;
    if (chance(0.2)) return Buffer.from(pick(BODIES));
    let text = bytes.toString();
    for (let n = this.#chance.below(3); n > 0; n--) text = mutateJson(text, this.#chance);
    let mutated = Buffer.from(text);
    while (chance(0.3)) mutated = mutateBytes(mutated, this.#chance);
    return mutated;
  }

  // The bytes of the answer on the wire; the connection ends with them.
  answer(status, headers, bytes) {
    const { chance, pick } = this.#chance;
    const body = chance(0.8) ? this.#body(bytes) : bytes;
    const lines = { ...headers, "Content-Length": body.length, Connection: "close" };
    while (chance(0.2)) Object.assign(lines, pick(HEADERS));
    let head = Buffer.from(
      Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`).join("") + "\r\n",
      "latin1");
    if (chance(0.05)) head = mutateBytes(head, this.#chance);
    const whole = Buffer.concat([Buffer.from(`HTTP/1.1 ${status} X\r\n`), head, body]);
    return chance(0.05) ? whole.subarray(0, this.#chance.below(whole.length)) : whole;
  }
}
