// Firestore that fails: lost answers, refusals, processes that end in the middle, an index that is
// not there. On the stand-in, which can do all that.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { start } from "../e2e/lib/backends.mjs";
import { receive } from "../e2e/lib/receiver.mjs";
import { assertRefused, patientPixel } from "../e2e/lib/service.mjs";

const COMMIT = "firestore.projects.databases.documents.commit";
const LETTER = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!" };

// --- an index -------------------------------------------------------------------------------------

test("a missing index is named, with how to make it", async (t) => {
  const service = await start(t, {}, { indexes: [] });
  const id = await service.draft();
  assert.equal((await service.get("/drafts")).json.drafts[0].draft_id, id);
  const refused = await service.get("/drafts?status=pending");
  assertRefused(refused, 502, "firestore_error");
  const [, fields, link] = refused.json.error.match(
    /^Firestore has no index of email_drafts on (.*); create it at (https:\S+)$/);
  assert.equal(fields, "status and created_at (descending)");
  const named = Buffer.from(new URL(link).searchParams.get("create_composite"), "base64url");
  const index = JSON.parse(named);
  service.world.google.configure({ indexes: [index] });
  assert.equal((await service.get("/drafts?status=pending")).json.drafts[0].draft_id, id);
});

// --- counting -------------------------------------------------------------------------------------

for (const [what, fault] of [
  ["whose answers are lost", { kind: "cut", when: "after" }],
  ["whose answers break off", { kind: "truncate" }],
  ["that get in each other's way", { symptom: "firestore_aborted" }],
]) {
  test(`200 opens at once, of two processes and ${what}, are 200`, async (t) => {
    const env = { SCRIPTS_DIR: await patientPixel(t) };
    const one = await start(t, env);
    const two = await start(t, env, { at: one.world });
    const { google, stored } = one.world;
    const { json: { pixel_id: id } } = await one.post("/", { ...LETTER, mode: "send" });
    const lost = google.fault({ method: COMMIT, count: 50, ...fault });
    await Promise.all(Array.from({ length: 200 }, (_, i) =>
      [one, two][i % 2].get(`/pixel?id=${id}`)));
    assert.equal(lost.hits, 50);
    assert.equal((await stored("email_opens", id)).open_count, 200);
  });
}

// --- events ---------------------------------------------------------------------------------------

test("a draft and its event are both there or neither, whatever is lost", async (t) => {
  const receiver = await receive(t);
  const service = await start(t, receiver.env);
  const { google } = service.world;
  const drafts = (n) => Promise.all(Array.from({ length: n }, () =>
    service.post("/", { ...LETTER, mode: "draft" })));
  const kept = [];
  for (const fault of [{ status: 400, message: "No." }, { kind: "cut", when: "after" },
    { symptom: "firestore_aborted" }]) {
    google.fault({ method: COMMIT, count: 10, ...fault });
    kept.push(...(await drafts(15)).filter(({ status }) => status === 200));
  }
  const ids = (await service.get("/drafts?limit=200")).json.drafts.map((draft) => draft.draft_id);
  assert.deepEqual(kept.map(({ json }) => json.draft_id).sort(), ids.sort());
  assert.equal(ids.length, 5 + 15 + 15);
  await receiver.until(() => new Set(receiver.events.map((e) => e.data.draft_id)).size >= ids.length);
  const events = new Map(receiver.events.map((e) => [e.id, e.data.draft_id]));
  assert.deepEqual([...events.values()].sort(), ids);
});

// --- a draft that is written half -----------------------------------------------------------------

const content = (megabytes) => randomBytes(megabytes << 20).toString("base64");
const attached = (...contents) => contents.map((one, i) => ({ filename: `${i}.bin`, content: one }));

// The drafts there are, and what is below them.
function stored(google) {
  return [...google.firestore.documents.keys()].map((name) => name.split("/documents/")[1])
    .filter((path) => path.startsWith("email_drafts/"));
}

// End the process in the middle of this commit of what it writes; another one.
async function killAt(t, { service, skip }, write) {
  const { google } = service.world;
  const fault = google.fault({ method: COMMIT, skip, kind: "hang" });
  const writing = assert.rejects(write());
  await google.until(() => fault.hits > 0);
  await service.kill();
  await writing;
  return start(t, {}, { at: service.world });
}

// 5 or 6 MB are two commits of slices and the one of the document.
for (const skip of [0, 1, 2]) {
  test(`a draft refused at commit ${skip + 1} of 3 leaves nothing behind`, async (t) => {
    const service = await start(t);
    const { google } = service.world;
    google.fault({ method: COMMIT, skip, status: 400, message: "No." });
    const refused = await service.post("/",
      { ...LETTER, mode: "draft", attachments: attached(content(5)) });
    assertRefused(refused, 502, "firestore_error");
    assert.deepEqual(stored(google), []);
    assert.deepEqual((await service.get("/drafts")).json.drafts, []);
  });

  test(`a process that ends at commit ${skip + 1} of 3 leaves no half draft`, async (t) => {
    let service = await start(t);
    const { google } = service.world;
    const kept = content(1), lost = content(5);
    const id = await service.draft({ attachments: attached(kept) });
    const before = await service.get(`/drafts/${id}/message`);

    service = await killAt(t, { service, skip }, () =>
      service.post("/", { ...LETTER, mode: "draft", attachments: attached(lost) }));
    const { drafts } = (await service.get("/drafts")).json;
    assert.deepEqual(drafts.map((draft) => draft.draft_id), [id]);

    service = await killAt(t, { service, skip }, () =>
      service.patch(`/drafts/${id}`, { attachments: attached(lost, kept) }));
    const after = await service.get(`/drafts/${id}/message`);
    assert.equal(after.headers.get("etag"), before.headers.get("etag"));

    // What was left behind goes with the next parts.
    const patched = await service.patch(`/drafts/${id}`, { attachments: attached(kept) });
    assert.equal(patched.status, 200, patched.text);
    const mine = stored(google).filter((path) => path.startsWith(`email_drafts/${id}`));
    assert.equal(mine.length, 1 + 2, mine.join("\n"));
  });
}
