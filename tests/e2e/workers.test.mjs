// WORKERS: several processes are one service, to who counts and to who writes.

import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { assertMoved, judge, metrics } from "./lib/metrics.mjs";
import { overlay, patientPixel, put, start } from "./lib/service.mjs";

const MESSAGE = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!" };
const CLOSE = { headers: { Connection: "close" } }; // the next one may be another worker's

async function ready(service, count) {
  const found = () => service.log.filter((e) => e.message === "ready");
  await service.event(() => found().length >= count);
  return found().map(({ pid }) => pid);
}

const times = (n, act) => Promise.all(Array.from({ length: n }, act));

// Every answer, whichever worker gives it, is that of all.
async function assertAllSay(service, wanted) {
  await times(20, async () => {
    const page = await metrics(service, CLOSE);
    for (const [name, labels, value] of wanted) {
      assert.equal(page.value(name, labels), value, `${name} ${JSON.stringify(labels)}`);
    }
  });
}

test("whichever worker answers tells what all have counted, before and after one dies", async (t) => {
  const service = await start(t, { WORKERS: "3", SCRIPTS_DIR: await patientPixel(t) });
  const pids = await ready(service, 3);
  await times(60, async () => assert.equal((await service.get("/health", CLOSE)).status, 200));
  const counted = ["paraph_http_requests_total", { route: "/health", status: "200" }];
  const wanted = (count, restarts) => [[...counted, count], ["paraph_workers", {}, 3],
    ["paraph_worker_restarts_total", {}, restarts], ["paraph_generation", {}, 1],
    ["paraph_http_request_duration_seconds_count", { route: "/health" }, count]];
  await assertAllSay(service, wanted(60, 0));

  const before = (await metrics(service, CLOSE)).value("process_cpu_seconds_total");
  for (const pid of pids.slice(0, 2)) process.kill(pid, "SIGKILL");
  await ready(service, 5);
  await assertAllSay(service, wanted(60, 2));
  await times(30, () => service.get("/health", CLOSE));
  await assertAllSay(service, wanted(90, 2));
  const page = await metrics(service, CLOSE);
  await judge(page.text);
  assert.equal(page.value("paraph_http_requests_in_flight"), 1);
  assert.ok(page.value("process_cpu_seconds_total") >= before, "processor time went back");
});

const cannotStart = (service) => service.log.filter((e) => e.message === "cannot start");

test("while scripts do not load, those who serve go on, and one that is missing comes back", async (t) => {
  const scripts = await overlay(t, {});
  const service = await start(t, { WORKERS: "2", SCRIPTS_DIR: scripts });
  const [pid] = await ready(service, 2);
  await put(scripts, "settings.lua", "return +");
  process.kill(pid, "SIGKILL");
  await service.event(() => cannotStart(service).length === 2, "another try");
  let page; // one that has only begun to start has the port, too, and may cut us off
  while (!page && !service.ended) page = await metrics(service, CLOSE).catch(() => null);
  assert.equal(page.value("paraph_workers"), 1);

  await rm(join(scripts, "settings.lua"));
  await ready(service, 3);
  await assertAllSay(service, [["paraph_workers", {}, 2]]);
});

test("when none serves and one cannot start, it is the end", async (t) => {
  const scripts = await overlay(t, {});
  const service = await start(t, { WORKERS: "2", SCRIPTS_DIR: scripts });
  const pids = await ready(service, 2);
  await put(scripts, "settings.lua", "return +");
  for (const pid of pids) process.kill(pid, "SIGKILL");
  assert.deepEqual(await service.exited, { code: 1, signal: null });
});

test("three workers on one SQLite lose no write", async (t) => {
  const service = await start(t, { WORKERS: "3", SCRIPTS_DIR: await patientPixel(t) });
  await ready(service, 3);
  const { json: { pixel_id: pixel } } = await service.post("/", { ...MESSAGE, mode: "send" });
  const CLIENTS = 12, EACH = 10;
  const ids = await assertMoved(service, [
    ["paraph_drafts_total", { outcome: "created" }, CLIENTS * EACH],
    ["paraph_opens_total", {}, CLIENTS * EACH],
    ["paraph_opens_total", { kind: "lost" }, 0],
    ["paraph_http_requests_total", { route: "/", status: "200" }, CLIENTS * EACH],
  ], () => times(CLIENTS, async () => {
    const made = [];
    for (let i = 0; i < EACH; i++) {
      const reply = await service.post("/", { ...MESSAGE, mode: "draft" }, CLOSE);
      assert.equal(reply.status, 200, reply.text);
      made.push(reply.json.draft_id);
      assert.equal((await service.get(`/pixel?id=${pixel}`, CLOSE)).status, 200);
    }
    return made;
  }), CLOSE);
  const { drafts } = (await service.get("/drafts?limit=200&status=pending")).json;
  assert.deepEqual(drafts.map(({ draft_id: id }) => id).sort(), ids.flat().sort());
});
