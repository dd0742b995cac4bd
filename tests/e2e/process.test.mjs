// The life of the process: requests under way at the end, deadlines, clients that leave, the log.

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assertRefused, overlay, start } from "./lib/service.mjs";
import { connection, get, statuses } from "./lib/wire.mjs";

// Routes with a handler that waits, beside one that does not.
const WAITING = {
  "routes.lua": `
    local health = require "api.health"
    local log = require "paraph.log"
    local store = require "paraph.store"
    local task = require "paraph.task"
    local function wait(req)
      log.info("waiting")
      local ok, err = task.sleep(math.tointeger(tonumber(req.query.ms)))
      if not ok then return nil, err end
      return { json = { status = "ok", waited = req.query.ms } }
    end
    local function branch(req)
      local branches = { function() return wait(req) end, function() return wait(req) end }
      local results, err = task.all(branches)
      if not results then return nil, err end
      return { json = { status = "ok", waited = req.query.ms } }
    end
    local function stored(req)
      local reply, err = wait(req)
      if not reply then return nil, err end
      local version, wrong = store.create("stored", req.id, {})
      if not version then return nil, wrong end
      log.info("stored")
      return reply
    end
    local function stubborn(req)
      wait(req)
      local n = 0
      for i = 1, 10000000 do n = n + i % 7 end
      return { json = { n = n } }
    end
    return {
      { "GET", "/wait", handler = wait, access = "public", serve = "all" },
      { "GET", "/late", handler = wait, access = "public", serve = "all", deadline = 1 },
      { "GET", "/news", handler = wait, access = "public", serve = "all", waits = true },
      { "GET", "/stored", handler = stored, access = "public", serve = "all" },
      { "GET", "/stubborn", handler = stubborn, access = "public", serve = "all" },
      { "GET", "/branches", handler = branch, access = "public", serve = "all", deadline = 1 },
      { "GET", "/health", handler = health.alive, access = "public", serve = "all" },
      { "GET", "/ready", handler = health.ready, access = "public", serve = "all" },
    }`,
};

// The end comes of itself: the time that requests are given until they are cut off is not needed.
async function endsUnhurried(service) {
  await service.stop();
  assert.ok(service.log.some((e) => /shutting down/.test(e.message)), service.stderr);
  assert.ok(!service.log.some((e) => /are cut off/.test(e.message)), service.stderr);
}

const waiting = (service) => service.event((e) => e.message === "waiting");

for (const signal of ["SIGTERM", "SIGINT"]) {
  test(`${signal}: what is under way is finished, then exit 0`, async (t) => {
    const service = await start(t, { SCRIPTS_DIR: await overlay(t, WAITING) });
    const idle = net.connect(service.port, "127.0.0.1");
    await once(idle, "connect");
    const reply = service.get("/wait?ms=1000");
    await waiting(service);
    service.signal(signal);
    await service.event((e) => /shutting down/.test(e.message));
    await assert.rejects(service.get("/health"), "a new request is taken");
    assert.deepEqual((await reply).json, { status: "ok", waited: "1000" });
    assert.deepEqual(await service.exited, { code: 0, signal: null });
    await service.stop();
    idle.destroy();
  });
}

test("the end does not wait for connections that ask nothing", async (t) => {
  const service = await start(t);
  const idle = Array.from({ length: 20 }, () => net.connect(service.port, "127.0.0.1"));
  await Promise.all(idle.map((socket) => once(socket, "connect")));
  idle.forEach((socket) => socket.on("error", () => {}));
  idle[0].write("POST / HTTP/1.1\r\nHost: x\r\nContent-Le");
  await service.get("/health");
  await endsUnhurried(service);
  idle.forEach((socket) => socket.destroy());
});

test("a request has a deadline", async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, WAITING), REQUEST_TIMEOUT: "2" });
  const late = service.get("/late?ms=60000");
  assertRefused(await service.get("/wait?ms=60000"), 504, "timeout");
  assertRefused(await late, 504, "timeout");
  assert.equal((await service.get("/wait?ms=1")).status, 200);
});

test("a deadline ends the branches of a request, and nothing else", async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, WAITING) });
  const asked = Array.from({ length: 20 }, () => service.get("/branches?ms=60000"));
  for (const reply of await Promise.all(asked)) assertRefused(reply, 504, "timeout");
  assert.equal((await service.get("/branches?ms=1")).status, 200);
});

test("a client that leaves takes along what only waits for him", async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, WAITING) });
  for (let i = 0; i < 10; i++) {
    const { socket } = connection(service, get("", "/news?ms=50000"));
    await service.event(() => service.log.filter((e) => e.message === "waiting").length > i);
    socket.destroy();
  }
  await endsUnhurried(service);
});

test("other work for a client that leaves goes on to its end", async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, WAITING) });
  const { socket } = connection(service, get("", "/stored?ms=500"));
  await waiting(service);
  socket.destroy();
  await service.event((e) => e.message === "stored");

  const half = connection(service);
  await half.connected;
  half.socket.end(get("", "/wait?ms=500"));
  assert.deepEqual(statuses(await half.closed), [200]);
});

test("tasks that go on when all are cut off end before their requests", async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, WAITING) });
  const asked = Array.from({ length: 50 }, () => connection(service, get("", "/stubborn?ms=60000")));
  await service.event(() => service.log.filter((e) => e.message === "waiting").length === 50);
  service.signal("SIGTERM");
  await service.event((e) => /are cut off/.test(e.message));
  assert.deepEqual(await service.exited, { code: 0, signal: null });
  await Promise.all(asked.map(({ closed }) => closed));
});

// --- the log -------------------------------------------------------------------------------------

test("a line of JSON for every request", async (t) => {
  const service = await start(t);
  const body = { to: "ann@example.com", subject: "Hello", message: "Hi", mode: "draft" };
  const made = await service.post("/", body, { headers: { "X-Request-Id": "my-own-id" } });
  const line = await service.logged(made);
  assert.equal(line.request_id, "my-own-id");
  assert.equal(line.severity, "INFO");
  assert.ok(Math.abs(Date.parse(line.time) - Date.now()) < 60000, line.time);
  assert.equal(line.method, "POST");
  assert.equal(line.path, "/");
  assert.equal(line.status, 200);
  assert.ok(line.ms >= 0, JSON.stringify(line));
  assert.equal(line.bytes_in, JSON.stringify(body).length);
  assert.equal(line.bytes_out, made.bytes.length);
  const missing = await service.get("/nonsense?token=secret%0Aq");
  assert.equal((await service.logged(missing)).status, 404);
  assert.equal((await service.logged(await service.head("/health"))).method, "HEAD");
  for (const event of service.log) assert.equal(event.line, undefined, "a line that is no JSON");
  const lines = service.log.filter((e) => e.message === "request");
  assert.equal(lines.length, 3);
});

test("nothing secret and nothing of a message is in the log, at any level", async (t) => {
  const service = await start(t, { LOG_LEVEL: "debug" });
  const secrets = ["zebra-body", "zebra-token", "zebra-key", "emVicmEtZmlsZQ"];
  const headers = { Authorization: "Bearer zebra-token", "X-API-Key": "zebra-key" };
  const letter = {
    to: "ann@example.com", subject: "s", message: "zebra-body",
    attachments: [{ filename: "a.txt", content: "emVicmEtZmlsZQ" }],
  };
  for (const mode of ["draft", "send"]) {
    assert.equal((await service.post("/", { ...letter, mode }, { headers })).status, 200);
  }
  const refused = await service.post("/", { ...letter, to: "bob@" }, { headers });
  assertRefused(refused, 400, "invalid_recipient");
  await service.request("POST", "/", { body: '{"message": "zebra-body"', headers:
    { "Content-Type": "application/json", ...headers } });
  await service.stop();
  for (const secret of secrets) assert.ok(!service.stderr.includes(secret), secret);
});

test("one event stays one line", async (t) => {
  const service = await start(t);
  for (const path of ["/a%0A{%22severity%22:%22ERROR%22}", "/%1b[31m", "/%00", "/%ff%fe", "/%22%5c",
    `/${"x".repeat(5000)}`]) {
    const reply = await service.get(path);
    const line = await service.logged(reply);
    assert.equal(line.status, reply.status);
  }
  await service.stop();
  for (const event of service.log) assert.equal(event.line, undefined, "a line that is no JSON");
});

test("LOG_FORMAT=text is for people", async (t) => {
  const probe = await start(t);
  const port = String(probe.port);
  await probe.stop();
  const service = start(t, { LOG_FORMAT: "text", PORT: port });
  service.catch(() => {});
  let reply;
  for (let i = 0; i < 100 && !reply; i++) {
    reply = await fetch(`http://127.0.0.1:${port}/health`).catch(() => sleep(100));
  }
  assert.equal(reply.status, 200);
});
