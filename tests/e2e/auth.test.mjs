// Who may do what: every route, asked with every kind of credentials.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import {
  apiKeys, badlySigned, bearer, googleClaims, iapClaims, now, publisher, ROLES_BY_NAME, stripped,
  token,
} from "./lib/identity.mjs";
import { assertRefused, overlay, start } from "./lib/service.mjs";

const ROLES = ["draft", "send", "review", "ops"];
const MESSAGE = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!" };

// Every route there is: who has access, and a request that would do something if it were let; `open`:
// what a public one answers to everybody.
const routes = [
  { method: "POST", path: "/", access: ["draft", "send"], json: { ...MESSAGE, mode: "draft" } },
  { method: "POST", path: "/", access: ["send"], json: { ...MESSAGE, mode: "send" }, as: "/ (send)" },
  { method: "POST", path: "/send-draft", access: ["review"], json: { draft_id: "{id}" } },
  { method: "GET", path: "/drafts", access: ["review"] },
  { method: "GET", path: "/drafts/{id}", access: ["review"] },
  { method: "PATCH", path: "/drafts/{id}", access: ["review"], json: { subject: "Hello!" } },
  { method: "GET", path: "/drafts/{id}/message", access: ["review"] },
  { method: "POST", path: "/drafts/{id}/test", access: ["review"], json: { to: "me@example.com" } },
  { method: "POST", path: "/drafts/{id}/reject", access: ["review"], json: {} },
  { method: "GET", path: "/review", access: ["review"] },
  { method: "GET", path: "/review/stats", access: ["review"] },
  { method: "GET", path: "/review/news", access: ["review"] },
  { method: "GET", path: "/review/{id}", access: ["review"] },
  { method: "GET", path: "/review/{id}/html", access: ["review"] },
  { method: "GET", path: "/review/{id}/part/{n}", access: ["review"], n: 1 },
  { method: "GET", path: "/review/{id}/changes", access: ["review"], query: "?from=0&to=0" },
  { method: "GET", path: "/review/{id}/edit", access: ["review"] },
  { method: "POST", path: "/review/{id}/edit", access: ["review"], form: { subject: "Hello?" } },
  { method: "POST", path: "/review/{id}/preview", access: ["review"], form: { subject: "H" } },
  { method: "POST", path: "/review/{id}/test", access: ["review"], form: { to: "me@example.com" } },
  { method: "POST", path: "/review/{id}/approve", access: ["review"], form: {} },
  { method: "POST", path: "/review/{id}/undo", access: ["review"], form: {} },
  { method: "POST", path: "/review/{id}/reject", access: ["review"], form: { reason: "No." } },
  { method: "POST", path: "/review/bulk", access: ["review"],
    form: { action: "reject", draft: "{id}:0" } },
  { method: "GET", path: "/metrics", access: ["ops"] },
  // Two roles are needed, ops and review: nobody gets in with one (repl_attach.test.mjs).
  { method: "POST", path: "/repl", access: [], json: { line: ":quit" } },
  { method: "GET", path: "/assets/{name}", access: ROLES, open: [200] },
  { method: "GET", path: "/error/{code}", access: ROLES, open: [404] },
  { method: "POST", path: "/sign-out", access: ROLES },
  // Without API keys there is no signing in.
  { method: "GET", path: "/sign-in", access: ROLES, open: [200, 404] },
  { method: "POST", path: "/sign-in", access: ROLES, open: [415, 404] },
  { method: "GET", path: "/pixel", access: ROLES, open: [200] },
  { method: "GET", path: "/openapi.json", access: ROLES, open: [200] },
  { method: "GET", path: "/health", access: ROLES, open: [200] },
  { method: "GET", path: "/ready", access: ROLES, open: [200] },
];

async function declaredRoutes() {
  const text = await readFile(new URL("../../scripts/routes.lua", import.meta.url), "utf8");
  return [...text.matchAll(/^ {2}\{ "([A-Z]+)", "([^"]+)"/gm)].map(([, method, path]) =>
    `${method} ${path}`);
}

test("the matrix below has every route there is", async () => {
  const known = new Set(routes.map(({ method, path }) => `${method} ${path}`));
  assert.deepEqual((await declaredRoutes()).filter((route) => !known.has(route)), []);
});

const filled = (value, id) =>
  JSON.parse(JSON.stringify(value ?? null).replaceAll("{id}", id)) ?? undefined;

// What the page of a draft gives whoever may see it, and what others may try in its place.
async function tokensOf(service, id, options) {
  const { text } = await service.get(`/review/${id}`, { ...options, redirect: "manual" });
  const [csrf, etag] = ["csrf", "etag"].map((name) =>
    text.match(`name="${name}" value="([0-9a-f]+)"`)?.[1] ?? "0");
  return { csrf, etag };
}

async function ask(service, route, id, options) {
  const json = filled(route.json, id);
  const form = route.form &&
    new URLSearchParams({ ...await tokensOf(service, id, options), ...filled(route.form, id) });
  const path = route.path.replace("{id}", id).replace("{n}", route.n)
    .replace("{name}", "style.css") + (route.query ?? "");
  return service.request(route.method, path,
    { ...options, ...(json && { json }), ...(form && { body: form }), redirect: "manual" });
}

// What a role alone may do: it is let in, or 403.
function judge(reply, route, role) {
  if (route.open) {
    assert.ok(route.open.includes(reply.status), `${reply.status} ${reply.text}`);
  } else if (role === null) {
    assertRefused(reply, 401, "unauthenticated");
    assert.equal(reply.json.error, "this needs valid credentials", "a refusal tells why");
    assert.equal(reply.headers.get("www-authenticate"), "Bearer");
  } else if (route.access.includes(role)) {
    assert.ok(reply.status < 400, `${reply.status} ${reply.text}`);
  } else {
    assertRefused(reply, 403, "forbidden");
  }
}

// The answers to all routes as a row.
async function row(service, reviewer, options, role) {
  const cells = [];
  for (const route of routes) {
    const id = await reviewer.draft();
    const reply = await ask(service, route, id, options);
    judge(reply, route, role);
    const sends = route.access.includes(role) && /send|test/.test(route.as ?? route.path);
    assert.equal((await service.newMail()).length, sends ? 1 : 0,
      `${role} at ${route.path}: mail has left, or has not`);
    cells.push(reply.status);
  }
  return cells;
}

function print(t, rows) {
  const width = Math.max(...rows.map(([name]) => name.length));
  const heads = routes.map(({ method, path, as }) =>
    `${method} ${as ?? path.replace("{id}", "ID")}`);
  heads.forEach((head, i) => t.diagnostic(`${String(i + 1).padStart(2)}  ${head}`));
  const line = (name, cells) => t.diagnostic([name.padEnd(width),
    ...cells.map((cell) => String(cell).padStart(3))].join(" "));
  line("", routes.map((_, i) => i + 1));
  for (const [name, cells] of rows) line(name, cells);
}

// Drafts for the others to try themselves on.
const reviewerOf = (service, key) => ({
  draft: async () => (await service.post("/", { ...MESSAGE, mode: "draft" }, bearer(key)))
    .json.draft_id,
});

// A table of them: add() asks all routes with one kind of credentials.
async function table(t, env, authorKey) {
  const service = await start(t, { ...env, POLICY_UNDO_SECONDS: "3600",
    SCRIPTS_DIR: await overlay(t, ROLES_BY_NAME) });
  const reviewer = reviewerOf(service, authorKey);
  const rows = [];
  return {
    add: async (name, options, role = null) =>
      rows.push([name, await row(service, reviewer, options, role)]),
    print: () => print(t, rows),
  };
}

// A table for each method: an address may fail a thousand times, then it is asked to wait.
test("every route, with every kind of key", async (t) => {
  const { keys, env } = await apiKeys(t, { ...Object.fromEntries(ROLES.map((role) => [role, [role]])),
    author: ["draft"] });
  const { add, print: printAll } = await table(t, env, keys.author);
  await add("nothing", {});
  await add("key: wrong", bearer("paraph_" + "A".repeat(43)));
  await add("key: its hash", bearer(env.API_KEYS.match(/[0-9a-f]{64}/)[0]));
  await add("key: half of it", bearer(keys.review.slice(0, -1)));
  await add("key: Basic", { headers: { Authorization: `Basic ${btoa(`x:${keys.review}`)}` } });
  await add("session: made up", { headers: { Cookie: "paraph_session=" + "A".repeat(43) } });
  for (const role of ROLES) await add(`key: ${role}`, bearer(keys[role]), role);
  await add("X-API-Key: review", { headers: { "X-API-Key": keys.review } }, "review");
  printAll();
});

async function issued(t) {
  const issuer = await publisher(t);
  const { keys, env } = await apiKeys(t, { author: ["draft"] });
  return { issuer, ...await table(t, { ...env, ...issuer.env, AUTH: "key,google,iap" }, keys.author) };
}

test("every route, with every kind of Google's tokens", async (t) => {
  const { issuer, add, print: printAll } = await issued(t);
  const claims = googleClaims("send@example.com");
  const bad = {
    expired: token({ ...claims, exp: now() - 60, iat: now() - 3660 }, issuer.google),
    "another's audience": token({ ...claims, aud: "https://x.example.org" }, issuer.google),
    "another's issuer": token({ ...claims, iss: "https://x.example.org" }, issuer.google),
    "address not verified": token({ ...claims, email_verified: false }, issuer.google),
    "IAP's": issuer.iapToken("send@example.com"),
    ...badlySigned(claims, issuer.google),
  };
  for (const [name, made] of Object.entries(bad)) await add(`google: ${name}`, bearer(made));
  for (const role of ROLES) {
    await add(`google: ${role}`, bearer(issuer.googleToken(`${role}@example.com`)), role);
  }
  await add("google: without roles", bearer(issuer.googleToken("nobody@example.com")), "nobody");
  printAll();
});

test("every route, with every kind of IAP's assertions", async (t) => {
  const { issuer, add, print: printAll } = await issued(t);
  const iap = (assertion) => ({ headers: { "X-Goog-IAP-JWT-Assertion": assertion } });
  const assertion = iapClaims("review@example.com");
  const badly = {
    expired: token({ ...assertion, exp: now() - 60 }, issuer.iap),
    "another's audience": token({ ...assertion, aud: AUDIENCE_OF_ANOTHER }, issuer.iap),
    "Google's": issuer.googleToken("review@example.com"),
    "DER signature": token(assertion, issuer.iap, { encoding: "der" }),
    ...badlySigned(assertion, issuer.iap),
  };
  for (const [name, made] of Object.entries(badly)) await add(`iap: ${name}`, iap(made));
  for (const role of ROLES) {
    await add(`iap: ${role}`, iap(issuer.iapToken(`${role}@example.com`)), role);
  }
  printAll();
});

const AUDIENCE_OF_ANOTHER = "/projects/2/locations/europe-west1/services/other";

test("every route behind Cloud Run's own check", async (t) => {
  const issuer = await publisher(t);
  const { add, print: printAll } = await table(t, { AUTH: "iam" },
    stripped(googleClaims("draft@example.com")));
  await add("nothing", {});
  await add("iam: still signed", bearer(issuer.googleToken("send@example.com")));
  for (const role of ROLES) {
    await add(`iam: ${role}`, bearer(stripped(googleClaims(`${role}@example.com`))), role);
  }
  // Of two tokens the platform has checked the one in its own header, and the other proves nothing.
  await add("iam: two tokens", { headers: {
    Authorization: `Bearer ${stripped(googleClaims("review@example.com"))}`,
    "X-Serverless-Authorization": `Bearer ${stripped(googleClaims("draft@example.com"))}`,
  } }, "draft");
  printAll();
});

test("a key that may only draft sends nothing, by no way round", async (t) => {
  const { keys, env } = await apiKeys(t, { agent: ["draft"], crm: ["send"] });
  const both = await apiKeys(t, { crm: ["draft"] });
  const service = await start(t, { API_KEYS: `${env.API_KEYS},${both.env.API_KEYS}`, AUTH: "key",
    SEND_MODE: "send" });
  const keyed = (key, idempotencyKey) =>
    ({ headers: { Authorization: `Bearer ${key}`, "Idempotency-Key": idempotencyKey } });

  // SEND_MODE is what a request means that names no mode.
  assertRefused(await service.post("/", MESSAGE, bearer(keys.agent)), 403, "forbidden");
  // A send that has begun under the same caller's name is not gone on with.
  const failing = { ...MESSAGE, to: "tempfail@example.test" };
  assert.equal((await service.post("/", failing, keyed(keys.crm, "k-1"))).status >= 500, true);
  assertRefused(await service.post("/", failing, keyed(both.keys.crm, "k-1")), 403, "forbidden");
  // What was sent is told again, and not sent again.
  assert.equal((await service.post("/", MESSAGE, keyed(keys.crm, "k-2"))).status, 200);
  assert.equal((await service.outbox()).length, 1);
  const told = await service.post("/", MESSAGE, keyed(both.keys.crm, "k-2"));
  assert.equal(told.headers.get("idempotency-replayed"), "true");
  // Keys of different callers never meet.
  assertRefused(await service.post("/", MESSAGE, keyed(keys.agent, "k-2")), 403, "forbidden");
  assert.equal((await service.outbox()).length, 1);
});

test("who wrote, who reviewed: in the log, on the draft, in policies", async (t) => {
  const { keys, env } = await apiKeys(t, { crm: ["draft"], ann: ["review"] });
  const service = await start(t, { ...env, SCRIPTS_DIR: await overlay(t, { "policy/review.lua": `
    local log = require "paraph.log"
    return { approve = function(letter)
      log.info("asked", { author = letter.caller.name, reviewer = letter.reviewer.name,
        method = letter.reviewer.method })
      return "send"
    end }` }) });
  const posted = await service.post("/", { ...MESSAGE, mode: "draft" }, bearer(keys.crm));
  const id = posted.json.draft_id;
  const sent = await service.post("/send-draft", { draft_id: id }, bearer(keys.ann));
  assert.equal(sent.status, 200, sent.text);
  const { draft } = (await service.get(`/drafts/${id}`, bearer(keys.ann))).json;
  assert.deepEqual([draft.created_by, draft.reviewed_by], ["crm", "ann"]);
  const asked = await service.event((e) => e.message === "asked");
  assert.deepEqual([asked.author, asked.reviewer, asked.method], ["crm", "ann", "key"]);
  for (const [reply, name] of [[posted, "crm"], [sent, "ann"]]) {
    const line = await service.logged(reply);
    assert.deepEqual([line.caller, line.auth], [name, "key"]);
  }
});

test("four eyes: nobody approves what he wrote, or has changed", async (t) => {
  const { keys, env } = await apiKeys(t, { ann: ["draft", "review"], bob: ["draft", "review"] });
  const service = await start(t, { ...env, POLICY_FOUR_EYES: "true" });
  const create = async (key) =>
    (await service.post("/", { ...MESSAGE, mode: "draft" }, bearer(key))).json.draft_id;
  const approve = (id, key) => service.post("/send-draft", { draft_id: id }, bearer(key));

  const own = await create(keys.ann);
  assertRefused(await approve(own, keys.ann), 403, "forbidden");
  assert.equal((await approve(own, keys.bob)).status, 200);

  const changed = await create(keys.ann);
  assert.equal((await service.patch(`/drafts/${changed}`, { subject: "Hi" }, bearer(keys.bob))).status,
    200);
  assertRefused(await approve(changed, keys.bob), 403, "forbidden");
  assertRefused(await approve(changed, keys.ann), 403, "forbidden");
  assert.equal((await service.outbox()).length, 1);
});

test("a program that runs wild is held back: access.rate", async (t) => {
  const { keys, env } = await apiKeys(t, { agent: ["draft"], crm: ["draft"] });
  const service = await start(t, { ...env, SCRIPTS_DIR: await overlay(t, { "access.lua": `
    return { rate = function(identity) return identity.name == "agent" and 5 or nil end }` }) });
  const post = (key) => service.post("/", { ...MESSAGE, mode: "draft" }, bearer(key));
  for (let i = 0; i < 5; i++) assert.equal((await post(keys.agent)).status, 200);
  const refused = await post(keys.agent);
  assertRefused(refused, 429, "rate_limited");
  const seconds = Number(refused.headers.get("retry-after"));
  assert.ok(seconds >= 1 && seconds <= 13, `Retry-After: ${seconds}`);
  assert.equal((await post(keys.crm)).status, 200, "others are not held back");
});

test("who is refused too often is told to wait; who has a key gets in all the same", async (t) => {
  const { keys, env } = await apiKeys(t, { crm: ["draft"] });
  const service = await start(t, env);
  const wrong = () => service.get("/drafts", bearer("paraph_" + "A".repeat(43)));
  const signIn = () => service.request("POST", "/sign-in",
    { body: new URLSearchParams({ key: "nonsense" }) });
  let refused = [];
  for (let i = 0; i < 100 && !refused.every(Boolean); i++) {
    const replies = await Promise.all([signIn(), ...Array.from({ length: 50 }, wrong)]);
    for (const { status, text } of replies) assert.ok([401, 429].includes(status), text);
    refused = [replies[0], replies[50]].map((reply) => reply.status === 429 && reply);
  }
  for (const reply of refused) {
    assertRefused(reply, 429, "rate_limited");
    assert.ok(Number(reply.headers.get("retry-after")) >= 1);
  }
  const [known] = await Promise.all([
    service.post("/", { ...MESSAGE, mode: "draft" }, bearer(keys.crm)),
    ...Array.from({ length: 50 }, wrong)]);
  assert.equal(known.status, 200, known.text);
});

test("who shows no credentials fills no memory", async (t) => {
  const { env } = await apiKeys(t, { crm: ["draft"] });
  const service = await start(t, env);
  const peak = async () =>
    Number((await readFile(`/proc/${service.pid}/status`, "utf8")).match(/VmHWM:\s+(\d+)/)[1]) / 1024;
  const before = await peak();
  const body = Buffer.alloc(16 << 20, "x");
  const headers = { "Content-Type": "application/json" };
  const replies = await Promise.all(Array.from({ length: 8 }, (_, i) =>
    service.request("POST", i % 2 ? "/" : "/nothing-here", { body, headers })));
  assert.deepEqual(replies.map(({ status }) => status), [404, 401, 404, 401, 404, 401, 404, 401]);
  const grown = await peak() - before;
  assert.ok(grown < 64, `128 MiB were refused, and the peak of memory grew by ${grown} MiB`);
});
