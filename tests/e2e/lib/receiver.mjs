// A program that is told of events: an endpoint of WEBHOOK_URL, which judges each by the library of
// Standard Webhooks, and by what the service says of it.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";
import { secret } from "./disclosure.mjs";
import { atEnd, description } from "./service.mjs";

const WAIT_MS = 100000;

export const newSecret = () => secret(`whsec_${randomBytes(32).toString("base64")}`);

// answer    what becomes of a request: a status, or { status, headers }; "hang", "reset"
// attempts  all there were: { id, headers, body, type, data }
// events    those that were taken
export class Receiver {
  attempts = [];
  events = [];
  open = 0; // requests that are not answered
  connections = 0;
  #watchers = new Set();

  constructor({ answer = () => 200, key = newSecret() } = {}) {
    this.answer = answer;
    this.key = key;
    this.path = `/${secret(randomBytes(12).toString("hex"))}`; // addresses may hold secrets
  }

  async listen(t, port = 0) {
    this.server = createServer((request, response) => this.#take(request, response));
    this.server.on("connection", () => { this.connections++; });
    this.server.listen(port, "127.0.0.1");
    await once(this.server, "listening");
    this.port = this.server.address().port;
    atEnd(t, () => this.close());
    return this;
  }

  async close() {
    if (!this.server.listening) return;
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, "close");
  }

  get url() { return `http://127.0.0.1:${this.port}${this.path}`; }
  get env() {
    return { WEBHOOK_URL: this.url, WEBHOOK_SECRET: this.key, WEBHOOK_ALLOW_PRIVATE: "true" };
  }

  async #take(request, response) {
    this.open++;
    response.on("close", () => { this.open--; });
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString("utf8");
    const said = JSON.parse(body);
    const attempt = { id: request.headers["webhook-id"], headers: request.headers, body,
      method: request.method, path: request.url, ...said };
    const answer = this.answer(attempt, this.attempts.filter(({ id }) => id === attempt.id).length);
    this.attempts.push(attempt);
    const { status, headers } = typeof answer === "object" ? answer : { status: answer };
    if (status === "reset") request.socket.resetAndDestroy();
    else if (status !== "hang") response.writeHead(status, headers).end();
    if (status >= 200 && status < 300) this.events.push(attempt);
    for (const look of this.#watchers) look();
  }

  // Until this is so; it is looked at after each attempt.
  until(is, what = "an event") {
    return new Promise((resolve, reject) => {
      const look = () => {
        const value = is();
        if (value === undefined || value === false) return;
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve(value);
      };
      const timer = setTimeout(() => reject(new Error(`${what}: waited in vain; there were ` +
        JSON.stringify(this.attempts.map(({ type, data }) => [type, data])))), WAIT_MS);
      this.#watchers.add(look);
      look();
    });
  }

  // The first that was taken of this type, and with these members of its data.
  async event(type, members = {}) {
    const event = await this.until(() => this.events.find((e) => e.type === type &&
      Object.entries(members).every(([name, value]) => e.data[name] === value)),
    `${type} ${JSON.stringify(members)}`);
    this.assertSigned(event);
    (await description()).assertEvent(event);
    return event;
  }

  assertSigned({ headers, body, method, path }, key = this.key) {
    assert.deepEqual(new Webhook(key).verify(body, headers), JSON.parse(body));
    assert.deepEqual([method, path, headers["content-type"]],
      ["POST", this.path, "application/json"]);
  }
}

export const receive = (t, options) => new Receiver(options).listen(t);
