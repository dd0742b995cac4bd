// Clients that send a byte now and then, or take none: none keeps a connection for ever. It takes a
// minute, since that is how long a client may take.

import assert from "node:assert/strict";
import { test } from "node:test";
import { atEnd, file, overlay, start } from "./lib/service.mjs";
import { connection, get, post, sized, statuses } from "./lib/wire.mjs";

const LIMIT_MS = 90000;

// GET /large is more than the sockets of both sides hold.
const service = await start(file, { SCRIPTS_DIR: await overlay(file, { "routes.lua": `
  local health = require "api.health"
  local LARGE = ("x"):rep(16 * 1024 * 1024)
  return {
    { "GET", "/health", handler = health.alive, access = "public", serve = "all" },
    { "GET", "/large", access = "public", serve = "all", handler = function()
      return { type = "text/plain", body = LARGE }
    end },
    { "POST", "/", handler = health.alive, access = "public", serve = "all" },
  }` }) });

// What comes back while a byte is sent ten times a second, and for how long.
async function trickle(t, bytes) {
  const began = Date.now();
  const c = connection(service, bytes);
  const drip = setInterval(() => c.socket.write(" "), 100);
  const timer = setTimeout(() => c.socket.destroy(new Error("never cut off")), LIMIT_MS);
  let failed;
  c.socket.on("error", (error) => { failed = error; });
  const text = await c.closed;
  clearInterval(drip);
  clearTimeout(timer);
  const ms = Date.now() - began;
  assert.notEqual(failed?.message, "never cut off");
  assert.ok(ms > 1000, "cut off before an honest client could be done");
  t.diagnostic(`cut off after ${Math.round(ms / 1000)} s`);
  return text;
}

const cut = (member) => service.event(
  (e) => e.message === "connections cut off" && e[member] > 0, `a report of ${member}`);

// The reports are a minute apart, and a single wait is shorter.
const patiently = (member) => cut(member).catch(() => cut(member)).catch(() => cut(member));

test("clients that trickle", { concurrency: true }, async (t) => {
  await Promise.all([
    t.test("a line that trickles in is cut off", async (t2) => {
      assert.equal(await trickle(t2, "GET /hea"), "");
    }),
    t.test("a head that trickles in is cut off", async (t2) => {
      assert.equal(await trickle(t2, "GET /health HTTP/1.1\r\nHost: x\r\nX-A: "), "");
    }),
    t.test("the second head of a connection is cut off as well", async (t2) => {
      assert.deepEqual(statuses(await trickle(t2, `${get()}GET /health HTTP/1.1\r\nX-A: `)), [200]);
    }),
    t.test("a body that trickles in is cut off", async (t2) => {
      assert.equal(await trickle(t2, post("Content-Length: 9999\r\n", "{")), "");
    }),
    t.test("a chunk that trickles in is cut off", async (t2) => {
      assert.equal(await trickle(t2, post("Transfer-Encoding: chunked\r\n", "fff\r\n{")), "");
    }),
    t.test("an extension of a chunk that never ends is cut off", async (t2) => {
      const bytes = `1;${"x".repeat(20000)}`;
      assert.equal(await trickle(t2, post("Transfer-Encoding: chunked\r\n", bytes)), "");
    }),
    t.test("trailers that trickle in are cut off", async (t2) => {
      assert.equal(await trickle(t2, post("Transfer-Encoding: chunked\r\n", "0\r\nX-A: ")), "");
    }),
    t.test("an answer that nobody takes is given up", async (t2) => {
      const c = connection(service, get("X-Request-Id: untaken\r\n", "/large"));
      atEnd(t2, () => c.socket.destroy());
      c.socket.pause();
      const done = (e) => e.request_id === "untaken" && e.message === "request";
      await service.event(done).catch(() => service.event(done));
      await patiently("slow_readers");
    }),
  ]);
  await patiently("slow_bodies");
  await patiently("slow_heads");
  assert.deepEqual(statuses(await service.raw(sized("Connection: close\r\n"))), [200]);
});
