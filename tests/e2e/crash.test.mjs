// kill -9 at random moments: what was acknowledged is there afterwards, all of it, whole.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { random } from "./lib/random.mjs";
import { start, temporary } from "./lib/service.mjs";

const SEED = Number(process.env.SEED ?? 20260301);
const WRITES = 2000;
const WRITERS = 16;

async function integrity(dataDir) {
  const { stdout } = await promisify(execFile)("sqlite3",
    [join(dataDir, "paraph.db"), "PRAGMA integrity_check"]);
  return stdout.trim();
}

// Write until the process is gone; what it acknowledged goes into `kept`.
async function writer(service, next, kept) {
  for (let n = next(); n !== undefined; n = next()) {
    const subject = `Number ${n}`;
    const json = {
      to: "ann@example.com", subject, message: `body ${n} `.repeat(50), mode: "draft",
      attachments: n % 10 === 0 ? [{ filename: `${n}.txt`, content: btoa(`part ${n}`) }] : [],
    };
    try {
      const reply = await service.post("/", json);
      assert.equal(reply.status, 200, reply.text);
      kept.set(reply.json.draft_id, n);
    } catch (error) {
      if (error.code === "ERR_ASSERTION") throw error;
      return; // the connection broke: nothing was promised
    }
  }
}

async function check(service, kept) {
  for (const [id, n] of kept) {
    const draft = await service.document(id);
    assert.equal(draft.subject, `Number ${n}`);
    assert.equal(draft.body, `body ${n} `.repeat(50));
    assert.equal(draft.status, "pending");
    if (n % 10 !== 0) continue;
    const { status, text } = await service.get(`/drafts/${id}/message`);
    assert.equal(status, 200);
    assert.ok(text.includes(btoa(`part ${n}`)), `the attachment of ${n} is gone`);
  }
}

test(`every acknowledged draft survives kill -9, seed ${SEED}`, async (t) => {
  console.log(`seed ${SEED}`);
  const chance = random(SEED);
  const DATA_DIR = join(await temporary(t), "data");
  const kept = new Map();
  let written = 0, rounds = 0;
  while (written < WRITES) {
    const service = await start(t, { DATA_DIR });
    const limit = kept.size + chance.between(1, 400); // acknowledged in this round
    const next = () => written < WRITES ? written++ : undefined;
    const done = Promise.all(
      Array.from({ length: WRITERS }, () => writer(service, next, kept)));
    while (kept.size < limit && written < WRITES) await Promise.race([done, sleep(1)]);
    await sleep(chance.below(5));
    await service.kill();
    await done;
    rounds++;
    assert.equal(await integrity(DATA_DIR), "ok");
  }
  const service = await start(t, { DATA_DIR });
  await check(service, kept);
  let token = null, listed = 0;
  do {
    const more = token ? `&page_token=${encodeURIComponent(token)}` : "";
    const page = (await service.get(`/drafts?limit=200${more}`)).json;
    listed += page.drafts.length;
    token = page.next_page_token;
  } while (token !== null);
  console.log(`${rounds} kills, ${written} writes, ${kept.size} acknowledged, ${listed} there`);
  assert.ok(listed >= kept.size);
  assert.ok(kept.size > WRITES / 4, "hardly anything was acknowledged: the test tests nothing");
  await service.stop();
  assert.equal(await integrity(DATA_DIR), "ok");
});

test("a draft is sent once, whatever kills the sender", async (t) => {
  const chance = random(SEED + 1);
  const DATA_DIR = join(await temporary(t), "data");
  const ids = [];
  // A claim outlives its holder by twice this time. The message must be the same after a restart.
  const env = { DATA_DIR, REQUEST_TIMEOUT: "1", PIXEL_TRACKER_BASE_URL: "https://t.example.org" };
  let service = await start(t, env);
  for (let i = 0; i < 60; i++) ids.push(await service.draft({ subject: `Once ${i}` }));
  const acknowledged = new Set();
  for (let round = 0; round < 6; round++) {
    const limit = acknowledged.size + chance.between(1, 10);
    const send = async (id) => {
      const reply = await service.post("/send-draft", { draft_id: id });
      if (reply.status === 200) acknowledged.add(id);
      if (acknowledged.size === limit) service.signal("SIGKILL");
    };
    await Promise.allSettled(ids.map(send));
    await service.kill();
    service = await start(t, env);
  }

  // Nothing stays in `sending` for ever: whoever asks again takes the claim over.
  for (const id of ids) {
    let reply;
    while ((reply = await service.post("/send-draft", { draft_id: id })).status !== 200) {
      assert.equal(reply.status, 409, reply.text);
      if (reply.json.code === "already_sent") break;
      assert.equal(reply.json.code, "in_progress");
      await sleep(100);
    }
    assert.equal((await service.document(id)).status, "sent");
  }
  const subjects = (await service.outbox())
    .map((mail) => mail.toString().match(/^Subject: (.*)\r$/m)[1]);
  assert.deepEqual(subjects.sort(), ids.map((_, i) => `Once ${i}`).sort());
});
