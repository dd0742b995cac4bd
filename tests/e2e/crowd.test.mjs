// 2,000 idle and 500 slow connections, heads and bodies: normal requests are answered all the while,
// whether there is room for such a crowd or not.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { atEnd, start } from "./lib/service.mjs";
import { connection, DRAFT, get, statuses } from "./lib/wire.mjs";

const IDLE = 2000;
const SLOW = 500;
const REQUESTS = 300;
const CROWD = new URL("lib/crowd.mjs", import.meta.url).pathname;

// The crowd, when it is there.
async function crowd(t, service, address) {
  const command = [process.execPath, CROWD, service.port, address, IDLE, SLOW];
  const child = spawn("sh", ["-c", 'ulimit -n 4096; exec "$0" "$@"', ...command],
    { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  atEnd(t, async () => {
    child.stdin.end();
    await exited;
  });
  await Promise.race([
    once(child.stdout, "data"),
    exited.then(() => { throw new Error("the crowd has left"); }),
  ]);
}

// Asks the same over and over, and says how long the answers took.
async function ask(t, what, once) {
  const took = [];
  for (let i = 0; i < REQUESTS; i++) {
    const began = performance.now();
    assert.equal(await once(i), 200);
    took.push(performance.now() - began);
  }
  took.sort((a, b) => a - b);
  const at = (part) => took[Math.ceil(part * took.length) - 1].toFixed(1);
  t.diagnostic(`${what}: median ${at(0.5)} ms, p99 ${at(0.99)} ms, worst ${at(1)} ms`);
}

async function askAll(t, service) {
  await ask(t, "GET /health on a new connection", async () =>
    statuses(await connection(service, get("Connection: close\r\n")).closed)[0]);
  await ask(t, "GET /health on an old connection", async () => (await service.get("/health")).status);
  await ask(t, "POST / (a draft)", async (i) =>
    (await service.post("/", { ...JSON.parse(DRAFT), subject: `No. ${i}` })).status);
}

test(`${IDLE} idle and ${SLOW} slow connections do not keep others out`, async (t) => {
  const service = await start(t);
  await askAll(t, service);
  await crowd(t, service, "127.0.0.1");
  t.diagnostic("with the crowd:");
  await askAll(t, service);
});

test("nor do they where there is room for a tenth of them", async (t) => {
  const service = await start(t, {},
    { wrap: ["sh", "-c", 'ulimit -n 1024; exec "$@"', "sh"] });
  await crowd(t, service, "127.0.0.2");
  await askAll(t, service);
  await service.event((e) => e.message === "connections cut off" && e.for_their_address > 0);
});
