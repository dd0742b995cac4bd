// Two hundred edits, every other one broken, while all kinds of requests are served: what is right
// goes live, what is wrong does not, and no request notices.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { REVIEW, WATCHED, holds, letter, live, refusals, refused, replace } from "./lib/reload.mjs";
import { isInstrumented, overlay, start } from "./lib/service.mjs";

const EDITS = 200, WARM = 20, CLIENTS = 4, GROWTH_MIB = 12;

async function memory(service) {
  const status = await readFile(`/proc/${service.pid}/status`, "utf8");
  return Number(status.match(/^VmRSS:\s+(\d+)/m)[1]) / 1024;
}

const note = (i) => `<p>good-${i}</p>`;
const BROKEN = {
  script: ["local review = {}\nreturn review +", "local review = {}\nerror('bad')\nreturn review",
    "local review = {}\nreturn reviw", "local x = {}\nreturn x.y.z"],
  template: ["<p>bad</p>\n{{#open}}", "<p>bad</p>{{/open}}"],
};

// One round of every kind of request. What an edit decides is at least as new as the last one that
// was live before the request, and a good one.
async function round(service, state) {
  const ok = async (reply) => {
    const { status, text, json } = await reply;
    assert.ok(status === 200, `${status} ${text}`);
    state.requests++;
    return json ?? text;
  };
  const fresh = (kind, marker, since) => {
    const i = Number(marker?.match(/^good-(\d+)$/)?.[1]);
    assert.ok(i >= since && state.good[kind].has(i), `${marker} after good-${since}`);
  };
  await ok(service.get("/health"));
  await ok(service.get("/ready"));
  let since = state.live.script;
  fresh("script", (await ok(service.post("/", letter))).held, since);
  const { draft_id: id } = await ok(service.post("/", {
    to: letter.to, subject: "s", template: "note", mode: "draft" }));
  since = state.live.template;
  const shown = await ok(service.get(`/drafts/${id}/message`));
  fresh("template", shown.match(/<p>(.*?)<\/p>/)?.[1], since);
  await ok(service.patch(`/drafts/${id}`, { subject: "t" }));
  await ok(service.get("/drafts?limit=5"));
  await ok(service.post("/send-draft", { draft_id: id }));
  assert.equal((await ok(service.get(`/drafts/${id}`))).draft.status, "sent");
  await ok(service.get(`/pixel?id=${id}`));
}

async function client(service, state) {
  while (!state.ended) await round(service, state);
}

// Bad, then good again; two scripts, two templates, and so on.
async function editAll(service, state, write) {
  const took = [];
  let first;
  for (let i = 1; i <= EDITS; i++) {
    const isGood = i % 2 === 0;
    const kind = Math.ceil(i / 2) % 2 === 1 ? "script" : "template";
    const broken = BROKEN[kind][(i >> 2) % BROKEN[kind].length];
    if (isGood) state.good[kind].add(i);
    const began = performance.now();
    const text = isGood ? { script: holds(`good-${i}`), template: note(i) }[kind] : broken;
    const event = await (isGood ? live : refused)(service, () => write[kind](text));
    if (isGood) {
      took.push(performance.now() - began);
      state.live[kind] = i;
      assert.equal(event.generation, i / 2 + 1);
    }
    if (i === WARM) first = await memory(service);
  }
  return { took: took.sort((a, b) => a - b), first, last: await memory(service) };
}

test("two hundred edits, and no request notices", async (t) => {
  const scripts = await overlay(t, { [REVIEW]: holds("good-0") });
  const templates = await overlay(t, { "mail/note.mustache": note(0) });
  const service = await start(t, { SCRIPTS_DIR: scripts, TEMPLATES_DIR: templates, ...WATCHED });
  const zero = () => new Set([0]);
  const state = { requests: 0, ended: false, live: { script: 0, template: 0 },
    good: { script: zero(), template: zero() } };
  const clients = Promise.all(Array.from({ length: CLIENTS }, () => client(service, state)));
  const edits = editAll(service, state, {
    script: (text) => replace(scripts, REVIEW, text),
    template: (text) => replace(templates, "mail/note.mustache", text),
  }).finally(() => { state.ended = true; });
  const { took, first, last } = (await Promise.all([edits, clients]))[0];

  assert.equal(service.log.filter((e) => e.message === "scripts reloaded").length, EDITS / 2);
  assert.equal(refusals(service).length, EDITS / 2);
  if (!await isInstrumented() /* a sanitizer keeps what is freed for a while */) {
    assert.ok(last - first < GROWTH_MIB, `from ${first} to ${last} MiB`);
  }
  const at = (q) => `${took[Math.ceil(took.length * q) - 1].toFixed(0)} ms`;
  t.diagnostic(`edit to live: median ${at(0.5)}, p99 ${at(0.99)}, at most ${at(1)}`);
  t.diagnostic(`${state.requests} requests meanwhile; memory ${first.toFixed(1)} MiB after `
    + `${WARM} edits, ${last.toFixed(1)} MiB after ${EDITS}`);
});
