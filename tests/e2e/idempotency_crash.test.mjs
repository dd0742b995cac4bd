// kill -9 at each step of a request with an Idempotency-Key: the same key goes on with the same
// send, and in the end there is one mail.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { backends } from "./lib/backends.mjs";
import { random } from "./lib/random.mjs";
import { assertRefused, overlay, start } from "./lib/service.mjs";

const SEED = Number(process.env.SEED ?? 20260301);

const letter = (subject, mode) => ({ to: "ann@example.com", subject, message: "Hi Ann!", mode });
const withKey = (key) => ({ headers: { "Idempotency-Key": key } });

// Everything that writes, or lets out, is a step. At the step of this number the process stands
// still: before it, or after it, with the result lost.
const standStill = (step, after) => `
  local log, task = require "paraph.log", require "paraph.task"
  local function copied(module)
    local copy = {}
    for name, value in pairs(module) do copy[name] = value end
    return copy
  end
  local mail, store = copied(require "paraph.mail"), copied(require "paraph.store")
  local taken = 0
  local function counted(name, f)
    return function(...)
      taken = taken + 1
      if taken ~= ${step} then return f(...) end
      if ${after} then f(...) end
      log.info("standing still", { step = name })
      task.sleep(3600000)
    end
  end
  local function watched(claim)
    local methods = { held = claim }
    for _, name in ipairs { "note", "finish", "drop" } do
      methods[name] = counted(name, function(_, ...) return claim[name](claim, ...) end)
    end
    return methods
  end
  local function with_claim(f) return function(claim, what) return f(claim.held, what) end end
  local claim = store.claim
  store.claim = counted("claim", function(...)
    local held, err = claim(...)
    return held and watched(held), err
  end)
  for _, name in ipairs { "create", "update", "delete" } do
    store[name] = counted(name, store[name])
  end
  mail.send = counted("send", mail.send)
  for _, name in ipairs { "draft_create", "draft_send" } do
    mail[name] = counted(name, with_claim(mail[name]))
  end
  return { mail = mail, store = store }`;

// Modules are read-only, so every script that uses these two is given the ones that stand still.
async function overlayThatStandsStill(t, step, after) {
  const dir = new URL("../../scripts/", import.meta.url).pathname;
  const files = { "still.lua": standStill(step, after) };
  for (const name of await readdir(dir, { recursive: true })) {
    if (!name.endsWith(".lua") || name.startsWith("types/")) continue;
    const text = await readFile(join(dir, name), "utf8");
    const still = text.replace(/require "paraph\.(mail|store)"/g, 'require("still").$1');
    if (still !== text && !name.endsWith("_test.lua")) files[name] = still;
  }
  return overlay(t, files);
}

// What is asked, and what becomes of it; how many steps it has.
const requests = {
  "a send": {
    steps: 10, status: "sent",
    prepare: async (_, subject) => ({ path: "/", json: letter(subject, "send") }),
  },
  "a draft": {
    steps: 3, status: "pending",
    prepare: async (_, subject) => ({ path: "/", json: letter(subject, "draft") }),
  },
  "the sending of a draft": {
    steps: 9, status: "sent",
    prepare: async (service, subject) =>
      ({ path: "/send-draft", json: { draft_id: await service.draft({ subject }) } }),
  },
};

// Kill a service that stands still at this step; the step's name, or null: there are fewer.
async function killAt(t, env, { path, json }, key, step, after) {
  const scripts = await overlayThatStandsStill(t, step, after);
  const service = await start(t, { ...env, SCRIPTS_DIR: scripts });
  const still = service.event((e) => e.message === "standing still").then((e) => e, () => null);
  const answer = service.post(path, json, key).catch(() => null);
  const reached = await Promise.race([still, answer.then(() => null)]);
  await service.kill();
  await answer;
  return reached && reached.step;
}

// The same key, until it is answered: it is in progress for as long as somebody's lease says so.
async function goOn(world, service, { path, json }, key) {
  for (let tries = 0; ; tries++) {
    const reply = await service.post(path, json, key);
    if (reply.status === 200) return reply;
    assertRefused(reply, 409, "in_progress");
    assert.ok(tries < 10, "it is in progress for ever");
    await world.outlive();
  }
}

for (const [name, backend] of Object.entries(backends)) {
  for (const [what, { steps, status, prepare }] of Object.entries(requests)) {
    for (const after of [false, true]) {
      test(`${name}: ${what}, killed ${after ? "after" : "before"} each step`, async (t) => {
        const world = await backend(t);
        const service = await start(t, world.env);
        let step = 1;
        for (let reached = true; reached; step++) {
          const subject = `Step ${step}`, key = withKey(randomUUID());
          const request = await prepare(service, subject);
          reached = await killAt(t, world.env, request, key, step, after);

          const answer = await goOn(world, service, request, key);
          const again = await service.post(request.path, request.json, key);
          assert.equal(again.text, answer.text);
          assert.equal(again.headers.get("idempotency-replayed"), "true");
          const mails = (await world.subjects()).filter((one) => one === subject);
          assert.equal(mails.length, status === "sent" ? 1 : 0, `at step ${step}, ${reached}`);
          assert.deepEqual(await world.waiting(), [], `at step ${step}, ${reached}`);
          const drafts = (await service.get("/drafts")).json.drafts
            .filter((one) => one.subject === subject);
          assert.deepEqual(drafts.map((one) => one.status), [status]);
        }
        assert.equal(step - 2, steps);
      });
    }
  }
}

test("a send that was killed, under the brake: taken back, and held", async (t) => {
  const world = await backends.google(t);
  const request = { path: "/", json: letter("Once", "send") }, key = withKey(randomUUID());
  assert.equal(await killAt(t, world.env, request, key, 7, false), "draft_send");
  const braked = await start(t, { ...world.env, NO_SEND: "true" });
  const { draft_id: id, ...rest } = (await goOn(world, braked, request, key)).json;
  assert.deepEqual(rest, { status: "ok", mode: "draft", held: "no_send" });
  assert.deepEqual(await world.subjects(), []);
  assert.deepEqual(await world.waiting(), []);
  assert.equal((await braked.document(id)).status, "pending");
});

test(`many sends under keys, killed at random moments, seed ${SEED}`, async (t) => {
  console.log(`seed ${SEED}`);
  const chance = random(SEED);
  const world = await backends.local(t);
  const all = Array.from({ length: 40 }, (_, i) =>
    ({ path: "/", json: letter(`Once ${i}`, "send"), key: withKey(`key ${i}`) }));
  const answers = new Map();
  let service = await start(t, world.env);
  for (let round = 0; round < 6; round++) {
    const limit = answers.size + chance.between(1, 6);
    await Promise.all(all.map(async ({ path, json, key }) => {
      const reply = await service.post(path, json, key).catch(() => null); // the connection broke
      if (reply?.status !== 200) return;
      assert.equal(reply.text, answers.get(key) ?? reply.text);
      answers.set(key, reply.text);
      if (answers.size === limit) service.signal("SIGKILL");
    }));
    await service.kill();
    await world.outlive();
    service = await start(t, world.env);
  }
  for (const request of all) {
    const reply = await goOn(world, service, request, request.key);
    assert.equal(reply.text, answers.get(request.key) ?? reply.text);
  }
  assert.deepEqual((await world.subjects()).sort(), all.map(({ json }) => json.subject).sort());
  const { drafts } = (await service.get("/drafts?limit=200&status=sent")).json;
  assert.equal(drafts.length, all.length);
});
