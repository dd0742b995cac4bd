// Ten thousand drafts: the list is as small as it is with fifty, and what each page asks of the store
// does not grow with what is in it.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { bearer } from "./lib/identity.mjs";
import { startReviewed } from "./lib/review.mjs";

const ROWS = 50;
const LIST_BYTES = 60_000;

// Of ten drafts, so many are in each state.
const STATES = [
  ...Array(4).fill({ status: "pending" }),
  { status: "pending", waiting: "held", held: "more than 20 recipients at once" },
  ...Array(4).fill({ status: "sent", sent_at: "2026-02-01T00:00:00Z",
    reviewed_at: "2026-02-01T00:00:00Z", reviewed_by: "ann" }),
  { status: "rejected", reject_reason: "said already" },
];

const started = Date.parse("2026-01-01T00:00:00Z");

function draftNumber(i) {
  return {
    to: `Customer Number ${i} <customer${i}@shop${i % 300}.example.com>`,
    subject: `Your order ${100000 + i}: we have a question about the delivery on Thursday`,
    body: `Dear customer,\n\nyour order ${100000 + i} is nearly ready: see https://example.com/${i}`,
    created_at: new Date(started + i * 60_000).toISOString(), created_by: "crm@example.com",
    ...STATES[i % STATES.length],
  };
}

// { id: draft }, and the id of the newest one that waits.
function manyDrafts(count) {
  const drafts = {};
  let newest;
  for (let i = 0; i < count; i++) {
    const id = randomUUID();
    drafts[id] = draftNumber(i);
    if (drafts[id].status === "pending") newest = id;
  }
  return { drafts, newest };
}

// What a page asks of Firestore: calls by method, and how many documents these may read at most.
function asked(calls) {
  const methods = {};
  let documents = 0;
  for (const { api, method, json } of calls) {
    if (api !== "firestore") continue;
    const name = method.match(/[^.]+$/)[0];
    methods[name] = (methods[name] ?? 0) + 1;
    documents += json?.structuredQuery?.limit?.value ?? json?.structuredQuery?.limit ?? 1;
  }
  return { methods, documents };
}

// Pages after the first of each, when what is the same for all is known: their answers, what they
// asked of Firestore, and how long they took, which is said and proves nothing.
async function visit(t, service, options, paths) {
  const visits = {};
  for (const [name, path] of Object.entries(paths)) {
    await service.get(path, options);
    const before = service.world.google?.log.length;
    const from = performance.now();
    const reply = await service.get(path, options);
    const ms = Math.round(performance.now() - from);
    assert.equal(reply.status, 200, `${path}: ${reply.text}`);
    const calls = asked(service.world.google?.log.slice(before) ?? []);
    t.diagnostic(`${name}: ${reply.bytes.length} bytes in ${ms} ms; ${JSON.stringify(calls)}`);
    visits[name] = { reply, calls };
  }
  return visits;
}

// What each page asks of Firestore, whatever there is. The list: for its rows, what is newest and what was
// for the recipients' other mail, which is looked up for each row; and for the counts of the tabs.
const ASKED = {
  list: { runQuery: 4, runAggregationQuery: 6, batchGet: ROWS },
  draft: { runQuery: 1, batchGet: 2 },
  edit: { batchGet: 1 },
  letter: { batchGet: 1 },
};

const rowsOf = ({ reply }) => reply.text.match(/type="checkbox" name="draft"/g).length;

test("ten thousand drafts", async (t) => {
  const { service, keys } = await startReviewed(t);
  const options = bearer(keys.ann);
  const paths = (id) => ({ list: "/review", search: "/review?q=question", draft: `/review/${id}`,
    edit: `/review/${id}/edit`, letter: `/review/${id}/html`, figures: "/review/stats?days=7" });
  const few = manyDrafts(100);
  await service.world.put("email_drafts", few.drafts);
  const before = await visit(t, service, options, paths(few.newest));
  const many = manyDrafts(10_000);
  await service.world.put("email_drafts", many.drafts);
  const after = await visit(t, service, options, paths(many.newest));
  for (const { list } of [before, after]) {
    assert.equal(rowsOf(list), ROWS);
    assert.ok(list.reply.bytes.length < LIST_BYTES, `${list.reply.bytes.length} bytes`);
  }
  if (process.env.TEST_ON !== "google") return; // where calls are seen
  for (const [name, methods] of Object.entries(ASKED)) {
    assert.deepEqual(before[name].calls.methods, methods, name);
    assert.deepEqual(after[name].calls, before[name].calls, name);
  }
});
