// Scripts and templates that change while the service runs: what is right goes live, what is wrong
// does not.

import assert from "node:assert/strict";
import { rename, rm, stat, symlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { bearer, publisher, ROLES_BY_NAME } from "./lib/identity.mjs";
import {
  REVIEW, WATCHED, after, edit, hangUp, held, holds, isReload, letter, live, looks, refusals,
  refused, replace,
} from "./lib/reload.mjs";
import { atEnd, begin, overlay, put, run, start } from "./lib/service.mjs";

const generation = async (service) => (await service.get("/ready")).json.generation;

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
    "nothing to go through": "local review = {}\nfor _ in ipairs(nil) do end\nreturn review",
  };
  for (const [name, text] of Object.entries(broken)) {
    await put(scripts, REVIEW, text);
    const event = await hangUp(service);
    assert.equal(event.severity, "ERROR", name);
    assert.match(JSON.stringify(event), /policy[/.]review/, name);
    if (name !== "nothing returned") assert.match(event.error, /^policy\/review\.lua:[123]: /, name);
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

test("who is asked for while the scripts change gets the route that he asked for", async (t) => {
  const routes = (first) => `
    local health = require "api.health"
    local function word(of)
      return function() return { json = { word = of } } end
    end
    return {
      ${first}
      { "GET", "/word", access = "review", handler = word "mine" },
      { "GET", "/ready", handler = health.ready, access = "public", serve = "all" },
    }`;
  const issuer = await publisher(t);
  const scripts = await overlay(t, { ...ROLES_BY_NAME, "routes.lua": routes("") });
  const service = await start(t, { ...issuer.env, AUTH: "google", SCRIPTS_DIR: scripts });
  let open;
  issuer.open = new Promise((resolve) => { open = resolve; });
  const reply = service.get("/word", bearer(issuer.googleToken("review@example.com")));
  while (issuer.asked["/google"] === 0) await new Promise(setImmediate);
  await put(scripts, "routes.lua",
    routes('{ "POST", "/", access = "ops", handler = word "another\'s" },'));
  await hangUp(service);
  open();
  assert.deepEqual((await reply).json, { word: "mine" });
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

for (const WORKERS of ["1", "2"]) {
  test(`a SIGHUP during the start waits for its end; WORKERS=${WORKERS}`, async (t) => {
    const service = await begin(t, ["serve"], { WORKERS });
    atEnd(t, () => service.stop());
    await service.event((e) => e.message === "confined", "the start");
    service.signal("SIGHUP");
    await service.event(() => service.log.filter(isReload).length === Number(WORKERS), "reloads");
    assert.equal(service.log.filter((e) => e.message === "ready").length, Number(WORKERS));
  });
}

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

// As long as the file system says that nothing has changed, nothing is read.
test("a change that only the file system dates", async (t) => {
  const elsewhere = await overlay(t, { "review.lua": holds("one") });
  const scripts = await overlay(t, { "policy/.keep": "" });
  await symlink(join(elsewhere, "review.lua"), join(scripts, REVIEW));
  const service = await start(t, { SCRIPTS_DIR: scripts, LOG_LEVEL: "debug", ...WATCHED });
  const before = await stat(join(elsewhere, "review.lua"));
  const isUnread = (e) => e.message === "scripts looked at" && !e.read;
  await after(service, () => {}, isUnread, "a look that reads nothing");
  await live(service, async () => {
    await put(elsewhere, "review.lua", holds("two"));
    await utimes(join(elsewhere, "review.lua"), before.atime, before.mtime);
  });
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
  assert.match(event.message, /^reload no longer refused/);
  const ready = (await service.get("/ready")).json;
  assert.equal(ready.reload, undefined);
  assert.equal(ready.generation, 1);
});

test("a broken template", async (t) => {
  const templates = await overlay(t, { "mail/note.mustache": "<p>one</p>" });
  const service = await start(t, { TEMPLATES_DIR: templates, ...WATCHED });
  const event = await refused(service, () =>
    replace(templates, "mail/note.mustache", "<p>\n{{#open}}</p>"));
  const [sentence, line, caret] = event.error.split("\n");
  assert.match(sentence, /^mail\/note\.mustache:2: /);
  assert.equal(line, "    2 | {{#open}}</p>");
  assert.equal(caret, "      |    ^");
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
  assert.match((await edit(service, () => rm(path))).message, /^reload no longer refused/);
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
