// ID tokens of Google and of IAP: what is accepted, and the keys that they are checked with.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import {
  AUDIENCE, bearer, googleClaims, IAP_AUDIENCE, keyPair, now, publisher, ROLES_BY_NAME,
  token,
} from "./lib/identity.mjs";
import { assertRefused, overlay, start } from "./lib/service.mjs";
import { connection, get as wireGet } from "./lib/wire.mjs";

const EMAIL = "ann@example.com";
const MESSAGE = { to: "bob@example.com", subject: "Hello", message: "Hi!", mode: "draft" };

const get = (service, made) => service.get("/drafts", bearer(made));

test("what a Google token may look like", async (t) => {
  const issuer = await publisher(t);
  const service = await start(t, { ...issuer.env, AUTH: "google",
    AUTH_AUDIENCE: `https://old.example.org, ${AUDIENCE}`,
    AUTH_ALLOWED: "@example.com,crm@p.iam.gserviceaccount.com" });
  const cases = [
    ["the other spelling of the issuer", { iss: "accounts.google.com" }, 200],
    ["another of our audiences", { aud: "https://old.example.org" }, 200],
    ["the start of an audience", { aud: AUDIENCE.slice(0, -1) }, 401],
    ["a list of audiences", { aud: [AUDIENCE] }, 401],
    ["the whole variable", { aud: `https://old.example.org, ${AUDIENCE}` }, 401],
    ["an issuer with a slash more", { iss: "https://accounts.google.com/" }, 401],
    ["no issuer", { iss: undefined }, 401],
    ["expired within the skew", { exp: now() - 20 }, 200],
    ["expired before", { exp: now() - 40 }, 401],
    ["from a clock that is ahead", { iat: now() + 20 }, 200],
    ["not yet valid", { iat: now() + 60 }, 401],
    ["valid for ever", { exp: now() + 400 * 86400 }, 401],
    ["no end", { exp: undefined }, 401],
    ["an end that is text", { exp: String(now() + 3600) }, 401],
    ["an address in capitals", { email: "ANN@Example.COM" }, 200],
    ["no address", { email: undefined }, 401],
    ["verified as text", { email_verified: "true" }, 401],
    ["not in AUTH_ALLOWED", { email: "eve@example.org" }, 403],
    ["of a domain that ends alike", { email: "eve@notexample.com" }, 403],
    ["a list of addresses", { email: "eve@example.org,ann@example.com" }, 200 /* of a domain */],
  ];
  for (const [name, claims, status] of cases) {
    const reply = await get(service, issuer.googleToken(EMAIL, claims));
    assert.equal(reply.status, status, `${name}: ${reply.text}`);
  }
  const header = [["crit", { crit: ["exp"] }, 401], ["no kid", { kid: undefined }, 401],
    ["an own key", { jwk: issuer.google.jwk }, 200], ["another typ", { typ: "x" }, 200]];
  for (const [name, extra, status] of header) {
    const reply = await get(service, issuer.googleToken(EMAIL, {}, { header: extra }));
    assert.equal(reply.status, status, `${name}: ${reply.text}`);
  }
  const valid = issuer.googleToken(EMAIL);
  for (const text of ["", ".", "..", "a.b.c", `${valid}.`, `${valid}=`, valid.replace(".", ".."),
    valid.replaceAll(".", " "), "e30.e30.", `${"A".repeat(20000)}.e30.e30`]) {
    const reply = await get(service, text);
    assert.ok([401, 431].includes(reply.status), `${text.slice(0, 40)}: ${reply.status}`);
  }
});

test("a program's account, and a person's, have the roles that access.lua gives", async (t) => {
  const issuer = await publisher(t);
  const crm = "crm@p.iam.gserviceaccount.com";
  const service = await start(t, { ...issuer.env, AUTH_ALLOWED: `@example.com, ${crm}` });
  const post = (email) => service.post("/", MESSAGE, bearer(issuer.googleToken(email)));
  assert.equal((await post(crm)).status, 200);
  assertRefused(await get(service, issuer.googleToken(crm)), 403, "forbidden");
  const id = (await post(EMAIL)).json.draft_id;
  const shown = await service.get(`/drafts/${id}`, bearer(issuer.googleToken(EMAIL)));
  assert.equal(shown.json.draft.created_by, EMAIL);
  assert.deepEqual([(await service.logged(shown)).caller, (await service.logged(shown)).auth],
    [EMAIL, "google"]);
});

test("IAP: any audience of the list, and nothing but its assertion", async (t) => {
  const issuer = await publisher(t);
  const other = "/projects/1/global/backendServices/7";
  const service = await start(t, { ...issuer.env, AUTH: "iap",
    IAP_AUDIENCE: `${IAP_AUDIENCE},${other}` });
  const ask = (headers) => service.get("/drafts", { headers });
  const iap = (made) => ask({ "X-Goog-IAP-JWT-Assertion": made });
  assert.equal((await iap(issuer.iapToken(EMAIL))).status, 200);
  assert.equal((await iap(issuer.iapToken(EMAIL, { aud: other }))).status, 200);
  const wrong = await iap(issuer.iapToken(EMAIL, { aud: "/projects/2" }));
  assertRefused(wrong, 401, "unauthenticated");
  assert.match((await service.logged(wrong)).refused, /audience is '\/projects\/2'/,
    "the log tells what IAP really sent");
  assertRefused(await ask({ "X-Goog-Authenticated-User-Email": `accounts.google.com:${EMAIL}` }), 401,
    "unauthenticated");
  assertRefused(await get(service, issuer.iapToken(EMAIL)), 401, "unauthenticated");
});

test("keys are asked for once, however many wait, and kept", async (t) => {
  const issuer = await publisher(t);
  const service = await start(t, issuer.env);
  const made = issuer.googleToken(EMAIL);
  const replies = await Promise.all(Array.from({ length: 50 }, () => get(service, made)));
  assert.ok(replies.every(({ status }) => status === 200));
  for (let i = 0; i < 20; i++) assert.equal((await get(service, made)).status, 200);
  assert.equal(issuer.asked["/google"], 1);
});

test("a new key is found as soon as it signs; made-up ones cost little", async (t) => {
  const issuer = await publisher(t);
  const service = await start(t, issuer.env);
  assert.equal((await get(service, issuer.googleToken(EMAIL))).status, 200);

  const next = keyPair("RS256");
  issuer.sets["/google"] = [issuer.google.jwk, next.jwk];
  assert.equal((await get(service, token(googleClaims(EMAIL), next))).status, 200);
  assert.equal(issuer.asked["/google"], 2);

  const stranger = keyPair("RS256");
  for (let i = 0; i < 200; i++) {
    const made = token(googleClaims(EMAIL), { ...stranger, kid: `made-up-${i}` });
    assertRefused(await get(service, made), 401, "unauthenticated");
  }
  assert.ok(issuer.asked["/google"] <= 8, `asked ${issuer.asked["/google"]} times`);
  assert.equal((await get(service, issuer.googleToken(EMAIL))).status, 200);
});

test("a key that was taken back ends with the set's own life", async (t) => {
  const issuer = await publisher(t);
  issuer.control = "max-age=1";
  const service = await start(t, issuer.env);
  const made = issuer.googleToken(EMAIL);
  assert.equal((await get(service, made)).status, 200);
  issuer.sets["/google"] = [keyPair("RS256").jwk];
  let reply;
  do reply = await get(service, made); while (reply.status === 200);
  assertRefused(reply, 401, "unauthenticated");
  assert.equal(issuer.asked["/google"], 3); // when their time was over, and for one not among them
});

test("when keys cannot be fetched, the older ones serve; without any it is 502", async (t) => {
  const issuer = await publisher(t);
  issuer.control = "max-age=1";
  const service = await start(t, issuer.env);
  const made = issuer.googleToken(EMAIL);
  assert.equal((await get(service, made)).status, 200);
  issuer.status = 404;
  const warned = service.event((e) => /could not be fetched/.test(e.message));
  let ended = false;
  warned.then(() => { ended = true; });
  while (!ended) assert.equal((await get(service, made)).status, 200);
  assert.equal((await warned).older_ones_serve, true);
  assert.equal((await get(service, made)).status, 200);

  issuer.status = 200;
  for (const body of ["{}", "[]", "", "null", '{"keys":[{"kty":"RSA"}]}',
    JSON.stringify({ keys: [issuer.iap.jwk] })]) {
    issuer.body = body;
    const fresh = await start(t, issuer.env);
    const refused = await get(fresh, made);
    assertRefused(refused, 502, "auth_error");
    assert.doesNotMatch(refused.text, /127\.0\.0\.1|jwk|key/i, "it tells of the inside");
  }
});

test("a key that is known serves while newer ones are late; another one waits for them", async (t) => {
  const issuer = await publisher(t);
  issuer.control = "max-age=1";
  const service = await start(t, issuer.env);
  const made = issuer.googleToken(EMAIL);
  assert.equal((await get(service, made)).status, 200);
  let open;
  issuer.open = new Promise((resolve) => { open = resolve; });
  while (issuer.asked["/google"] === 1) assert.equal((await get(service, made)).status, 200);

  const next = keyPair("RS256");
  const waiting = get(service, token(googleClaims(EMAIL), next));
  assert.equal((await get(service, made)).status, 200);
  assert.ok(!service.log.some((e) => /could not be fetched/.test(e.message)), "they have waited");
  issuer.sets["/google"] = [next.jwk];
  open();
  assert.equal((await waiting).status, 200);
  assertRefused(await get(service, made), 401, "unauthenticated");
});

test("the time that a request has is for its caller's keys as well", async (t) => {
  const issuer = await publisher(t);
  issuer.open = new Promise(() => {});
  const service = await start(t, { ...issuer.env, REQUEST_TIMEOUT: "1" });
  assertRefused(await service.get("/drafts", bearer(issuer.googleToken("review@example.com"))), 504,
    "timeout");
});

test("who leaves before he is known begins nothing that only waits for him", async (t) => {
  const issuer = await publisher(t);
  let open;
  issuer.open = new Promise((resolve) => { open = resolve; });
  const service = await start(t, { ...issuer.env, SCRIPTS_DIR: await overlay(t, {
    ...ROLES_BY_NAME, "routes.lua": `
      local log = require "paraph.log"
      return { { "GET", "/news", access = "review", waits = true, handler = function()
        log.info("begun")
        return { json = {} }
      end } }` }) });
  const reader = `Authorization: Bearer ${issuer.googleToken("review@example.com")}\r\n`;
  const { socket } = connection(service, wireGet(reader, "/news"));
  while (issuer.asked["/google"] === 0) await new Promise(setImmediate);
  socket.destroy();
  await once(socket, "close");
  const another = connection(service, wireGet("Connection: close\r\n" + reader, "/news"));
  await another.connected;
  open();
  assert.match(await another.closed, /^HTTP\/1.1 200 /);
  await service.event((e) => e.status === 499);
  assert.equal(service.log.filter((e) => e.message === "begun").length, 1);
});

test("keys that are not fit are passed over", async (t) => {
  const issuer = await publisher(t);
  const { jwk } = issuer.google;
  issuer.sets["/google"] = [
    { ...jwk, kid: undefined }, { ...jwk, kty: "oct" }, { ...jwk, use: "enc" }, { ...jwk, alg: "RS512" },
    { ...jwk, e: "AQ" }, { ...jwk, n: jwk.n.slice(0, 100) }, { ...jwk, n: 5 }, null, [], "x",
    issuer.iap.jwk, jwk, { ...keyPair("RS256").jwk, kid: jwk.kid },
  ];
  const service = await start(t, issuer.env);
  assert.equal((await get(service, issuer.googleToken(EMAIL))).status, 200);
});

test("who is refused by one method, and waits for the keys of another, is let go at the end", async (t) => {
  const issuer = await publisher(t);
  const service = await start(t, issuer.env);
  assert.equal((await get(service, issuer.googleToken(EMAIL))).status, 200);
  issuer.open = new Promise(() => {});
  const forged = issuer.googleToken(EMAIL, {}, { sign: () => Buffer.alloc(256) });
  const ended = service.get("/drafts", { headers: { Authorization: `Bearer ${forged}`,
    "X-Goog-IAP-JWT-Assertion": issuer.iapToken(EMAIL) } }).catch(() => {}); // answered, or cut off
  while (issuer.asked["/iap"] === 0) assert.equal((await service.get("/health")).status, 200);
  await service.stop();
  await ended;
});

test("the first method that knows the caller counts", async (t) => {
  const issuer = await publisher(t);
  const open = await start(t, { ...issuer.env, AUTH: "google,none" });
  const posted = async (service, options) => {
    const { draft_id: id } = (await service.post("/", MESSAGE, options)).json;
    return (await service.get(`/drafts/${id}`, options)).json.draft.created_by;
  };
  assert.equal(await posted(open, bearer(issuer.googleToken(EMAIL))), EMAIL);
  assert.equal(await posted(open, bearer("nonsense")), "anonymous");
});
