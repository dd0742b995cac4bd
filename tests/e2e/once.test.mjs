// Sent exactly once, whatever fails: every call of the sequence meets every fault, and the service
// lives on or is killed there and started again. What comes of it is one mail, or a draft that waits
// for review with the reason, and nothing left behind; and who approves again then, gets one mail.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { settings, standIn } from "./lib/google.mjs";
import { overlay, start } from "./lib/service.mjs";

const COMMIT = "firestore.projects.databases.documents.commit";
const LOAD = "firestore.projects.databases.documents.batchGet";
const gmail = (name) => `gmail.users.${name}`;

const LOST = { method: gmail("drafts.send"), kind: "cut", when: "after" };
const REFUSED = { method: gmail("drafts.send"), status: 400, reason: "invalidArgument" };

// The calls of a send, in order: which one of its method, and what must have failed before.
const STEPS = [
  ["load", { method: LOAD }],
  ["claim", { method: COMMIT, skip: 0 }],
  ["pixel", { method: COMMIT, skip: 1 }],
  ["create", { method: gmail("drafts.create") }],
  ["write down", { method: COMMIT, skip: 2 }],
  ["send", { method: gmail("drafts.send") }],
  ["mark", { method: COMMIT, skip: 3 }],
  ["settle", { method: gmail("drafts.get") }, LOST],
  ["look", { method: gmail("threads.get") }, LOST],
  ["withdraw", { method: COMMIT, skip: 3 }, REFUSED],
  ["delete", { method: gmail("drafts.delete") }, REFUSED],
  ["release", { method: COMMIT, skip: 4 }, REFUSED],
];

const FAULTS = {
  "refused before": { status: 503 },
  "4xx": { status: 400, reason: "invalidArgument", message: "No." },
  "429": ({ method }) => method === LOAD || method === COMMIT
    ? { symptom: "firestore_resource_exhausted" }
    : { symptom: "gmail_sending_limit", retryAfterMs: 800 },
  "500 before": { status: 500 },
  "500 after": { status: 500, when: "after" },
  "cut before": { kind: "cut", when: "before" },
  "cut after": { kind: "cut", when: "after" },
  "time-out after": { kind: "hang", when: "after" },
};

const PARALLEL = 12; // they mostly wait for claims to run out
const SETTLED_MS = 60_000;

// A sweep that looks often.
async function environment(t, google) {
  const scripts = await overlay(t, {
    "jobs.lua": `local delivery = require "lib.delivery"
      return { { "sweep", every = 0.2, run = delivery.sweep } }`,
  });
  return settings(google, { UPSTREAM_TIMEOUT: "5", SCRIPTS_DIR: scripts });
}

// Let the claim on a draft outlive its holder, if there is one, and strays be old.
function outlive(google, id) {
  const long_ago = { timestampValue: "2020-01-01T00:00:00Z" };
  const draft = google.document("email_drafts", id);
  if (draft.status.stringValue === "sending") draft.sending_since = long_ago;
  const strays = google.document("email_drafts_strays", id);
  if (strays) strays.created_at = long_ago;
}

async function eventually(what, look) {
  for (const until = Date.now() + SETTLED_MS; Date.now() < until; await sleep(50)) {
    const found = await look().catch((error) => {
      if (error.code === "ERR_ASSERTION") throw error; // and not: the service is busy
    });
    if (found) return found;
  }
  throw new Error(`${what}: waited in vain`);
}

// What becomes of it by itself, when nobody works on it any more.
const settled = (google, service, id) => eventually("the draft is settled", async () => {
  outlive(google, id);
  const { status, json } = await service.get(`/drafts/${id}`);
  return status === 200 && json.draft.status !== "sending" && google.drafts().length === 0 &&
    !google.document("email_drafts_strays", id) && json.draft;
});

// Approve until the mail is out.
const approve = (service, id) => eventually("the draft is sent", async () => {
  const { status, json } = await service.post("/send-draft", { draft_id: id });
  return status === 200 || json.code === "already_sent";
});

// For whoever has to find out what went wrong.
const story = (google) => google.log
  .filter(({ method }) => !method.endsWith("runQuery"))
  .map(({ method, status, fault, json }) => `${method} ${status ?? "-"}${fault ? " (fault)" : ""} ${
    JSON.stringify(json)?.slice(0, 300) ?? ""}`).join("\n");

function assertState(google, draft, answer) {
  const mails = google.mails();
  assert.equal(mails.length, draft.status === "sent" ? 1 : 0, `${draft.status}: ${draft.error}`);
  assert.equal(google.drafts().length, 0, `a stray draft in the mailbox\n${story(google)}`);
  if (draft.status === "sent") {
    assert.ok(google.document("email_opens", draft.pixel_id), "no pixel");
    if (draft.message_id) assert.equal(draft.message_id, mails[0].id);
  } else {
    assert.equal(draft.status, "pending");
    const reason = draft.error ?? answer?.error;
    assert.ok(reason?.length > 10 || answer === undefined, "it waits without a reason");
  }
}

// One scenario; the state that it has come to by itself.
async function play(t, google, { step, fault, before, killed }) {
  google.reset();
  const env = await environment(t, google);
  let service = await start(t, env);
  const id = await service.draft();
  await service.get(`/drafts/${id}/message`); // tokens and identities are there
  google.log = [];
  const spec = typeof fault === "function" ? fault(step) : fault;
  const hit = google.fault({ ...spec, ...step, count: 1 });
  if (before) google.fault({ ...before, count: 1 });

  let answer;
  const asked = service.post("/send-draft", { draft_id: id })
    .then((reply) => { answer = reply.json; }, () => {});
  if (killed) {
    await Promise.race([google.until((call) => call.fault === hit && hit.hits > 0), asked]);
    await service.kill();
    service = await start(t, env);
  }
  await asked;
  google.faults.clear();
  const draft = await settled(google, service, id);
  assertState(google, draft, answer);

  await approve(service, id);
  assertState(google, await settled(google, service, id));
  await service.stop();
  return { state: draft.status, hits: hit.hits };
}

function table(results) {
  const names = Object.keys(FAULTS);
  const rows = STEPS.map(([name]) => [name, ...names.map((fault) =>
    results.filter((one) => one.name === name && one.faultName === fault)
      .map(({ state, killed }) => `${state === "sent" ? "sent" : "waits"}${killed ? "†" : ""}`)
      .join(" "))]);
  return [["", ...names], ...rows]
    .map((row) => row.map((cell) => cell.padEnd(14)).join("")).join("\n");
}

test("every call of the sequence × every fault × lives on or is killed (†)", { concurrency: PARALLEL }, async (t) => {
  const scenarios = STEPS.flatMap(([name, step, before]) =>
    Object.entries(FAULTS).flatMap(([faultName, fault]) =>
      [false, true].map((killed) => ({ name, step, before, faultName, fault, killed }))));
  const results = [];
  const queue = scenarios.entries();
  await Promise.all(Array.from({ length: PARALLEL }, async () => {
    const google = await standIn(t);
    for (const [, scenario] of queue) {
      const { name, faultName, killed } = scenario;
      await t.test(`${name}, ${faultName}${killed ? ", killed" : ""}`, async (sub) => {
        const { state, hits } = await play(sub, google, scenario);
        assert.equal(hits, 1, "the fault met nothing");
        results.push({ ...scenario, state });
      });
    }
  }));
  const count = (state) => results.filter((one) => one.state === state).length;
  console.log(table(results));
  console.log(`${results.length} scenarios: ${count("sent")} sent, ${count("pending")} wait; ` +
    "0 doubled, 0 lost, 0 stray drafts");
});
