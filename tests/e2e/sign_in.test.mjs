// People at a browser: signing in with a key, the session, and what other pages cannot make their
// browser do.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { apiKeys, bearer, entry } from "./lib/identity.mjs";
import { start } from "./lib/backends.mjs";
import { assertRefused } from "./lib/service.mjs";

const HTML = "text/html,application/xhtml+xml,*/*;q=0.8";

function signIn(service, key, { path = "/sign-in", headers = {} } = {}) {
  return service.request("POST", path,
    { body: new URLSearchParams({ key }), headers, redirect: "manual" });
}

const cookieOf = (reply) => reply.headers.get("set-cookie")?.match(/^paraph_session=[^;]*/)[0];

// A service, and a browser that has signed in to it.
async function signedIn(t, env = {}) {
  const made = await apiKeys(t, { ann: ["review"], crm: ["draft"] });
  const service = await start(t, { ...made.env, ...env });
  const reply = await signIn(service, made.keys.ann);
  assert.equal(reply.status, 303, reply.text);
  return { ...made, service, reply, cookie: cookieOf(reply) };
}

test("a browser is led to the page, signs in, and goes on where it was", async (t) => {
  const { keys, env } = await apiKeys(t, { ann: ["review"] });
  const service = await start(t, env);
  const led = await service.get("/drafts?limit=1", { headers: { Accept: HTML }, redirect: "manual" });
  assert.equal(led.status, 303);
  const path = led.headers.get("location");
  const page = await service.get(path, { headers: { Accept: HTML } });
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-type"), /^text\/html/);
  const policy = page.headers.get("content-security-policy");
  assert.match(policy, /default-src 'none'.*form-action 'self'.*frame-ancestors 'none'/);
  const nonce = policy.match(/'nonce-([^']+)'/)[1];
  const loaded = page.text.match(/<(?:script|style|link rel="stylesheet")[^>]*>/g);
  assert.ok(loaded.every((tag) => tag.includes(` nonce="${nonce}"`)), loaded.join());
  const action = page.text.match(/action="([^"]+)"/)[1].replaceAll("&amp;", "&");
  const reply = await signIn(service, ` ${keys.ann}\n`, { path: action });
  assert.deepEqual([reply.status, reply.headers.get("location")], [303, "/drafts?limit=1"]);
  assert.match(reply.headers.get("set-cookie"),
    /^paraph_session=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/);
  const drafts = await service.get("/drafts?limit=1", { headers: { Cookie: cookieOf(reply) } });
  assert.equal(drafts.status, 200);
  assert.equal((await service.logged(drafts)).caller, "ann");
  // Programs are not led anywhere.
  assertRefused(await service.get("/drafts"), 401, "unauthenticated");
});

test("where a browser was is remembered only as far as one goes on there", async (t) => {
  const { env } = await apiKeys(t, { ann: ["review"] });
  const service = await start(t, env);
  const ledFrom = async (target) => (await service.get(target,
    { headers: { Accept: HTML }, redirect: "manual" })).headers.get("location");
  const longest = `/review?q=${"x".repeat(990)}`;
  assert.equal(await ledFrom(longest), `/sign-in?next=${encodeURIComponent(longest)}`);
  for (const more of [1, 1100, 2000, 7000]) {
    assert.equal(await ledFrom(longest + "&".repeat(more)), "/sign-in");
  }
  assert.equal(await ledFrom(`/review?${"/".repeat(900)}`), "/sign-in"); // three times as long, encoded
});

test("what a browser posts without a session is told on a page, and can be sent again", async (t) => {
  const { service, cookie } = await signedIn(t);
  const id = "6ba7b810-9dad-41d1-80b4-00c04fd430c8";
  const body = () => new URLSearchParams({ reason: "No." });
  const headers = { Accept: HTML, "Accept-Language": "fr", Origin: service.url };
  const post = (more, as = body()) =>
    service.request("POST", `/review/${id}/reject`, { body: as, headers: { ...headers, ...more } });
  const page = await post();
  assert.equal(page.status, 401, page.text);
  assert.match(page.headers.get("content-type"), /^text\/html/);
  assert.match(page.text, /<html lang="fr">[^]*href="\/sign-in" target="_blank"/);
  // It does nothing by itself: where there is a session, the form must have been on a page for it.
  assert.equal((await post({ Cookie: cookie })).status, 403);
  assertRefused(await post({ Accept: "*/*" }), 401, "unauthenticated");
  assertRefused(await post({ "Content-Type": "application/json" }, "{}"), 401, "unauthenticated");
});

test("a browser that goes astray is shown the way", async (t) => {
  const { env } = await apiKeys(t, { ann: ["review"] });
  const service = await start(t, env);
  for (const path of ["/", "/revue", "/review/a/b/c/d"]) {
    const { status, headers, text } = await service.get(path, { headers: { Accept: HTML } });
    assert.equal(status, 404, path);
    assert.match(headers.get("content-type"), /^text\/html/, path);
    assert.match(text, /<a [^>]*href="\/review"/);
  }
  assertRefused(await service.get("/"), 405, "method_not_allowed");
  assertRefused(await service.get("/revue"), 404, "not_found");
  const posted = await service.request("POST", "/revue",
    { body: new URLSearchParams({ a: "b" }), headers: { Accept: HTML } });
  assertRefused(posted, 404, "not_found");
});

test("behind TLS the cookie is for TLS alone", async (t) => {
  const { keys, env } = await apiKeys(t, { ann: ["review"] });
  const service = await start(t, env);
  const reply = await signIn(service, keys.ann, { headers: { "X-Forwarded-Proto": "https" } });
  assert.match(reply.headers.get("set-cookie"), /; SameSite=Strict; Secure$/);
});

test("where one goes on is a path of ours", async (t) => {
  const { service, keys } = await signedIn(t);
  for (const next of ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x",
    "/%09/evil.example", "/a%0d%0aSet-Cookie:x=y", "%2F%2Fevil.example", "", "/a\\b"]) {
    const reply = await signIn(service, keys.ann, { path: `/sign-in?next=${next}` });
    assert.equal(reply.headers.get("location"), "/review", next);
    const page = await service.get(`/sign-in?next=${next}%22%3E%3Cscript%3E`);
    assert.ok(!/evil|<script>/.test(page.text), page.text);
  }
});

test("a wrong key, a key for programs, no form", async (t) => {
  const { service, keys } = await signedIn(t);
  for (const [key, status, words] of [["nonsense", 401, /not known/], ["", 401, /not known/],
    ["x".repeat(10000), 401, /not known/], [keys.crm, 403, /may not review/]]) {
    const reply = await signIn(service, key);
    assert.equal(reply.status, status);
    assert.equal(reply.headers.get("set-cookie"), null);
    assert.match(reply.text, words);
    assert.ok(key === "" || !reply.text.includes(key), "the page shows what was typed");
  }
  assertRefused(await service.post("/sign-in", { key: keys.ann }), 415, "unsupported_media_type");
});

test("signing out ends the session, on every instance", async (t) => {
  const { service, cookie, env } = await signedIn(t);
  const other = await start(t, env, { at: service.world });
  const headers = { Cookie: cookie };
  assert.equal((await other.get("/drafts", { headers })).status, 200);
  const out = await service.request("POST", "/sign-out",
    { headers: { ...headers, Origin: service.url }, redirect: "manual" });
  assert.deepEqual([out.status, out.headers.get("location")], [303, "/sign-in"]);
  assert.match(out.headers.get("set-cookie"), /^paraph_session=; .*Max-Age=0/);
  for (const instance of [service, other]) {
    assertRefused(await instance.get("/drafts", { headers }), 401, "unauthenticated");
  }
});

test("a session ends with the key that it was opened with", async (t) => {
  const { service, cookie, keys } = await signedIn(t);
  const headers = { Cookie: cookie };
  const restarted = (API_KEYS) => start(t, { AUTH: "key", API_KEYS }, { at: service.world });
  const fewer = await restarted(entry("ann", ["draft"], keys.ann));
  assertRefused(await fewer.get("/drafts", { headers }), 403, "forbidden");
  const another = await restarted(entry("ann", ["review"], "another key"));
  assertRefused(await another.get("/drafts", { headers }), 401, "unauthenticated");
  const renamed = await restarted(entry("bob", ["review"], keys.ann));
  assertRefused(await renamed.get("/drafts", { headers }), 401, "unauthenticated");
});

test("what is stored of a session is of no use to a thief", async (t) => {
  const { service, cookie } = await signedIn(t);
  const token = cookie.split("=")[1];
  const id = createHash("sha256").update(token).digest("hex");
  const stored = await service.world.stored("email_drafts_sessions", id);
  assert.equal(stored.name, "ann");
  assert.ok(!JSON.stringify(stored).includes(token));
  // Not by request(), which takes each cookie for a secret; this is none, and the log has it.
  const tried = await fetch(`${service.url}/drafts`, { headers: { Cookie: `paraph_session=${id}` } });
  assert.equal(tried.status, 401);
});

test("no other page can use the session", async (t) => {
  const { service, cookie, keys } = await signedIn(t);
  const id = (await service.post("/", { to: "a@example.com", subject: "s", message: "m",
    mode: "draft" }, bearer(keys.crm))).json.draft_id;
  const reject = (headers) => service.post(`/drafts/${id}/reject`, {},
    { headers: { Cookie: cookie, ...headers } });
  for (const headers of [{}, { Origin: "https://evil.example" }, { Origin: "null" },
    { Origin: service.url.replace("http", "https").replace(/\d+$/, "1") },
    { Origin: service.url, "Sec-Fetch-Site": "cross-site" }, { "Sec-Fetch-Site": "same-site" },
    { Origin: `${service.url}.evil.example` }]) {
    assertRefused(await reject(headers), 403, "forbidden");
  }
  assert.equal((await reject({ Origin: service.url })).status, 200);
  assert.equal((await reject({ Origin: "null", "Sec-Fetch-Site": "same-origin" })).status, 200);
  // Nor may it sign a browser in as somebody else.
  const forced = await signIn(service, keys.ann, { headers: { Origin: "https://evil.example" } });
  assertRefused(forced, 403, "forbidden");
  // A key is given on purpose: no browser adds it by itself.
  assert.equal((await service.get("/drafts", { headers: { Origin: "https://evil.example",
    Authorization: `Bearer ${keys.ann}` } })).status, 200);
});
