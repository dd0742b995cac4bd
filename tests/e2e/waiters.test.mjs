// A thousand requests wait at the same time, in one thread: they end together, and cost little.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import http from "node:http";
import { test } from "node:test";
import { atEnd, overlay, start } from "./lib/service.mjs";

const WAITERS = 1000;
const WAIT_MS = 200;

const ROUTES = `
  local task = require "paraph.task"
  local health = require "api.health"
  return {
    { "GET", "/wait", access = "public", serve = "all", handler = function()
      local ok, err = task.sleep(${WAIT_MS})
      if not ok then return nil, err end
      return { json = { status = "ok" } }
    end },
    { "GET", "/health", handler = health.alive, access = "public", serve = "all" },
  }`;

async function rssKib(pid) {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(status.match(/^VmRSS:\s+(\d+)/m)[1]);
}

test(`${WAITERS} requests wait ${WAIT_MS} ms each`, async (t) => {
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
  const began = performance.now();
  const done = all("/wait");
  const waiting = new Promise((resolve) => setTimeout(resolve, WAIT_MS / 2))
    .then(() => rssKib(service.pid));
  assert.ok((await done).every((status) => status === 200));
  const ms = performance.now() - began;
  console.log(`${WAITERS} waited ${WAIT_MS} ms: ${(ms - WAIT_MS).toFixed(0)} ms more in all; ` +
    `${(((await waiting) - idle) / WAITERS).toFixed(1)} KiB more memory for each`);
  assert.ok(ms < 10000, `${ms} ms: one after the other`);
});
