// A service for its own machine alone, without credentials: other machines do not reach it, but the
// pages that a browser on this one has open do.

import assert from "node:assert/strict";
import { test } from "node:test";
import { assertRefused, start } from "./lib/service.mjs";

const MESSAGE = JSON.stringify({ to: "a@example.com", subject: "s", message: "m", mode: "draft" });

// A request as bytes, since fetch() sets Host and Origin itself; its status and JSON.
async function ask(service, head, headers, body = "") {
  const lines = Object.entries({ Connection: "close", "Content-Length": body.length, ...headers });
  const answer = await service.raw(
    `${head} HTTP/1.1\r\n${lines.map(([n, v]) => `${n}: ${v}\r\n`).join("")}\r\n${body}`);
  const json = answer.match(/\{.*\}/s)?.[0];
  const id = answer.match(/X-Request-Id: (.*)\r/)?.[1];
  return { status: Number(answer.match(/^HTTP\/1\.1 (\d+)/)?.[1]), text: answer,
    json: json && JSON.parse(json), headers: new Headers({ "x-request-id": id ?? "" }) };
}

test("a name that is none of this machine's is not answered (DNS rebinding)", async (t) => {
  const service = await start(t);
  const drafts = (Host) => ask(service, "GET /drafts", { Host });
  for (const host of ["evil.example", `evil.example:${service.port}`, "localhost.evil.example",
    "127.0.0.1.evil.example", "10.0.0.1", "[::2]", "0.0.0.0", "[127.0.0.1", ":80"]) {
    const reply = await drafts(host);
    if (reply.status !== 400) assertRefused(reply, 403, "forbidden"); // malformed is malformed
  }
  for (const host of ["localhost", "LOCALHOST:1", "127.0.0.1", "127.1.2.3:8080", "[::1]:8080",
    "paraph.localhost", "mybox"]) {
    assert.equal((await drafts(host)).status, 200, host);
  }
  assert.equal((await ask(service, "GET /health", { Host: "evil.example" })).status, 200);
});

test("no page of another origin can post", async (t) => {
  const service = await start(t);
  const Host = `127.0.0.1:${service.port}`;
  const post = (headers) =>
    ask(service, "POST /", { Host, "Content-Type": "application/json", ...headers }, MESSAGE);
  for (const headers of [{ Origin: "https://evil.example" }, { Origin: "null" },
    { Origin: "http://127.0.0.1:1" }, { Origin: "http://localhost" }, { Origin: "file://" },
    { "Sec-Fetch-Site": "cross-site" }, { "Sec-Fetch-Site": "same-site" }]) {
    assertRefused(await post(headers), 403, "forbidden");
  }
  for (const headers of [{}, { Origin: `http://${Host}` }, { "Sec-Fetch-Site": "same-origin" },
    { "Sec-Fetch-Site": "none" }]) {
    assert.equal((await post(headers)).status, 200, JSON.stringify(headers));
  }
});
