// HTTP as it comes over the wire: framing, keep-alive, limits. Raw bytes, since no client library
// would send them.

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import { assertRefused, start } from "./lib/service.mjs";

const statuses = (text) => [...text.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map((m) => Number(m[1]));

const DRAFT = JSON.stringify({ to: "ann@example.com", subject: "s", message: "m", mode: "draft" });

function post(headers, body = DRAFT) {
  return `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers}\r\n${body}`;
}

// One request more than one of these must never be seen in: each is refused and its connection
// closed, so that what follows cannot be taken for a request of its own.
const FORGED = {
  "two lengths": post(`Content-Length: ${DRAFT.length}\r\nContent-Length: 4\r\n`),
  "two equal lengths": post(`Content-Length: ${DRAFT.length}\r\n`.repeat(2)),
  "length and encoding": post(`Content-Length: 4\r\nTransfer-Encoding: chunked\r\n`, "0\r\n\r\n"),
  "two encodings": post("Transfer-Encoding: chunked\r\n".repeat(2), "0\r\n\r\n"),
  "an unknown encoding": post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
  "an encoding in a list": post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
  "a length with a sign": post("Content-Length: +4\r\n", "{}  "),
  "a negative length": post("Content-Length: -1\r\n", ""),
  "a space before the colon": post(`Content-Length : ${DRAFT.length}\r\n`),
  "no host": `GET /health HTTP/1.1\r\n\r\n`,
  "two hosts": `GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`,
  "a header name with a space": `GET /health HTTP/1.1\r\nHost: x\r\nBad Name: y\r\n\r\n`,
  "a control character in a value": `GET /health HTTP/1.1\r\nHost: x\r\nX-A: a\x01b\r\n\r\n`,
  "an absolute target": `GET http://x/health HTTP/1.1\r\nHost: x\r\n\r\n`,
};

test("ambiguous framing is refused, and what follows is not answered", async (t) => {
  const service = await start(t);
  const next = "GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  for (const [name, bytes] of Object.entries(FORGED)) {
    await t.test(name, async () => {
      const text = await service.raw(bytes + next);
      // libmicrohttpd writes the head of its own refusals twice
      assert.deepEqual(new Set(statuses(text)), new Set([400]), text);
    });
  }
  const { json } = await service.get("/drafts");
  assert.equal(json.drafts.length, 0, "something was stored");
});

test("requests in one packet are answered in order, on one connection", async (t) => {
  const service = await start(t);
  const one = post(`Content-Length: ${DRAFT.length}\r\n`);
  const text = await service.raw(
    one + "GET /health HTTP/1.1\r\nHost: x\r\n\r\n" + "GET /nope HTTP/1.1\r\nHost: x\r\n\r\n" + one +
    "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  assert.deepEqual(statuses(text), [200, 200, 404, 200, 200]);
});

test("a request may come byte by byte, and in chunks", async (t) => {
  const service = await start(t);
  const socket = net.connect(service.port, "127.0.0.1");
  let text = "";
  socket.setNoDelay(true).on("data", (data) => { text += data; });
  for (const byte of post(`Content-Length: ${DRAFT.length}\r\nConnection: close\r\n`)) {
    socket.write(byte);
    await new Promise(setImmediate);
  }
  await once(socket, "close");
  assert.deepEqual(statuses(text), [200]);

  const chunks = [...DRAFT].map((c) => `1;ext=1\r\n${c}\r\n`).join("") + "0\r\nX-Trailer: 1\r\n\r\n";
  const chunked = await service.raw(
    post("Transfer-Encoding: chunked\r\nConnection: close\r\n", chunks));
  assert.deepEqual(statuses(chunked), [200]);
});

test("HTTP/1.0 is served and closed", async (t) => {
  const service = await start(t);
  assert.deepEqual(statuses(await service.raw("GET /health HTTP/1.0\r\n\r\n")), [200]);
});

test("Expect: a body that is too large is refused before it is sent", async (t) => {
  const service = await start(t, { MAX_BODY_BYTES: "2000" });
  const large = await service.raw(post("Content-Length: 3000\r\nExpect: 100-continue\r\n", ""));
  assert.deepEqual(statuses(large), [413]);
  const small = await service.raw(
    post(`Content-Length: ${DRAFT.length}\r\nExpect: 100-continue\r\nConnection: close\r\n`));
  assert.deepEqual(statuses(small), [100, 200]);
});

test("a body that grows too large in chunks is 413", async (t) => {
  const service = await start(t, { MAX_BODY_BYTES: "2000" });
  const chunk = `400\r\n${"x".repeat(0x400)}\r\n`;
  const text = await service.raw(post("Transfer-Encoding: chunked\r\nConnection: close\r\n",
    chunk.repeat(5) + "0\r\n\r\n"));
  assert.deepEqual(statuses(text), [413]);
  assert.match(text, /"code":"payload_too_large"/);
});

test("too many headers are 431", async (t) => {
  const service = await start(t);
  const headers = Array.from({ length: 120 }, (_, i) => `X-${i}: y\r\n`).join("");
  const text = await service.raw(`GET /health HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
  assert.deepEqual(statuses(text), [431]);
  const huge = await service.raw(
    `GET /health HTTP/1.1\r\nHost: x\r\nX-Huge: ${"y".repeat(40000)}\r\n\r\n`);
  assert.deepEqual(statuses(huge), [431]);
});

test("an upload that breaks off leaves nothing behind", async (t) => {
  const service = await start(t);
  for (let i = 0; i < 20; i++) {
    const socket = net.connect(service.port, "127.0.0.1");
    await once(socket, "connect");
    socket.write(post("Content-Length: 100000\r\n", DRAFT.slice(0, i)));
    await new Promise(setImmediate);
    socket.destroy();
  }
  assert.equal((await service.get("/health")).status, 200);
  assert.equal((await service.get("/drafts")).json.drafts.length, 0);
});

test("paths are decoded once, and only if they are sound", async (t) => {
  const service = await start(t);
  const ask = async (target) => statuses(await service.raw(
    `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`));
  assert.deepEqual(await ask("/he%61lth"), [200]);
  assert.deepEqual(await ask("/he%2561lth"), [404]);
  assert.deepEqual(await ask("/%ff"), [400]);
  assert.deepEqual(await ask("/%0d%0aX:%20y"), [400]);
  assert.deepEqual(await ask("/%2"), [400]);
  assert.deepEqual(await ask("/%00"), [400]);
  assert.deepEqual(await ask("/../health"), [404]);
  assert.deepEqual(await ask("/health/"), [404]);
});

test("200 connections at once are all served", async (t) => {
  const service = await start(t);
  const sockets = Array.from({ length: 200 }, () => net.connect(service.port, "127.0.0.1"));
  const answers = sockets.map(async (socket) => {
    await once(socket, "connect");
    socket.write("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let text = "";
    for await (const data of socket) text += data;
    return statuses(text)[0];
  });
  assert.deepEqual(new Set(await Promise.all(answers)), new Set([200]));
});

test("bodies that arrive hold only so many bytes together; the pixel is answered all the same",
  async (t) => {
    const MAX = 65536;
    const service = await start(t, { MAX_BODY_BYTES: String(MAX) });
    const sockets = [];
    for (let i = 0; i < 16; i++) { // as much as there is room for, and a byte short of their end
      const socket = net.connect(service.port, "127.0.0.1");
      socket.on("error", () => {});
      sockets.push(socket);
      await once(socket, "connect");
      socket.write(post(`Content-Length: ${MAX}\r\n`, " ".repeat(MAX - 1)));
    }
    let refused;
    do refused = await service.post("/", JSON.parse(DRAFT)); while (refused.status === 200);
    assertRefused(refused, 503, "overloaded");
    assert.ok(Number(refused.headers.get("retry-after")) > 0);
    const pixel = await service.get("/pixel?id=6ba7b810-9dad-41d1-80b4-00c04fd430c8");
    assert.equal(pixel.headers.get("content-type"), "image/gif");
    assert.equal((await service.get("/health")).status, 200);

    for (const socket of sockets) socket.destroy();
    let taken;
    do taken = await service.post("/", JSON.parse(DRAFT)); while (taken.status === 503);
    assert.equal(taken.status, 200, taken.text);
  });
