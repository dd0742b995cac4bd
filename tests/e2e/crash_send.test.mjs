// kill -9 at random moments while drafts are made and approved: of each draft that was acknowledged
// one mail leaves, none twice, none stays in `sending`, and nothing is left in the mailbox.
//
// CRASHES says how many on each backend (CRASHES=500 for a thousand in all); SEED, which.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { settings, standIn } from "./lib/google.mjs";
import { random } from "./lib/random.mjs";
import { overlay, start, temporary } from "./lib/service.mjs";

const CRASHES = Number(process.env.CRASHES ?? 100);
const SEED = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const FRESH = 3; // drafts that a round adds
const SETTLED_MS = 120_000;

// A claim runs out after twice this time, and so do strays.
const SHORT = { REQUEST_TIMEOUT: "2", PIXEL_TRACKER_BASE_URL: "https://t.example.org" };

async function shortLived(t, env) {
  const SCRIPTS_DIR = await overlay(t, {
    "jobs.lua": `local delivery = require "lib.delivery"
      return { { "sweep", every = 0.2, run = delivery.sweep } }`,
  });
  return { ...SHORT, SCRIPTS_DIR, ...env };
}

// Make drafts and approve what waits, until the service is gone: then `signal` is aborted, since
// fetch() may wait for ever for a connection that broke early.
async function work(service, { all, waiting }, signal) {
  const gone = (error) => { if (error.code === "ERR_ASSERTION") throw error; };
  const approve = async (id) => {
    const { status, json } = await service.post("/send-draft", { draft_id: id }, { signal });
    if (status === 200 || json.code === "already_sent") waiting.delete(id);
  };
  const add = async () => {
    const { status, json, text } = await service.post("/", {
      to: "ann@example.com", subject: "Hello", message: "Hi Ann!", mode: "draft",
    }, { signal });
    if (status === 504) return; // on a slow machine: nothing was acknowledged
    assert.equal(status, 200, text);
    all.add(json.draft_id);
    waiting.add(json.draft_id);
    await approve(json.draft_id);
  };
  await Promise.all([...[...waiting].slice(0, 5).map((id) => approve(id).catch(gone)),
    ...Array.from({ length: FRESH }, () => add().catch(gone))]);
}

// How long that takes when nothing comes between.
async function wholeTime(t, env, drafts) {
  const service = await start(t, env);
  const begun = Date.now();
  await work(service, drafts);
  await service.stop();
  return Date.now() - begun;
}

// Kill at random, then let all come to its end. `all` are the drafts that were acknowledged.
async function crashAndSettle(t, env, chance) {
  const all = new Set(), waiting = new Set();
  const window_ms = 1.2 * await wholeTime(t, env, { all, waiting });
  for (let crash = 0; crash < CRASHES; crash++) {
    const service = await start(t, env);
    const cut = new AbortController();
    const working = work(service, { all, waiting }, cut.signal);
    await sleep(chance.below(window_ms));
    await service.kill();
    cut.abort();
    await working;
  }
  const service = await start(t, env);
  for (const until = Date.now() + SETTLED_MS; waiting.size > 0; await sleep(200)) {
    assert.ok(Date.now() < until, `${waiting.size} drafts are never sent`);
    await Promise.all([...waiting].slice(0, 20).map(async (id) => {
      const { status, json } = await service.post("/send-draft", { draft_id: id });
      if (status === 200 || json.code === "already_sent") waiting.delete(id);
    }));
  }
  return { service, all };
}

async function eventually(look, what) {
  for (const until = Date.now() + SETTLED_MS; !await look(); await sleep(100)) {
    assert.ok(Date.now() < until, what);
  }
}

async function assertAllSettled(service) {
  const { json } = await service.get("/drafts?status=sending");
  assert.deepEqual(json.drafts, [], "drafts stay in `sending`");
}

const idOf = (bytes) => /^X-Paraph-Id: (.*)\r$/m.exec(bytes.toString("latin1"))[1];

// What was acknowledged before a kill, but not told, may have left as well.
function assertOnce(mails, all) {
  const counts = new Map();
  for (const id of mails.map(idOf)) counts.set(id, (counts.get(id) ?? 0) + 1);
  const doubled = [...counts].filter(([, count]) => count > 1);
  const lost = [...all].filter((id) => !counts.has(id));
  console.log(`${CRASHES} crashes, ${all.size} drafts, ${mails.length} mails: ` +
    `${lost.length} lost, ${doubled.length} doubled`);
  assert.deepEqual({ doubled, lost }, { doubled: [], lost: [] });
  assert.ok(all.size > CRASHES / 4, "hardly anything was acknowledged: the test tests nothing");
}

test(`on the embedded pair, seed ${SEED}`, async (t) => {
  const env = await shortLived(t, { DATA_DIR: join(await temporary(t), "data") });
  const { service, all } = await crashAndSettle(t, env, random(SEED));
  await assertAllSettled(service);
  assertOnce(await service.outbox(), all);
});

test(`on Google, seed ${SEED}`, async (t) => {
  const google = await standIn(t);
  const env = await shortLived(t, settings(google, SHORT));
  const { service, all } = await crashAndSettle(t, env, random(SEED));
  await eventually(() => google.drafts().length === 0, "stray drafts stay in the mailbox");
  await assertAllSettled(service);
  assertOnce(google.mails().map(({ submitted }) => submitted), all);
  assert.deepEqual(google.problems, []);
});
