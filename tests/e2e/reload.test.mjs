// Scripts and templates that change while the service runs: what is right goes live, what is wrong
// does not, and no request notices.

import assert from "node:assert/strict";
import { readFile, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { overlay, put, run, start } from "./lib/service.mjs";

const WATCHED = { RELOAD_INTERVAL: "1" };
const letter = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!", mode: "send" };

// A review policy with this body; its first line is line 3 of the file.
const policy = (body) =>
  `local review = {}\nfunction review.decide(letter)\n${body}\nend\nreturn review`;
const holds = (why) => policy(`return "hold", "${why}"`);
const REVIEW = "policy/review.lua";

async function held(service) {
  const reply = await service.post("/", letter);
  assert.equal(reply.status, 200, reply.text);
  return reply.json.held;
}

const generation = async (service) => (await service.get("/ready")).json.generation;

// As a careful editor writes: never is half of it under that name.
async function replace(dir, name, text) {
  const beside = join(dir, `.${name.replaceAll("/", "-")}`);
  await put(dir, name.replace(/[^/]+$/, ".keep"), "");
  await writeFile(beside, text);
  await rename(beside, join(dir, name));
}

// The next event like that, after what `change` does.
async function after(service, change, accept, what) {
  const seen = service.log.length;
  await change();
  return service.event((e) => accept(e) && service.log.indexOf(e) >= seen, what);
}

const isReload = (e) => /reload/.test(e.message);
const hangUp = (service) => after(service, () => service.signal("SIGHUP"), isReload, "reload");

// What becomes of an edit that nobody announces.
const edit = (service, change) => after(service, change, isReload, "an edit");

async function live(service, change) {
  const event = await edit(service, change);
  assert.equal(event.message, "scripts reloaded", JSON.stringify(event));
  return event;
}

async function refused(service, change) {
  const event = await edit(service, change);
  assert.match(event.message, /^reload refused/);
  assert.equal(event.severity, "ERROR");
  return event;
}

const refusals = (service) => service.log.filter((e) => /^reload refused/.test(e.message));

// So many more looks; LOG_LEVEL=debug tells them.
async function looks(service, count) {
  const isLook = (e) => e.message === "scripts looked at";
  for (let i = 0; i < count; i++) await after(service, () => {}, isLook, "a look");
}

// --- on SIGHUP -----------------------------------------------------------------------------------

test("SIGHUP loads the scripts anew", async (t) => {
  const scripts = await overlay(t, { [REVIEW]: holds("one") });
  const service = await start(t, { SCRIPTS_DIR: scripts });
  assert.equal(await held(service), "one");
  const before = await generation(service);

  await put(scripts, REVIEW, holds("two"));
  assert.equal(await held(service), "one");
  await hangUp(service);
  assert.equal(await held(service), "two");
  assert.equal(await generation(service), before + 1);
});

test("SIGHUP loads the templates anew", async (t) => {
  const templates = await overlay(t, { "mail/note.mustache": "<p>one</p>" });
  const service = await start(t, { TEMPLATES_DIR: templates });
  const request = { to: letter.to, subject: "s", template: "note", mode: "draft" };
  const { draft_id: id } = (await service.post("/", request)).json;
  const shown = async () => (await service.get(`/drafts/${id}/message`)).text;
  assert.match(await shown(), /<p>one<\/p>/);
  await put(templates, "mail/note.mustache", "<p>two</p>");
  await hangUp(service);
  assert.match(await shown(), /<p>two<\/p>/);

  await put(templates, "mail/note.mustache", "<p>\n{{#open}}</p>");
  const event = await hangUp(service);
  assert.equal(event.severity, "ERROR");
  assert.match(JSON.stringify(event), /mail\/note\.mustache:\d/);
  assert.match(await shown(), /<p>two<\/p>/);
});

test("a broken script never replaces a working one", async (t) => {
  const scripts = await overlay(t, { [REVIEW]: holds("one") });
  const service = await start(t, { SCRIPTS_DIR: scripts });
  const before = await generation(service);
  const broken = {
    "a syntax error": "local review = {}\nreturn review +",
    "an error at load": "local review = {}\nerror('at load')\nreturn review",
    "nothing returned": "local review = {}\n",
    "an endless load": "local review = {}\nwhile true do end\nreturn review",
    "a global": "local review = {}\nx = 1\nreturn review",
  };
  for (const [name, text] of Object.entries(broken)) {
    await put(scripts, REVIEW, text);
    const event = await hangUp(service);
    assert.equal(event.severity, "ERROR", name);
    assert.match(JSON.stringify(event), /policy[/.]review/, name);
    if (name !== "nothing returned") assert.match(JSON.stringify(event), /review\.lua:[123]/, name);
    assert.equal(await held(service), "one", name);
    assert.equal(await generation(service), before);
    assert.equal((await service.get("/ready")).status, 200);
  }
  await put(scripts, REVIEW, holds("two"));
  await hangUp(service);
  assert.equal(await held(service), "two");
});

test("routes that are wrong never replace right ones", async (t) => {
  const scripts = await overlay(t, {});
  const service = await start(t, { SCRIPTS_DIR: scripts });
  for (const text of ["return 7", "return {}", 'return { { "GET" } }',
    'return { { "GET", "/x", handler = 7, access = "public" } }',
    'return { { "GET", "/x", handler = print, access = "boss" } }',
    'return { { "GET", "/x", handler = print } }',
    'return { { "FROB", "x", handler = print, access = "public" } }']) {
    await put(scripts, "routes.lua", text);
    const event = await hangUp(service);
    assert.equal(event.severity, "ERROR", text);
    assert.equal((await service.get("/drafts")).status, 200);
  }
});

test("a request under way ends with the scripts it began with", async (t) => {
  const routes = (word) => `
    local task = require "paraph.task"
    local log = require "paraph.log"
    local health = require "api.health"
    return {
      { "GET", "/word", access = "public", handler = function()
        log.info("waiting")
        task.sleep(500)
        return { json = { word = "${word}" } }
      end },
      { "GET", "/ready", handler = health.ready, access = "public", serve = "all" },
    }`;
  const scripts = await overlay(t, { "routes.lua": routes("old") });
  const service = await start(t, { SCRIPTS_DIR: scripts });
  const reply = service.get("/word");
  await service.event((e) => e.message === "waiting");
  await put(scripts, "routes.lua", routes("new"));
  await hangUp(service);
  assert.equal((await reply).json.word, "old");
  assert.equal((await service.get("/word")).json.word, "new");
});

test("a hundred reloads leave nothing behind", async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, { [REVIEW]: holds("x") }) });
  for (let i = 0; i < 100; i++) await hangUp(service);
  assert.equal(await held(service), "x");
});

test("every SIGHUP is answered, by one event", async (t) => {
  const scripts = await overlay(t, {});
  const service = await start(t, { SCRIPTS_DIR: scripts });
  const event = await hangUp(service);
  assert.equal(event.changed, "nothing");
  assert.equal(event.generation, 2);
  await put(scripts, REVIEW, "return +");
  for (let i = 0; i < 3; i++) assert.match((await hangUp(service)).message, /^reload refused/);
  await rm(join(scripts, REVIEW));
  assert.equal((await hangUp(service)).message, "scripts reloaded");
  assert.equal(service.log.filter(isReload).length, 5);
});

// --- by itself -----------------------------------------------------------------------------------

test("what is edited goes live", async (t) => {
  const scripts = await overlay(t, { [REVIEW]: holds("one") });
  const service = await start(t, { SCRIPTS_DIR: scripts, ...WATCHED });
  assert.equal(await held(service), "one");
  const event = await live(service, () => put(scripts, REVIEW, holds("two")));
  assert.equal(event.changed, REVIEW);
  assert.equal(event.generation, 2);
  assert.equal(await held(service), "two");
});

test("a template goes live", async (t) => {
  const templates = await overlay(t, { "mail/note.mustache": "<p>one</p>" });
  const service = await start(t, { TEMPLATES_DIR: templates, ...WATCHED });
  const id = await service.draft({ template: "note", message: undefined });
  const shown = async () => (await service.get(`/drafts/${id}/message`)).text;
  assert.match(await shown(), /<p>one<\/p>/);
  await live(service, () => put(templates, "mail/note.mustache", "<p>two</p>"));
  assert.match(await shown(), /<p>two<\/p>/);
});

test("what counts is the content", async (t) => {
  const scripts = await overlay(t, { [REVIEW]: holds("one") });
  const path = join(scripts, REVIEW);
  const service = await start(t, { SCRIPTS_DIR: scripts, LOG_LEVEL: "debug", ...WATCHED });
  const before = await stat(path);
  await live(service, async () => {
    await put(scripts, REVIEW, holds("two"));
    await utimes(path, before.atime, before.mtime);
  });
  const now = await stat(path);
  assert.equal(now.size, before.size);
  assert.ok(Math.abs(now.mtimeMs - before.mtimeMs) < 1, "it was to be as old as before");
  assert.equal(await held(service), "two");

  const { length } = service.log.filter(isReload);
  await put(scripts, REVIEW, holds("two"));
  await replace(scripts, REVIEW, holds("two"));
  await put(scripts, "policy/.review.lua.swp", "of an editor");
  await looks(service, 3);
  assert.equal(service.log.filter(isReload).length, length);
});

test("a file that takes the place of another", async (t) => {
  const scripts = await overlay(t, { [REVIEW]: holds("one") });
  const service = await start(t, { SCRIPTS_DIR: scripts, ...WATCHED });
  for (const why of ["two", "three"]) {
    await live(service, () => replace(scripts, REVIEW, holds(why)));
    assert.equal(await held(service), why);
  }
});

// The names are links through `..data`, a link to the version, which is replaced at one stroke.
test("a config map that is mounted", async (t) => {
  const scripts = await overlay(t, { [`..v1/${REVIEW}`]: holds("one") });
  await symlink("..v1", join(scripts, "..data"));
  await symlink("..data/policy", join(scripts, "policy"));
  const service = await start(t, { SCRIPTS_DIR: scripts, ...WATCHED });
  assert.equal(await held(service), "one");
  for (const [version, why] of [["..v2", "two"], ["..v3", "three"]]) {
    await put(scripts, `${version}/${REVIEW}`, holds(why));
    await symlink(version, join(scripts, "..next"));
    await live(service, () => rename(join(scripts, "..next"), join(scripts, "..data")));
    assert.equal(await held(service), why);
  }
});

// Nobody watches the directory of a file that only a link leads to.
test("a change that nothing hints at", async (t) => {
  const elsewhere = await overlay(t, { "review.lua": holds("one") });
  const scripts = await overlay(t, { "policy/.keep": "" });
  await symlink(join(elsewhere, "review.lua"), join(scripts, REVIEW));
  const service = await start(t, { SCRIPTS_DIR: scripts, ...WATCHED });
  await live(service, () => replace(elsewhere, "review.lua", holds("two")));
  assert.equal(await held(service), "two");
});

test("an overlay that grows and shrinks", async (t) => {
  const scripts = await overlay(t, {});
  const service = await start(t, { SCRIPTS_DIR: scripts, ...WATCHED });
  assert.equal(await held(service), undefined); // the shipped policy sends

  await live(service, () => replace(scripts, REVIEW, holds("one"))); // a directory that is new
  assert.equal(await held(service), "one");
  await live(service, () => replace(scripts, REVIEW, holds("two")));
  assert.equal(await held(service), "two");
  assert.equal((await service.get("/drafts")).status, 200); // the rest is as shipped

  assert.equal((await live(service, () => rm(join(scripts, REVIEW)))).changed, REVIEW);
  assert.equal(await held(service), undefined);
  await rm(join(scripts, "policy"), { recursive: true });
  await live(service, () => replace(scripts, REVIEW, holds("three")));
  assert.equal(await held(service), "three");
});

test("a script as Windows saves it", async (t) => {
  const scripts = await overlay(t, {});
  const service = await start(t, { SCRIPTS_DIR: scripts, ...WATCHED });
  const text = `\uFEFF${holds("one").replaceAll("\n", "\r\n")}`;
  await live(service, () => replace(scripts, REVIEW, text));
  assert.equal(await held(service), "one");
});

test("each worker loads what has changed", async (t) => {
  const scripts = await overlay(t, { [REVIEW]: holds("one") });
  const service = await start(t, { SCRIPTS_DIR: scripts, WORKERS: "2", ...WATCHED });
  await service.event(() => service.log.filter((e) => e.message === "ready").length === 2);
  await replace(scripts, REVIEW, holds("two"));
  await service.event(() => service.log.filter(isReload).length === 2);
  const asked = Array.from({ length: 20 }, () =>
    service.post("/", letter, { headers: { Connection: "close" } }));
  for (const reply of await Promise.all(asked)) assert.equal(reply.json.held, "two");
});

test("without an interval, nothing is looked at", async (t) => {
  const scripts = await overlay(t, { [REVIEW]: holds("one") });
  const service = await start(t, { SCRIPTS_DIR: scripts, LOG_LEVEL: "debug" });
  await put(scripts, REVIEW, holds("two"));
  assert.equal(await held(service), "one");
  await hangUp(service);
  assert.equal(service.log.filter((e) => e.message === "scripts looked at").length, 1);
});

// --- what is wrong -------------------------------------------------------------------------------

test("a broken edit is told once, and on /ready until it is mended", async (t) => {
  const scripts = await overlay(t, { [REVIEW]: holds("one") });
  const service = await start(t, { SCRIPTS_DIR: scripts, LOG_LEVEL: "debug", ...WATCHED });
  assert.equal((await service.get("/ready")).json.reload, undefined);
  const sentence = `${REVIEW}:3: unexpected symbol near '+'`;
  const began = Date.now();
  const event = await refused(service, () =>
    replace(scripts, REVIEW, "local review = {}\n\nreturn review + +\n"));
  assert.equal(event.error, [sentence, "    3 | return review + +", "      |               ^",
    `      in ${join(scripts, REVIEW)}`].join("\n"));

  await looks(service, 3);
  assert.equal(refusals(service).length, 1);
  assert.equal(await held(service), "one");
  const ready = await service.get("/ready");
  assert.equal(ready.status, 200);
  const { since, ...reload } = ready.json.reload;
  assert.deepEqual(reload, { status: "refused", error: sentence });
  assert.ok(Date.parse(since) >= began && Date.parse(since) <= Date.now(), since);

  // Otherwise broken: told again, and refused since then all the same.
  await refused(service, () => replace(scripts, REVIEW, 'error("at load")'));
  const { error, since: still } = (await service.get("/ready")).json.reload;
  assert.equal(error, `${REVIEW}:1: at load`);
  assert.equal(still, since);

  await live(service, () => replace(scripts, REVIEW, holds("two")));
  assert.equal((await service.get("/ready")).json.reload, undefined);
  assert.equal(await held(service), "two");
});

test("a broken edit that is undone", async (t) => {
  const scripts = await overlay(t, { [REVIEW]: holds("one") });
  const service = await start(t, { SCRIPTS_DIR: scripts, ...WATCHED });
  await refused(service, () => replace(scripts, REVIEW, "return +"));
  const event = await edit(service, () => replace(scripts, REVIEW, holds("one")));
  assert.equal(event.severity, "INFO");
  assert.match(event.message, /^nothing to reload any more/);
  const ready = (await service.get("/ready")).json;
  assert.equal(ready.reload, undefined);
  assert.equal(ready.generation, 1);
});

test("a broken template", async (t) => {
  const templates = await overlay(t, { "mail/note.mustache": "<p>one</p>" });
  const service = await start(t, { TEMPLATES_DIR: templates, ...WATCHED });
  const event = await refused(service, () =>
    replace(templates, "mail/note.mustache", "<p>\n{{#open}}</p>"));
  assert.match(event.error, /^mail\/note\.mustache:2: .*\n {4}2 \| \{\{#open\}\}<\/p>\n {6}\| {4}\^\n/);
});

test("what cannot be read is refused, until it can", async (t) => {
  const scripts = await overlay(t, { [REVIEW]: holds("one") });
  const service = await start(t, { SCRIPTS_DIR: scripts, LOG_LEVEL: "debug", ...WATCHED });
  const path = join(scripts, "gone.lua");
  const event = await refused(service, () => symlink("nowhere", path));
  assert.equal(event.error, `${path} cannot be read: No such file or directory`);
  await looks(service, 2);
  assert.equal(refusals(service).length, 1);
  assert.equal(await held(service), "one");
  assert.match((await edit(service, () => rm(path))).message, /^nothing to reload any more/);
});

// A look finds half a file: it is not taken before another has found the same. Who stalls between
// the two halves for longer than that has written half a file, and tries again.
test("half a file is not taken", async (t) => {
  const scripts = await overlay(t, { [REVIEW]: holds("0") });
  const service = await start(t, { SCRIPTS_DIR: scripts, LOG_LEVEL: "debug", ...WATCHED });
  let untaken = 0;
  for (let i = 1; i <= 20 && untaken < 3; i++) {
    const whole = holds(`${i}`), before = refusals(service).length;
    await after(service, () => put(scripts, REVIEW, whole.slice(0, 50)), (e) => e.changed === true);
    await after(service, () => replace(scripts, REVIEW, whole),
      (e) => e.message === "scripts reloaded", "the whole file");
    if (refusals(service).length === before) untaken++;
    assert.equal(await held(service), `${i}`);
  }
  assert.equal(untaken, 3);
});

test("a start that fails shows the line", async (t) => {
  const scripts = await overlay(t, { [REVIEW]: "return reviw" });
  const shown = [`${REVIEW}:1: unknown global 'reviw' (a misspelt name, or a missing require)`,
    "    1 | return reviw", "      |        ^", `      in ${join(scripts, REVIEW)}`];
  const json = await run(t, ["serve"], { SCRIPTS_DIR: scripts });
  assert.equal(json.code, 1);
  const event = json.log.find((e) => e.message === "cannot start");
  assert.equal(event.error, shown.join("\n"));
  const text = await run(t, ["serve"], { SCRIPTS_DIR: scripts, LOG_FORMAT: "text" });
  assert.ok(text.stderr.includes(shown.map((line) => `\n    ${line}`).join("")), text.stderr);
  const check = await run(t, ["check"], { SCRIPTS_DIR: scripts });
  assert.equal(check.code, 1);
  for (const line of shown) assert.ok(check.stdout.includes(line), check.stdout);
});

// --- what goes on meanwhile ----------------------------------------------------------------------

// The handler waits for the flag that another request sets, then requires a module for the first
// time.
const LATE = `
  local health = require "api.health"
  local log = require "paraph.log"
  local store = require "paraph.store"
  local task = require "paraph.task"
  return {
    { "GET", "/late", access = "public", handler = function()
      log.info("waiting")
      repeat task.sleep(5) until store.get("flags", "go")
      return { json = { word = require("late").word } }
    end },
    { "POST", "/go", access = "public", handler = function()
      assert(store.create("flags", "go", {}))
      return { json = {} }
    end },
    { "GET", "/ready", handler = health.ready, access = "public", serve = "all" },
  }`;

test("what a request requires later is of the moment it began", async (t) => {
  const scripts = await overlay(t, { "routes.lua": LATE, "late.lua": 'return { word = "old" }' });
  const service = await start(t, { SCRIPTS_DIR: scripts, ...WATCHED });
  const reply = service.get("/late");
  await service.event((e) => e.message === "waiting");
  await live(service, () => replace(scripts, "late.lua", 'return { word = "new" }'));
  assert.equal((await service.post("/go", {})).status, 200);
  assert.equal((await reply).json.word, "old");
  assert.equal((await service.get("/late")).json.word, "new");
});

test("an end while a look is under way", async (t) => {
  const files = {};
  for (let i = 0; i < 30; i++) files[`large${i}.lua`] = `return {}\n${"-- large\n".repeat(100000)}`;
  const scripts = await overlay(t, files);
  for (let i = 0; i < 5; i++) {
    const service = await start(t, { SCRIPTS_DIR: scripts, ...WATCHED });
    await replace(scripts, "large0.lua", `return {}\n${"-- ".repeat(1000 + i)}`);
    service.signal("SIGHUP");
    await service.stop();
  }
});

// --- under load ----------------------------------------------------------------------------------

const EDITS = 200, WARM = 20, CLIENTS = 4, GROWTH_MIB = 24;

async function memory(service) {
  const status = await readFile(`/proc/${service.pid}/status`, "utf8");
  return Number(status.match(/^VmRSS:\s+(\d+)/m)[1]) / 1024;
}

// A sanitizer keeps what is freed for a while; it finds what leaks by itself, at the end.
const isSanitized = async (service) =>
  (await readFile(`/proc/${service.pid}/maps`, "utf8")).includes("libasan");

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
  if (!await isSanitized(service)) {
    assert.ok(last - first < GROWTH_MIB, `from ${first} to ${last} MiB`);
  }
  const at = (q) => `${took[Math.ceil(took.length * q) - 1].toFixed(0)} ms`;
  t.diagnostic(`edit to live: median ${at(0.5)}, p99 ${at(0.99)}, at most ${at(1)}`);
  t.diagnostic(`${state.requests} requests meanwhile; memory ${first.toFixed(1)} MiB after `
    + `${WARM} edits, ${last.toFixed(1)} MiB after ${EDITS}`);
});
