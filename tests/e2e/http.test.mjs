// HTTP as it comes over the wire: keep-alive, pipelining, chunks, expectations, limits of one request,
// clients that leave. Ambiguous requests are in http_smuggling, crowds in http_limits and crowd.

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import { apiKeys } from "./lib/identity.mjs";
import { assertRefused, overlay, start } from "./lib/service.mjs";
import { answers, chunked, connection, DRAFT, get, post, sized, statuses } from "./lib/wire.mjs";

test("requests in one packet are answered in order, on one connection", async (t) => {
  const service = await start(t);
  const text = await service.raw(sized() + get() + get("", "/nope") + sized() +
    get("Connection: close\r\n"));
  assert.deepEqual(statuses(text), [200, 200, 404, 200, 200]);
});

test("a thousand requests may be pipelined: each has its answer, in order", async (t) => {
  const service = await start(t);
  const ids = Array.from({ length: 1000 }, (_, i) => `n-${i}`);
  const all = answers(await service.raw(
    ids.map((id, i) => (i % 100 === 0 ? sized : get)(`X-Request-Id: ${id}\r\n`)).join("") +
    get("Connection: close\r\nX-Request-Id: last\r\n")));
  assert.deepEqual(all.map(({ headers }) => headers.get("x-request-id")), [...ids, "last"]);
  assert.ok(all.every(({ status }) => status === 200));
});

// Answers that come later, and in another order than they were asked for, if it were possible.
const SLOW = `
  local task = require "paraph.task"
  return {
    { "GET", "/after/{ms}", access = "public", serve = "all", handler = function(req)
      local ok, err = task.sleep(tonumber(req.params.ms))
      if not ok then return nil, err end
      return { json = { ms = req.params.ms } }
    end },
  }`;

test("pipelined requests that wait are answered in order", async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, { "routes.lua": SLOW }) });
  const order = ["90", "1", "60", "2", "30", "3"];
  const all = answers(await service.raw(order.map((ms, i) =>
    get(i === order.length - 1 ? "Connection: close\r\n" : "", `/after/${ms}`)).join("")));
  assert.deepEqual(all.map(({ json }) => json.ms), order);
});

test("a request may come byte by byte, and in chunks", async (t) => {
  const service = await start(t);
  const socket = net.connect(service.port, "127.0.0.1");
  let text = "";
  socket.setNoDelay(true).on("data", (data) => { text += data; });
  for (const byte of sized(`X-Long: ${"y".repeat(3000)}\r\nConnection: close\r\n`)) {
    socket.write(byte);
    await new Promise(setImmediate);
  }
  await once(socket, "close");
  assert.deepEqual(statuses(text), [200]);

  const chunks = [...DRAFT].map((c) => `1;ext=1\r\n${c}\r\n`).join("");
  assert.deepEqual(statuses(await service.raw(chunked(`${chunks}0\r\nX-Trailer: 1\r\n\r\n`))), [200]);
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
    sized("Expect: 100-continue\r\nConnection: close\r\n"));
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

test("a client that closes its half after a request is answered", async (t) => {
  const service = await start(t);
  for (const [bytes, wanted] of [[get(), [200]], [sized(), [200]], [get() + get(), [200, 200]],
    [get() + get().slice(0, 20), [200]], [sized().slice(0, -1), []]]) {
    const c = connection(service);
    await c.connected;
    c.socket.end(bytes);
    assert.deepEqual(statuses(await c.closed), wanted, bytes);
  }
  assert.equal((await service.get("/drafts")).json.drafts.length, 1);
});

// Requests with n bytes more than they need, in several ways.
const LARGE = {
  "one header": (n) => sized(`X-A: ${"a".repeat(n)}\r\n`),
  "60 headers": (n) => sized(
    Array.from({ length: 60 }, (_, i) => `X-${i}: ${"a".repeat(n / 60)}\r\n`).join("")),
  "cookies": (n) => sized(`Cookie: ${"name=value; ".repeat(n / 12)}a=b\r\n`),
  "a query": (n) => sized().replace("POST /", `POST /?${"a".repeat(n)}`),
  "a trailer": (n) => chunked(
    `${DRAFT.length.toString(16)}\r\n${DRAFT}\r\n0\r\nX-A: ${"a".repeat(n)}\r\n\r\n`),
};

test("what leaves no room for its answer is refused before anything is done", async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, { "routes.lua": `
    local done = 0
    local function answer(bytes)
      return function()
        done = done + 1
        return { json = { done = done }, headers = { ["X-Large"] = ("a"):rep(bytes) } }
      end
    end
    return {
      { "POST", "/", access = "public", serve = "all", handler = answer(1000) },
      { "POST", "/alone", access = "public", serve = "all", handler = answer(2000) },
    }` }) });
  let done = 0;
  for (const [name, request] of Object.entries(LARGE))
    for (let n = 0; n < 17000; n += 300)
      for (const behind of [0, 50]) {
        const what = `${name} of ${n} bytes, with ${behind} requests behind it`;
        const bytes = behind > 0 ? request(n) : request(n).replace("POST /", "POST /alone");
        const [first, ...others] = answers(await service.raw(
          bytes + get("", "/nope").repeat(behind) + get("Connection: close\r\n", "/nope")));
        assert.ok([200, 414, 431].includes(first?.status), `${what}: ${first?.status}`);
        if (first.status === 200) assert.equal(first.json.done, ++done, what);
        const more = first.status === 200 && name !== "a trailer" ? behind + 1 : 0;
        assert.equal(others.filter(({ status }) => status === 404).length, more, what);
      }
  assert.ok(done > 100, `${done} were done`);
});

test("an answer to HEAD has no body, though it passes libmicrohttpd by", async (t) => {
  const service = await start(t);
  const headers = Array.from({ length: 70 }, (_, i) => `X-${i}: y\r\n`).join("");
  assert.match(await service.raw(get(headers).replace("GET", "HEAD")),
    /^HTTP\/1\.1 431 [^]*\r\n\r\n$/);
});

test("white space behind a header is no part of it", async (t) => {
  const { keys, env } = await apiKeys(t, { ann: ["ops"] });
  const service = await start(t, env);
  const [reply] = answers(await service.raw(get(
    `X-API-Key: ${keys.ann} \t\r\nX-Request-Id: abc \r\nConnection: close \r\n`, "/metrics")));
  assert.equal(reply.status, 200, reply.text);
  assert.equal(reply.headers.get("x-request-id"), "abc");
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
    const almost = async () => { // a body, a byte short of its end
      const socket = net.connect(service.port, "127.0.0.1");
      socket.on("error", () => {});
      sockets.push(socket);
      await once(socket, "connect");
      socket.write(post(`Content-Length: ${MAX}\r\n`, " ".repeat(MAX - 1)));
    };
    for (let i = 0; i < 16; i++) await almost(); // as much as there is room for
    // A body whose end arrives while a draft is held is the one that is refused: another is needed.
    let refused = await service.post("/", JSON.parse(DRAFT));
    for (let i = 0; i < 50 && refused.status === 200; i++) {
      await almost();
      refused = await service.post("/", JSON.parse(DRAFT));
    }
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
