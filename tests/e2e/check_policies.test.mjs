// `paraph check`: which policies are in force, what is odd about them, and what they would decide
// about the drafts there are.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { access, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { counts, settings, standIn } from "./lib/google.mjs";
import { overlay, run, start, temporary } from "./lib/service.mjs";

const review = (body) => ({ "policy/review.lua":
  `local review = {}\nfunction review.decide(letter)\n${body}\nend\nreturn review\n` });

const MANY = 'if #letter.recipients > 1 then return "hold", "many recipients" end return "send"';

// The lines that begin with this word, as [step, sentence]; of a line that goes on, both.
function said(stdout, state) {
  const lines = stdout.trimEnd().replaceAll(/\n {20,}/g, " | ").split("\n");
  return lines.filter((line) => line.startsWith(`${state} `))
    .map((line) => /^\S+ +(\S+(?: \S+)*?) {2,}(.*)$/.exec(line).slice(1));
}

const sentences = (stdout, state) => Object.fromEntries(said(stdout, state));

async function checked(t, scripts, env = {}) {
  const SCRIPTS_DIR = await overlay(t, scripts);
  const result = await run(t, ["check"], { SCRIPTS_DIR, ...env });
  assert.equal(result.code, 0, result.stdout + result.stderr);
  return { ...result, ok: sentences(result.stdout, "ok"), odd: said(result.stdout, "odd") };
}

// --- what is in force -----------------------------------------------------------------------------

test("every hook and script is told, and nothing is odd about what is shipped", async (t) => {
  const { code, stdout } = await run(t, ["check"]);
  assert.equal(code, 0, stdout);
  const ok = sentences(stdout, "ok");
  for (const [hook, file] of [["access.roles", "access"], ["access.rate", "access"],
    ["review.decide", "policy/review"], ["review.approve", "policy/review"], ["limits.of", "policy/limits"],
    ["compose.bodies", "policy/compose"], ["pixel.place", "policy/pixel"],
    ["pixel.html", "policy/pixel"], ["opens.classify", "policy/opens"]]) {
    assert.match(ok[hook], new RegExp(`^shipped +${file}\\.lua:\\d+ `));
  }
  for (const name of ["access", "routes", "jobs", "settings"]) {
    assert.equal(ok[`${name}.lua`], "shipped");
  }
  assert.deepEqual(said(stdout, "odd"), []);
  for (const line of stdout.split("\n")) assert.ok(line.length <= 100, line);
});

test("an overlay is told file by file, and settings without their values", async (t) => {
  const TEMPLATES_DIR = await overlay(t, { "mail/welcome.mustache": "x", "mail/new.mustache": "x" });
  const { ok, odd, stdout } = await checked(t, {
    ...review('return require "lib.friends"(letter)'),
    "policy/review_test.lua": "return {}",
    "lib/friends.lua": 'return function() return "send" end',
    "settings.lua": `return { key = { type = "text", default = "none" },
      most = { type = "number", default = 3 } }`,
  }, { TEMPLATES_DIR, POLICY_KEY: "the-value-itself", POLICY_MOST: "" }); // empty: not set
  assert.match(ok["review.decide"], /^overlay +policy\/review\.lua:2 /);
  assert.match(ok["review.approve"],
    /^shipped +shipped\/policy\/review\.lua:\d+ .* \| policy\/review\.lua of the overlay leaves it/);
  assert.match(ok["limits.of"], /^shipped +policy\/limits\.lua:\d+ /);
  assert.deepEqual([ok["settings.lua"], ok["routes.lua"]], ["overlay", "shipped"]);
  const files = said(stdout, "ok").filter(([step]) => step === "script" || step === "template");
  assert.deepEqual(files.map(([step, text]) => [step, ...text.split(/ {2,}/)]), [
    ["script", "overlay", "lib/friends.lua", "is new"],
    ["script", "overlay", "policy/review.lua", "shadows the shipped one"],
    ["script", "overlay", "policy/review_test.lua", "shadows the shipped one"],
    ["script", "overlay", "settings.lua", "shadows the shipped one"],
    ["template", "overlay", "mail/new.mustache", "is new"],
    ["template", "overlay", "mail/welcome.mustache", "shadows the shipped one"],
  ]);
  assert.deepEqual([ok.POLICY_KEY, ok.POLICY_MOST], ["set", "default"]);
  assert.ok(!stdout.includes("the-value-itself"));
  assert.deepEqual(odd, []);
});

test("a hook that an overlay had made elsewhere is the overlay's", async (t) => {
  const { ok } = await checked(t, { "policy/review.lua": `
    local review = require "shipped.policy.review"
    review.decide = require "lib.rules".first {}
    return review` });
  assert.match(ok["review.decide"],
    /^overlay +lib\/rules\.lua:\d+ .* \| policy\/review\.lua of the overlay had it made there/);
  assert.match(ok["review.approve"], /^shipped +shipped\/policy\/review\.lua:\d+ /);
});

// --- what is odd ----------------------------------------------------------------------------------

// The place of a route behind the shipped ones.
const SHIPPED = await readFile(new URL("../../scripts/routes.lua", import.meta.url), "utf8");
const NEXT = SHIPPED.match(/^ {2}\{ "/gm).length + 1;

const ODD = {
  "a misspelt hook": [{ "policy/review.lua": `local review = require "shipped.policy.review"
    function review.descide() return "hold" end
    return review`, "policy/review_test.lua": "return {}" },
  ["policy/review.lua", "nothing calls review.descide (policy/review.lua:2): did you mean decide?"]],
  "a misspelt policy": [{ "policy/limts.lua": "return {}" }, ["policy/limts.lua",
    "nothing requires it, and it shadows nothing: did you mean policy/limits.lua?"]],
  "a misspelt test": [{ "policy/reveiw_test.lua": "return {}" },
    ["policy/reveiw_test.lua", "there is no policy/reveiw.lua: did you mean policy/review.lua?"]],
  "a policy without a test": [review('return "send"'),
    ["policy/review.lua", "has no test (policy/review_test.lua is about the shipped one)"]],
  "a route that another one takes": [{ "routes.lua": `local routes = require "shipped.routes"
    routes[#routes + 1] = { "GET", "/drafts/{name}", handler = routes[1].handler, access = "public" }
    return routes` }, ["routes.lua", `route ${NEXT} (GET /drafts/{name}) is never reached | ` +
    "route 4 (GET /drafts/{id}) takes all of it"]],
  "two parameters of one name": [{ "routes.lua": `local routes = require "shipped.routes"
    routes[#routes + 1] = { "GET", "/x/{id}/{id}", handler = routes[1].handler, access = "public" }
    return routes` }, ["routes.lua", `route ${NEXT} (GET /x/{id}/{id}) has two parameters {id}`]],
};

for (const [name, [scripts, line]] of Object.entries(ODD)) {
  test(`odd: ${name}`, async (t) => {
    const { odd } = await checked(t, scripts);
    assert.deepEqual(odd, [line]);
  });
}

test("a route that is odd is served as it says", async (t) => {
  const SCRIPTS_DIR = await overlay(t, { "routes.lua": `
    local function say(text) return function() return { json = { said = text } } end end
    return { { "GET", "/a/{x}", handler = say "first", access = "public" },
      { "GET", "/a/b", handler = say "second", access = "public" },
      { "GET", "/c/{x}.json", handler = say "third", access = "public" } }` });
  const { stdout } = await run(t, ["check"], { SCRIPTS_DIR });
  assert.deepEqual(said(stdout, "odd").map(([, text]) => text.match(/route \d/)[0]),
    ["route 2", "route 3"]);
  const service = await start(t, { SCRIPTS_DIR });
  assert.equal((await service.get("/a/b")).json.said, "first");
  assert.equal((await service.get("/c/d.json")).status, 404);
});

test("odd: templates", async (t) => {
  const TEMPLATES_DIR = await overlay(t, {
    "mail/note.mustache": "{{>mail/layuot}}", "footer.mustache": "x", "mail/ok.mustache": "{{>used}}",
    "used.mustache": "x",
  });
  const { stdout } = await run(t, ["check"], { TEMPLATES_DIR });
  assert.deepEqual(said(stdout, "odd"), [
    ["mail/note.mustache",
      "includes 'mail/layuot', which does not exist: did you mean mail/layout?"],
    ["footer.mustache", "no template includes it, and it is none of mail/ or pages/"],
  ]);
  const dynamic = await overlay(t, { "mail/a.mustache": "{{>*which}}", "footer.mustache": "x" });
  assert.deepEqual(said((await run(t, ["check"], { TEMPLATES_DIR: dynamic })).stdout, "odd"), []);
});

test("odd: variables and empty overlays", async (t) => {
  const { odd } = await checked(t, {
    "settings.lua": 'return { most = { type = "number", default = 3 } }',
  }, { POLICY_MSOT: "5", TEMPLATES_DIR: await overlay(t, { "mail/welcome.html": "x" }) });
  assert.deepEqual(odd.map(([step]) => step), ["POLICY_MSOT", "TEMPLATES_DIR"]);
  assert.match(odd[0][1], /did you mean POLICY_MOST\?$/);
  const empty = await checked(t, { "README.txt": "x" });
  assert.deepEqual(empty.odd.map(([step]) => step), ["SCRIPTS_DIR"]);
});

test("what is odd about a large overlay is told, too", async (t) => {
  const files = Object.fromEntries(Array.from({ length: 300 }, (_, i) =>
    [`lib/part${i}.lua`, `local part = {}\n${"-- nothing at all\nfunction part.f(x) return x end\n"
      .repeat(100)}return part\n`]));
  const { odd } = await checked(t, files);
  assert.equal(odd.length, 300);
});

// --- replay ---------------------------------------------------------------------------------------

async function all(dataDir) {
  const dump = await promisify(execFile)("sqlite3", ["-cmd", ".timeout 10000",
    join(dataDir, "paraph.db"), ".dump"], { maxBuffer: 1 << 26 });
  const outbox = {};
  for (const dir of ["tmp", "new", "cur"]) {
    for (const name of await readdir(join(dataDir, "outbox", dir))) {
      outbox[`${dir}/${name}`] = await readFile(join(dataDir, "outbox", dir, name), "utf8");
    }
  }
  return { dump: dump.stdout, outbox };
}

// A service with drafts: of each three one held, one sent, one only drafted, in this order.
async function withDrafts(t, n, env = {}) {
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, review(MANY)), ...env });
  for (let i = 0; i < n; i++) {
    const reply = await service.post("/", {
      to: i % 3 === 0 ? ["ann@example.com", "bob@example.com"] : "ann@example.com",
      subject: `Hello ${i}`, message: "Hi!", mode: i % 3 === 2 ? "draft" : "send",
    }, { headers: { "Idempotency-Key": `key-${i}` } });
    assert.equal(reply.status, 200, reply.text);
  }
  return service;
}

const replay = (t, n, env) => run(t, ["check", "--replay", String(n)], env);

test("a replay tells what is decided otherwise, and changes nothing", async (t) => {
  const { dataDir: DATA_DIR } = await withDrafts(t, 30);
  const before = await all(DATA_DIR);
  assert.equal(Object.keys(before.outbox).length, 10);

  const same = await replay(t, 200, { DATA_DIR, SCRIPTS_DIR: await overlay(t, review(MANY)) });
  assert.equal(same.code, 0, same.stdout + same.stderr);
  assert.deepEqual(said(same.stdout, "differs"), []);
  assert.equal(sentences(same.stdout, "ok").replay, "30 drafts: 30 as before");

  const edited = await overlay(t, review(
    'return letter.draft.subject:find "1$" and "hold" or "send", "it ends in 1"'));
  const { code, stdout, stderr } = await replay(t, 200, { DATA_DIR, SCRIPTS_DIR: edited });
  assert.equal(code, 0, stdout + stderr);
  assert.equal(stderr, "");
  assert.equal(sentences(stdout, "ok").replay,
    "30 drafts: 19 as before, 1 held that were never decided, 1 held that were sent, " +
    "9 sent that were held");
  const lines = said(stdout, "differs").map(([id, text]) => [id, ...text.split("  ")]);
  assert.equal(lines.length, 11);
  assert.equal(lines.filter(([, , to, was, now]) => to === "ann@example.com +1" &&
    was === 'was: hold "many recipients" (policy/review.lua:2)' && now === "now: send").length, 9);
  assert.deepEqual(await all(DATA_DIR), before);

  const few = await replay(t, 3, { DATA_DIR, SCRIPTS_DIR: edited });
  assert.match(sentences(few.stdout, "ok").replay, /^3 drafts: /);
});

test("a replay judges each draft by the time of its own", async (t) => {
  const { dataDir: DATA_DIR } = await withDrafts(t, 3);
  await promisify(execFile)("sqlite3", ["-cmd", ".timeout 10000", join(DATA_DIR, "paraph.db"),
    "UPDATE document SET body = json_set(body, '$.created_at', '2024-06-15T22:00:00Z') " +
    "WHERE collection = 'email_drafts' AND json_extract(body, '$.subject') = 'Hello 1'"]);
  const SCRIPTS_DIR = await overlay(t, review(
    'if letter.now.utc:find "^2024%-06%-15T22" then return "hold", "late" end\n' + MANY));
  const { stdout } = await replay(t, 10, { DATA_DIR, SCRIPTS_DIR });
  assert.deepEqual(said(stdout, "differs").map(([, text]) => text),
    ['2024-06-15T22:00:00Z  ann@example.com  was: send  now: hold "late" (policy/review.lua:2)']);
});

test("a hook that fails is told, and is exit 1", async (t) => {
  const { dataDir: DATA_DIR } = await withDrafts(t, 6);
  const before = await all(DATA_DIR);
  const SCRIPTS_DIR = await overlay(t, review(
    'if #letter.recipients > 1 then return letter.no.such end\nreturn "send"'));
  const { code, stdout } = await replay(t, 10, { DATA_DIR, SCRIPTS_DIR });
  assert.equal(code, 1, stdout);
  const [why, summary] = said(stdout, "failed").map(([step, text]) => `${step} ${text}`);
  assert.match(why, /^replay policy\/review\.lua:3: .*nil value.*\(2 drafts, the newest [0-9a-f-]+\)$/);
  assert.equal(summary, "replay 6 drafts: 4 as before, 2 failed");
  assert.deepEqual(await all(DATA_DIR), before);
});

test("no drafts, no store, no scripts, no number", async (t) => {
  const { dataDir: DATA_DIR } = await withDrafts(t, 0);
  const empty = await replay(t, 10, { DATA_DIR });
  assert.equal(empty.code, 0, empty.stdout);
  assert.equal(sentences(empty.stdout, "ok").replay, "no drafts in email_drafts");

  const absent = join(await temporary(t), "data");
  const nowhere = await replay(t, 10, { DATA_DIR: absent });
  assert.equal(nowhere.code, 1, nowhere.stdout);
  assert.match(sentences(nowhere.stdout, "failed").replay, /there is no store: .*paraph\.db/);
  await assert.rejects(access(absent));

  const broken = await overlay(t, { "policy/review.lua": "return" });
  const unloaded = await replay(t, 10, { DATA_DIR, SCRIPTS_DIR: broken });
  assert.equal(unloaded.code, 1, unloaded.stdout);
  assert.equal(sentences(unloaded.stdout, "skipped").replay, "needs a step that has failed");

  for (const n of ["0", "1001", "-1", "1e2", "ten", "", "99999999999999999999"]) {
    const { code, stdout, stderr } = await replay(t, n, { DATA_DIR });
    assert.equal(code, 2, n);
    assert.equal(stdout, "");
    assert.match(stderr, /^paraph check: --replay takes a number from 1 to 1000/);
  }
  assert.equal((await run(t, ["check", "--replay"], { DATA_DIR })).code, 2);
  assert.equal((await run(t, ["check", "--replay", "1", "--life"], { DATA_DIR })).code, 2);
});

test("both options go together", async (t) => {
  const { dataDir: DATA_DIR } = await withDrafts(t, 3);
  for (const args of [["--live", "--replay", "5"], ["--replay", "5", "--live"]]) {
    const { code, stdout } = await run(t, ["check", ...args],
      { DATA_DIR, SCRIPTS_DIR: await overlay(t, review(MANY)) });
    assert.equal(code, 0, stdout);
    const ok = sentences(stdout, "ok");
    assert.equal(ok.replay, "3 drafts: 3 as before");
    assert.equal(ok["store delete"], "it is gone");
  }
});

test("on Google a replay only reads", async (t) => {
  const google = await standIn(t);
  const service = await withDrafts(t, 60, settings(google));
  await service.stop();
  const before = structuredClone([...google.firestore.documents]);
  const mails = google.mails().length;
  google.log = [];
  const env = settings(google, { SCRIPTS_DIR: await overlay(t, review('return "send"')) });
  const { code, stdout } = await replay(t, 60, env);
  assert.equal(code, 0, stdout);
  assert.equal(sentences(stdout, "ok").replay, "60 drafts: 40 as before, 20 sent that were held");
  assert.deepEqual(Object.keys(counts(google)).sort(), [
    "firestore.projects.databases.documents.runQuery", "metadata.project.project-id",
    "metadata.token"]);
  assert.deepEqual([...google.firestore.documents], before);
  assert.equal(google.mails().length, mails);

  google.fault({ method: "firestore.*", kind: "hang", count: Infinity });
  const silent = await replay(t, 60, { ...env, UPSTREAM_TIMEOUT: "1" });
  assert.equal(silent.code, 1, silent.stdout);
  assert.match(sentences(silent.stdout, "failed").replay, /time|answer/i);
  google.faults.clear();

  google.fault({ method: "firestore.*", symptom: "firestore_permission_denied", count: Infinity });
  const denied = await replay(t, 60, env);
  assert.equal(denied.code, 1, denied.stdout);
  assert.match(sentences(denied.stdout, "failed").replay, /roles\/datastore\.user/);
});
