// Many approve the same drafts at the same moment, on two instances: each leaves once.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { settings, standIn } from "./lib/google.mjs";
import { start, temporary } from "./lib/service.mjs";

const DRAFTS = 20, REQUESTS = 200;

async function race(services, count) {
  const ids = [];
  for (let i = 0; i < DRAFTS; i++) ids.push(await services[0].draft({ subject: `Race ${i}` }));
  const replies = await Promise.all(Array.from({ length: REQUESTS }, (_, i) =>
    services[i % services.length].post("/send-draft", { draft_id: ids[(i >> 1) % DRAFTS] })));

  const won = replies.filter(({ status }) => status === 200);
  assert.equal(won.length, DRAFTS);
  assert.equal(new Set(won.map(({ json }) => json.message_id)).size, DRAFTS);
  for (const { status, json } of replies) {
    if (status === 200) continue;
    assert.equal(status, 409);
    assert.ok(["in_progress", "already_sent"].includes(json.code), json.code);
  }
  assert.equal(await count(), DRAFTS);
  for (const id of ids) assert.equal((await services[1].document(id)).status, "sent");
}

test("on the embedded pair", async (t) => {
  const env = { DATA_DIR: join(await temporary(t), "data"),
    PIXEL_TRACKER_BASE_URL: "https://t.example.org" };
  const services = [await start(t, env), await start(t, env)];
  await race(services, async () => (await services[0].outbox()).length);
});

test("on Google", async (t) => {
  const google = await standIn(t);
  const services = [await start(t, settings(google)), await start(t, settings(google))];
  await race(services, async () => google.mails().length);
  assert.equal(google.drafts().length, 0);
});
