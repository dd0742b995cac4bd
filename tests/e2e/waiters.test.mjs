// A thousand requests wait at the same time, in one thread: each for all the others.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import http from "node:http";
import { test } from "node:test";
import { atEnd, overlay, start } from "./lib/service.mjs";

const WAITERS = 1000;
const WAIT_MS = 200;

// Each is answered once all have come, so one after the other they would never be.
const ROUTES = `
  local task = require "paraph.task"
  local health = require "api.health"
  local log = require "paraph.log"
  local come = 0
  return {
    { "GET", "/wait", access = "public", serve = "all", handler = function()
      come = come + 1
      if come == ${WAITERS} then log.info("all wait") end
      repeat
        local ok, err = task.sleep(${WAIT_MS})
        if not ok then return nil, err end
      until come == ${WAITERS}
      return { json = { status = "ok" } }
    end },
    { "GET", "/health", handler = health.alive, access = "public", serve = "all" },
  }`;

async function rssKib(pid) {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(status.match(/^VmRSS:\s+(\d+)/m)[1]);
}

test(`${WAITERS} requests wait for each other`, async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, { "routes.lua": ROUTES }) });
  const agent = new http.Agent({ keepAlive: true, maxSockets: WAITERS });
  atEnd(t, () => agent.destroy());
  const ask = (path) => new Promise((resolve, reject) => {
    http.get(service.url + path, { agent }, (reply) => {
      reply.resume().on("end", () => resolve(reply.statusCode));
    }).on("error", reject);
  });
  const all = (path) => Promise.all(Array.from({ length: WAITERS }, () => ask(path)));

  // The connections are there before; what is measured is waiting, not connecting.
  assert.ok((await all("/health")).every((status) => status === 200));
  const idle = await rssKib(service.pid);
  const done = all("/wait");
  await service.event((e) => e.message === "all wait");
  const waiting = await rssKib(service.pid);
  assert.ok((await done).every((status) => status === 200));
  t.diagnostic(`${((waiting - idle) / WAITERS).toFixed(1)} KiB more memory for each`);
});
