// More connections than there may be: who waits longest for his client makes room, one address has
// half of them at most, and what waits for us is never closed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { atEnd, file, overlay, start } from "./lib/service.mjs";
import { connection, DRAFT, get, post, statuses } from "./lib/wire.mjs";

// A third of the descriptors are connections; one address may have half of them.
const SHARE = 1024 / 3 / 2;
const FEW = { wrap: ["sh", "-c", 'ulimit -n 1024; exec "$@"', "sh"] };

// GET /wait is answered when somebody has asked for /go.
const SCRIPTS = await overlay(file, { "routes.lua": `
  local health = require "api.health"
  local store = require "paraph.store"
  local task = require "paraph.task"
  local function wait()
    while not store.get("signs", "go") do
      local ok, err = task.sleep(100)
      if not ok then return nil, err end
    end
    return { json = { status = "ok" } }
  end
  local function go()
    local version, err = store.create("signs", "go", {})
    if not version then return nil, err end
    return { json = { status = "ok" } }
  end
  return {
    { "GET", "/health", handler = health.alive, access = "public", serve = "all" },
    { "GET", "/wait", handler = wait, access = "public", serve = "all" },
    { "POST", "/go", handler = go, access = "public", serve = "all" },
    { "POST", "/", handler = health.alive, access = "public", serve = "all" },
  }` });

async function service_of(t) {
  const service = await start(t, { SCRIPTS_DIR: SCRIPTS }, FEW);
  const all = [];
  atEnd(t, () => { for (const { socket } of all) socket.destroy(); });
  // n connections, one after the other, each of which is sent these bytes.
  const open = async (n, bytes = "", from = "127.0.0.1") => {
    const some = [];
    for (let i = 0; i < n; i++) {
      some.push(connection(service, bytes, { from }));
      await some[i].connected;
    }
    all.push(...some);
    return some;
  };
  const asked = async (from) => statuses(
    await connection(service, get("Connection: close\r\n"), { from }).closed);
  return { service, open, asked };
}

const cut = (service, member) => service.event(
  (e) => e.message === "connections cut off" && e[member] > 0, `a report of ${member}`);

// The first count of them are closed, and the rest is open.
function assertClosed(some, count) {
  const open = some.map(({ socket }) => !socket.closed);
  assert.deepEqual(open, [...open].sort((a, b) => a - b), "not the first were closed");
  assert.equal(open.filter((one) => !one).length, count);
}

test("one address has half of all: its longest idle ones make room for its next", async (t) => {
  const { service, open, asked } = await service_of(t);
  const others = await open(100, "", "127.0.0.2");
  const idle = await open(300);
  await Promise.all(idle.slice(0, 300 - Math.floor(SHARE)).map(({ closed }) => closed));
  assert.deepEqual(await asked("127.0.0.1"), [200]);
  assert.deepEqual(await asked("127.0.0.2"), [200]);
  await idle[300 - Math.floor(SHARE)].closed; // made room for the first of those two
  assertClosed(idle, 300 - Math.floor(SHARE) + 1);
  assertClosed(others, 0);
  await cut(service, "for_their_address");
});

test("of several addresses the longest idle one makes room, and bodies after heads", async (t) => {
  const { service, open, asked } = await service_of(t);
  const [body] = await open(1, post("Content-Length: 9\r\n", "{"), "127.0.0.9");
  for (let i = 2; i < 6; i++) await open(100, i % 2 ? "" : "GET /", `127.0.0.${i}`);
  assert.deepEqual(await asked("127.0.0.1"), [200]);
  await cut(service, "for_room");
  body.socket.write("12345678");
  while (body.text === "") await new Promise(setImmediate);
  assert.deepEqual(statuses(body.text), [200], "a body was closed before the idle ones");

  // With bodies alone, they make room as well.
  for (let i = 2; i < 6; i++)
    await open(100, post("Content-Length: 9999\r\n", DRAFT), `127.0.0.${i}`);
  assert.deepEqual(await asked("127.0.0.1"), [200]);
});

test("what waits for an answer is never closed; who has only such is refused more", async (t) => {
  const { service, open, asked } = await service_of(t);
  const waiting = await open(Math.floor(SHARE), get("Connection: close\r\n", "/wait"), "127.0.0.2");
  assert.deepEqual(await asked("127.0.0.1"), [200]); // by then all of them have been read
  assert.deepEqual(await asked("127.0.0.2"), []);
  for (let i = 3; i < 6; i++) await open(100, "", `127.0.0.${i}`);
  assert.deepEqual(await asked("127.0.0.1"), [200]);
  assert.equal((await service.post("/go", {})).status, 200);
  for (const { closed } of waiting) assert.deepEqual(statuses(await closed), [200]);
  assert.deepEqual(await asked("127.0.0.2"), [200]);
  await cut(service, "refused");
});

test("many connections that are closed make one line in the log", async (t) => {
  const { service, open } = await service_of(t);
  await open(600);
  await cut(service, "for_their_address");
  await open(600);
  assert.equal((await service.get("/health")).status, 200);
  assert.equal(service.log.filter((e) => e.message === "connections cut off").length, 1);
});
