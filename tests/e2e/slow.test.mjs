// Clients that send a byte now and then: none keeps a connection for ever. It takes a minute, since
// that is how long a client may take.

import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import { file, start } from "./lib/service.mjs";

const LIMIT_MS = 90000;
const service = await start(file);

// How long the connection lives while a byte is sent ten times a second.
function trickle(bytes) {
  return new Promise((resolve, reject) => {
    const began = Date.now();
    const socket = net.connect(service.port, "127.0.0.1", () => socket.write(bytes));
    const drip = setInterval(() => socket.write(" "), 100);
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error("never cut off"));
    }, LIMIT_MS);
    socket.on("error", () => {});
    socket.on("close", () => {
      clearInterval(drip);
      clearTimeout(timer);
      resolve(Date.now() - began);
    });
    socket.resume();
  });
}

test("a request that trickles in is cut off, head or body", async () => {
  const times = await Promise.all([
    "GET /health HTTP/1.1\r\nHost: x\r\nX-A: ",
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n{",
  ].map(trickle));
  console.log(`cut off after ${times.map((ms) => `${Math.round(ms / 1000)} s`).join(" and ")}`);
  assert.ok(times.every((ms) => ms > 1000), "cut off before an honest client could be done");
  assert.equal((await service.get("/health")).status, 200);
});
