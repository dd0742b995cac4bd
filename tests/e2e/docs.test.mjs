// docs/policies.md: done as it says (lib/document.mjs), and nothing left out of its tables.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { follow, pattern, Reader } from "./lib/document.mjs";
import { overlay, run, start, temporary } from "./lib/service.mjs";

const root = new URL("../../", import.meta.url);
const text = await readFile(new URL("docs/policies.md", root), "utf8");
const source = (name) => readFile(new URL(`scripts/${name}`, root), "utf8");

// The rows of the table below a heading, each the texts of its cells.
function tableBelow(heading) {
  const section = text.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0];
  assert.ok(section, `there is no "${heading}"`);
  const rows = section.split("\n").filter((row) => row.startsWith("| ")).slice(2);
  return rows.map((row) => row.slice(2, -2).split(" | "));
}

// The code in a cell.
const code = (cell) => cell.match(/^(`+)(.*)\1/)[2];

test("what the page says is what comes of it", async (t) => {
  await follow("docs/policies.md", new Reader(t, await temporary(t)));
});

test("docs/sending.md, too", async (t) => {
  const reader = new Reader(t, await temporary(t));
  reader.service = await start(t);
  await follow("docs/sending.md", reader);
});

// --- what it lists -------------------------------------------------------------------------------

// The fields of a class, as its comments declare them.
async function fieldsOf(file, name) {
  const declared = (await source(file)).split(`---@class ${name}\n`)[1] ??
    (await source(file)).split(`---@class ${name}: `)[1];
  assert.ok(declared, `${file} has no class ${name}`);
  const block = declared.split(/\n(?!---)/)[0];
  return [...block.matchAll(/^---@field (\w+)/gm)].map((match) => match[1]);
}

test("every hook is in its table, and none that is not there", async () => {
  const list = (await source("lib/hooks.lua")).match(/\nhooks\.modules = \{\n([^]*?)\n\}\n/)[1];
  const hooks = list.split(/module = "/).slice(1).flatMap((entry) => {
    const module = entry.match(/^[\w.]+/)[0].split(".").at(-1);
    return [...entry.matchAll(/\{ "(\w+)", "/g)].map((match) => `${module}.${match[1]}`);
  });
  assert.deepEqual(tableBelow("The hooks").map(([name]) => code(name)), hooks);
});

test("every field of a letter is in its table, with an example that holds", async (t) => {
  const names = await fieldsOf("lib/letter.lua", "letter");
  const rows = tableBelow("What a rule sees: the letter");
  assert.deepEqual(rows.map(([name]) => code(name)), names.map((name) => `letter.${name}`));
  const examples = rows.map(([, , example]) => code(example));
  const service = await start(t, { ALLOWED_SENDERS: "me@example.com", SCRIPTS_DIR: await overlay(t, {
    "policy/limits.lua": `return { of = function(letter)
      return { { name = "from " .. letter.sender.address, most = 9 } }
    end }`,
    "policy/review.lua": `return { decide = function(letter)
      letter.reviewer, letter.approvals = { name = "anna" }, { "anna", "bert" }
      ${examples.map((example, i) => `assert(${example}, "example ${i + 1}")`).join("\n")}
      return "refuse", "all of them hold"
    end }` }) });
  const reply = await service.post("/", {
    from: "me@example.com", to: "ann@example.com", subject: "Hello", template: "welcome",
    vars: { name: "Ann", product: "Hats" }, mode: "send",
    attachments: [{ filename: "a", content: Buffer.alloc(1000001).toString("base64") }],
  });
  assert.equal(reply.json.error, "all of them hold", service.stderr);
});

test("so are those of what it holds, of contents and of opens", async () => {
  const classes = [["lib/letter.lua", "letter_address"], ["lib/letter.lua", "letter_recipient"],
    ["lib/letter.lua", "letter_attachment"], ["policy/compose.lua", "message_content"],
    ["policy/opens.lua", "open"]];
  for (const [file, name] of classes) {
    const fields = await fieldsOf(file, name);
    assert.ok(fields.length > 0, name);
    for (const field of fields) assert.ok(text.includes(`\`${field}\``), `${name}.${field}`);
  }
});

const REVIEW = ["decide", "approve"];

// A policy module with one hook.
function policy(hook, value) {
  const made = REVIEW.includes(hook) ? `require("lib.rules").first { { "x", ${value} } }` : value;
  return `return { ${hook} = ${made} }`;
}

const recipes = (await readdir(new URL("scripts/recipes", root))).sort()
  .filter((name) => !name.endsWith("_test.lua")).map((name) => name.replace(/\.lua$/, ""));

test("every recipe is in its table, and is switched on as it says", async (t) => {
  const rows = tableBelow("Recipes");
  assert.deepEqual(rows.map(([name]) => code(name)).sort(), recipes);
  for (const [name, , how] of rows.filter(([, , cell]) => cell.startsWith("`"))) {
    const [, module, hook, call] = how.match(/^`(\w+)\.(\w+)`: `(.*)`$/);
    const required = `local ${code(name)} = require "recipes.${code(name)}"\n`;
    const dir = await overlay(t, { [`policy/${module}.lua`]: required + policy(hook, call) });
    const { code: status, stdout } = await run(t, ["check"], { SCRIPTS_DIR: dir });
    assert.equal(status, 0, `${name}: ${stdout}`);
  }
});

// What a recipe's opening comment says to write: { "policy/review.lua": text, … }
function filesOf(recipe) {
  const opening = recipe.split(/\n(?!---)/)[0];
  const files = {};
  let name = null;
  for (const row of opening.split("\n")) {
    const inline = row.match(/my\/(\S+\.lua) is `(.*?)`/);
    if (inline) files[inline[1]] = inline[2];
    name = row.match(/my\/(\S+\.lua):$/)?.[1] ?? name;
    const written = row.match(/^--- {3}(.*)$/);
    if (written) files[name] = `${files[name] ?? ""}${written[1]}\n`;
  }
  return files;
}

test("every recipe goes live as its own first lines say", async (t) => {
  for (const name of recipes) {
    const files = filesOf(await source(`recipes/${name}.lua`));
    assert.ok(Object.keys(files).length > 0, name);
    const env = { SCRIPTS_DIR: await overlay(t, files), POLICY_CONTACT_TO: "office@example.com" };
    const { code: status, stdout } = await run(t, ["check"], env);
    assert.equal(status, 0, `${name}: ${stdout}`);
    assert.ok(stdout.includes("overlay"), `${name}: ${stdout}`);
  }
});

// --- the messages --------------------------------------------------------------------------------

const decide = (body) => ({ "policy/review.lua": `local review = {}
function review.decide(letter)
  ${body}
end
return review` });

const review = (body) => ({ "policy/review.lua": body });

const route = (members) => ({ "routes.lua": `local routes = require "shipped.routes"
routes[#routes + 1] = { ${members} }
return routes` });

// What provokes each: when the scripts are loaded, …
const LOADED = {
  "'then' expected near 'return'": decide('if letter.size > 3 return "hold" end'),
  "unknown global 'letters'": review("return { decide = letters.decide }"),
  "assignment to the global 'review'": review("review = {}\nreturn review"),
  "module 'policy.limits' is": review('require("policy.limits").of = nil\nreturn {}'),
  "there is no module 'recipes.unknown'": review('return { decide = require "recipes.unknown" }'),
  "module 'policy.review' requires itself": review('return require "policy.review"'),
  "module 'policy.review' returns nothing": review("local review = {}"),
  "policy/review.lua: returns no table": review("return { decides = function() end }"),
  "rule 1 is not": review('return { decide = require("lib.rules").first { print } }'),
  "forbidden_words takes":
    review('return { decide = require "recipes.forbidden_words" "password" }'),
  "daily_caps has no option":
    { "policy/limits.lua": 'return { of = require "recipes.daily_caps" { tos = 0 } }' },
  "'@example.com' is no domain":
    review('return { decide = require "recipes.known_domains" { "@example.com" } }'),
  "settings.lua: returns no table": { "settings.lua": "return 5" },
  "settings.lua: POLICY_CONTACT_TO": { "settings.lua": 'return { contact_to = { type = "text" } }' },
  "settings.lua: POLICY_MOST": { "settings.lua": 'return { most = { type = "number" } }' },
  "routes.lua: route … (POST /hello): handler": route('"POST", "/hello", access = "public"'),
  "routes.lua: route … (POST /hello): access": route('"POST", "/hello", handler = function() end'),
  "routes.lua: route … (POST /): is there twice":
    route('"POST", "/", handler = function() end, access = "public"'),
  "jobs.lua: job 'hello'": { "jobs.lua": 'return { { "hello", run = print } }' },
  "mail/hello.mustache:1": { "mail/hello.mustache": "{{#name}}" },
};

// … or when a message is sent.
const ASKED = {
  "attempt to get length of a nil value": decide("return #letter.recipient"),
  "decide answers nil": decide(""),
  'decide answers "holt"': decide('return "holt"'),
  "of answers a list whose limit 1":
    { "policy/limits.lua": 'return { of = function() return { { name = "x" } } end }' },
  'place answers "bottom"':
    { "policy/pixel.lua": 'return { place = function() return "bottom" end }' },
  "bodies answers no two texts":
    { "policy/compose.lua": 'return { bodies = function() return "x" end }' },
  "the policy hook ran for more than": decide("while true do end"),
  "the policy hook needs more than": decide(
    'local s = ("x"):rep(4 << 20) return s .. s .. s .. s .. s .. s .. s .. s'),
  "a policy hook cannot wait": decide('return require("paraph.store").get("a", "b")'),
};

const messages = tableBelow("Messages, and what to do").map(([cell]) => code(cell));

// The message of the page that a provocation is for.
function messageOf(start_) {
  const found = messages.filter((message) => message.startsWith(start_));
  assert.equal(found.length, 1, `${found.length} messages begin with: ${start_}`);
  return found[0];
}

test("every message of the table is provoked", () => {
  const all = [...Object.keys(LOADED), ...Object.keys(ASKED)];
  assert.deepEqual(all.map(messageOf).sort(), messages.slice().sort());
});

for (const [start_, files] of Object.entries(LOADED)) {
  test(`check says: ${start_}`, async (t) => {
    const dir = await overlay(t, files);
    const env = { SCRIPTS_DIR: dir, TEMPLATES_DIR: dir, POLICY_MOST: "many" };
    const { code: status, stdout } = await run(t, ["check"], env);
    assert.equal(status, 1, stdout);
    assert.match(stdout, new RegExp(`failed +scripts +[^\n]*${pattern(messageOf(start_))}`));
    assert.doesNotMatch(stdout, /failed +scripts +lib\//, "a shipped file is blamed");
  });
}

for (const [start_, files] of Object.entries(ASKED)) {
  test(`a draft says: ${start_}`, async (t) => {
    const service = await start(t, { SCRIPTS_DIR: await overlay(t, files) });
    const reply = await service.post("/", {
      to: "ann@example.com", subject: "Hello", message: "Hi!", mode: "send" });
    assert.equal(reply.json.code, "policy_error", reply.text);
    const { decision } = await service.document(reply.json.draft_id);
    // A build with sanitizers gives hooks more time.
    const told = decision.reason.replace(/more than \d+ ms/, "more than 100 ms");
    assert.match(told, new RegExp(pattern(messageOf(start_))));
  });
}
