// The stand-in for Google, judged by Google's own clients and by what is known of the real answers.
// conformance.test.mjs lets Google's Firestore emulator judge it.

import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import {
  call, claimsFor, delegate, exchange, mailboxToken, metadata, serviceToken, signJwt,
} from "./client.mjs";
import { startGoogle } from "./server.mjs";
import { SYMPTOMS } from "./symptoms.mjs";

const google = await startGoogle();
after(() => google.stop());
const { GMAIL_URL, FIRESTORE_URL, OAUTH_TOKEN_URL, IAM_CREDENTIALS_URL } = google.env();
const USERS = `${GMAIL_URL}/gmail/v1/users`;
const UPLOAD = `${GMAIL_URL}/upload/gmail/v1/users`;
const ROOT = "projects/test-project/databases/(default)/documents";
const SCOPE = "https://www.googleapis.com/auth/";

const letter = (changes = {}) => {
  const fields = {
    From: "sender@example.com", To: "ann@example.com", Subject: "Hello", "Message-ID": "<own@id>",
    "MIME-Version": "1.0", "Content-Type": "text/plain; charset=utf-8", ...changes,
  };
  const head = Object.entries(fields).filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${head.join("")}\r\nHi Ann!\r\n`);
};
const raw = (bytes) => bytes.toString("base64url");
const lastMail = () => google.mails().at(-1);
const bearer = (token) => ({ Authorization: `Bearer ${token}` });

function refused({ status, json, text }, http, pattern) {
  assert.equal(status, http, text);
  assert.match(JSON.stringify(json ?? text), pattern);
}

async function gmail() {
  const token = await mailboxToken(google);
  return (method, path, body) => call(`${USERS}/me/${path}`, { method, body, token });
}

async function firestore() {
  const token = await serviceToken(google);
  return (method, path, body) => call(`${FIRESTORE_URL}/v1/${ROOT}${path}`, { method, body, token });
}

const set = (path, fields) => ({ writes: [{ update: { name: `${ROOT}/${path}`, fields } }] });

// --- the chain of tokens ----------------------------------------------------------------------------

describe("metadata server", () => {
  test("says who and where", async () => {
    const values = {
      "instance/service-accounts/default/email": google.settings.serviceAccount,
      "project/project-id": "test-project", "project/numeric-project-id": "123456789012",
      "universe/universe-domain": "googleapis.com",
    };
    for (const [path, value] of Object.entries(values)) {
      const reply = await metadata(google, path);
      assert.equal(reply.text, value);
      assert.equal(reply.headers.get("metadata-flavor"), "Google");
    }
    const { json } = await metadata(google, "instance/service-accounts/default/?recursive=true");
    assert.equal(json.email, google.settings.serviceAccount);
  });

  test("gives the same token until shortly before its end", async (t) => {
    const token = () => metadata(google, "instance/service-accounts/default/token");
    const [one, two] = [await token(), await token()];
    assert.equal(one.json.access_token, two.json.access_token);
    t.after(() => google.reset());
    google.configure({ clockSkewMs: 3_400_000 });
    const three = await token();
    assert.notEqual(three.json.access_token, one.json.access_token);
    assert.equal(three.json.expires_in, 3600);
  });

  test("insists on its header and takes nothing forwarded", async () => {
    assert.equal((await metadata(google, "project/project-id", {})).status, 403);
    const forwarded = { "Metadata-Flavor": "Google", "X-Forwarded-For": "1.2.3.4" };
    assert.equal((await metadata(google, "project/project-id", forwarded)).status, 403);
    assert.equal((await metadata(google, "instance/nothing")).status, 404);
  });
});

describe("signJwt", () => {
  test("signs claims as they are, with a key of its own", async () => {
    const { json } = await signJwt(google, claimsFor(google, { odd: "hé" }));
    const [header, claims] = json.signedJwt.split(".")
      .map((part) => Buffer.from(part, "base64url").toString());
    assert.deepEqual(JSON.parse(header), { alg: "RS256", kid: json.keyId, typ: "JWT" });
    assert.equal(JSON.parse(claims).odd, "hé");
  });

  test("refuses what IAM refuses", async () => {
    const claims = claimsFor(google);
    const denied = /IAM_PERMISSION_DENIED.*iam\.serviceAccounts\.signJwt/;
    refused(await signJwt(google, claims, { account: "other@x.iam.gserviceaccount.com" }), 403, denied);
    refused(await signJwt(google, "text"), 400, /INVALID_ARGUMENT/);
    refused(await signJwt(google, []), 400, /INVALID_ARGUMENT/);
    refused(await signJwt(google, { ...claims, exp: claims.iat + 13 * 3600 }), 400, /exp/);
    refused(await signJwt(google, { ...claims, exp: claims.iat - 1 }), 400, /exp/);
    refused(await signJwt(google, claims, { token: "ya29.foreign" }), 401, /UNAUTHENTICATED/);
    refused(await signJwt(google, claims, { token: await mailboxToken(google) }), 403, /SCOPE/);
    const url = `${IAM_CREDENTIALS_URL}/v1/projects/-/serviceAccounts/x:signJwt`;
    const token = await serviceToken(google);
    refused(await call(url, { method: "POST", token, body: { payload: claims } }), 400, /payload/);
    refused(await call(url, { method: "POST", token, body: { claims: "" } }), 400, /Unknown name/);
    refused(await call(url.replace("/-/", "/p/"), { method: "POST", token, body: { payload: "{}" } }),
      400, /INVALID_ARGUMENT/);
  });

  test("a laptop's user needs a quota project", async () => {
    const { client_id, client_secret, refresh_token } = google.adc();
    const form = { grant_type: "refresh_token", client_id, client_secret, refresh_token };
    const login = (changes) => call(OAUTH_TOKEN_URL,
      { method: "POST", body: new URLSearchParams({ ...form, ...changes }) });
    const { access_token: token } = (await login()).json;
    const claims = claimsFor(google);
    refused(await signJwt(google, claims, { token }), 403, /accessNotConfigured|SERVICE_DISABLED/);
    const headers = (project) => ({ "x-goog-user-project": project });
    refused(await signJwt(google, claims, { token, headers: headers("x") }), 403, /USER_PROJECT_DENIED/);
    const signed = await signJwt(google, claims, { token, headers: headers("test-project") });
    assert.equal(signed.status, 200);
    refused(await login({ refresh_token: "1//old" }), 400, /invalid_grant/);
    refused(await login({ client_secret: "x" }), 401, /invalid_client/);
  });
});

describe("tokens of the service account", () => {
  const claimsOf = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url"));

  test("the metadata server tells of its own account", async () => {
    const path = "instance/service-accounts/default/identity";
    const { sub, aud, email } = claimsOf((await metadata(google, `${path}?audience=a&format=full`)).text);
    assert.deepEqual([sub, aud, email],
      [google.settings.uniqueId, "a", google.settings.serviceAccount]);
    assert.equal(claimsOf((await metadata(google, `${path}?audience=a`)).text).email, undefined);
    assert.equal((await metadata(google, path)).status, 400);
  });

  test("IAM tells whoever may sign as the account", async () => {
    const url = (account) =>
      `${IAM_CREDENTIALS_URL}/v1/projects/-/serviceAccounts/${account}:generateIdToken`;
    const ask = async (account, body) =>
      call(url(account), { method: "POST", token: await serviceToken(google), body });
    const { serviceAccount, uniqueId } = google.settings;
    const { json } = await ask(serviceAccount, { audience: "a", includeEmail: true });
    assert.equal(claimsOf(json.token).sub, uniqueId);
    assert.equal(claimsOf(json.token).email, serviceAccount);
    refused(await ask(serviceAccount, {}), 400, /audience/);
    refused(await ask("other@x.iam.gserviceaccount.com", { audience: "a" }), 403, /PERMISSION_DENIED/);
  });

  test("and gives an access token of it", async () => {
    const url = `${IAM_CREDENTIALS_URL}/v1/projects/-/serviceAccounts/` +
      `${google.settings.serviceAccount}:generateAccessToken`;
    const ask = async (body) =>
      call(url, { method: "POST", token: await serviceToken(google), body });
    const scope = ["https://www.googleapis.com/auth/cloud-platform"];
    const { json: { accessToken, expireTime } } = await ask({ scope, lifetime: "600s" });
    assert.ok(Date.parse(expireTime) <= google.now() + 600_000);
    assert.equal((await signJwt(google, claimsFor(google), { token: accessToken })).status, 200);
    refused(await ask({ scope, lifetime: "7200s" }), 400, /lifetime/);
    refused(await ask({ scope: [] }), 400, /scope/);
  });
});

describe("token endpoint", () => {
  test("gives a mailbox's token", async () => {
    const { json } = await delegate(google);
    assert.deepEqual(Object.keys(json), ["access_token", "expires_in", "token_type"]);
    assert.equal(json.expires_in, 3599);
  });

  const now = () => Math.floor(Date.now() / 1000);
  const cases = {
    "audience": [{ aud: "https://oauth2.googleapis.com/token/" }, 400, /Failed audience check/],
    "no scope": [{ scope: "" }, 400, /invalid_scope/],
    "commas": [{ scope: `${SCOPE}gmail.send,${SCOPE}gmail.compose` }, 400, /invalid_scope/],
    "a list of scopes": [{ scope: [`${SCOPE}gmail.send`] }, 400, /invalid_scope/],
    "too long": [{ exp: now() + 3700 }, 400, /short-lived/],
    "too old": [{ iat: now() - 7200, exp: now() + 100 }, 400, /short-lived/],
    "not yet": [{ iat: now() + 400, exp: now() + 1000 }, 400, /short-lived/],
    "milliseconds": [{ iat: Date.now() }, 400, /short-lived/],
    "no iat": [{ iat: undefined }, 400, /short-lived/],
    "another signer": [{ iss: "o@test-project.iam.gserviceaccount.com" }, 400, /Invalid JWT Signature/],
    "no signer": [{ iss: "me@example.com" }, 400, /No valid verifier/],
    "no such user": [{ sub: "nobody@example.com" }, 400, /invalid_grant.*Invalid email or User ID/],
    "no address": [{ sub: "nobody" }, 400, /invalid_request/],
    "scope not delegated": [{ scope: `${SCOPE}gmail.labels` }, 401, /unauthorized_client/],
    "one of two": [{ scope: `${SCOPE}gmail.send ${SCOPE}gmail.labels` }, 403, /access_denied/],
    "misspelt scope": [{ scope: `${SCOPE}gmail.sned` }, 200, /^\{"id_token":"[^"]+"\}$/],
  };
  for (const [name, [changes, status, pattern]] of Object.entries(cases)) {
    test(`claims: ${name}`, async () => refused(await delegate(google, changes), status, pattern));
  }

  test("checks the signature", async () => {
    const { json: { signedJwt } } = await signJwt(google, claimsFor(google));
    const [header, claims] = signedJwt.split(".");
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const foreign = sign("RSA-SHA256", Buffer.from(`${header}.${claims}`), privateKey);
    const hmac = createHmac("sha256", "x").update(`${header}.${claims}`).digest("base64url");
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const wrong = [`${header}.${claims}.${foreign.toString("base64url")}`,
      `${part({ alg: "HS256" })}.${claims}.${hmac}`, `${part({ alg: "none" })}.${claims}.AA`,
      signedJwt.replace(claims, part({ ...claimsFor(google), sub: "boss@example.com" }))];
    for (const assertion of wrong) {
      refused(await exchange(google, assertion), 400, /invalid_grant.*Invalid JWT Signature/);
    }
    for (const assertion of ["", "a.b", `${signedJwt}=`, "a.b.c"]) {
      refused(await exchange(google, assertion), 400, /invalid_request/);
    }
  });

  test("takes forms alone", async () => {
    const { json: { signedJwt: assertion } } = await signJwt(google, claimsFor(google));
    const form = { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion };
    const post = (body, headers) => call(OAUTH_TOKEN_URL, { method: "POST", body, headers });
    const type = { "Content-Type": "application/x-www-form-urlencoded" };
    refused(await post(form), 400, /invalid_request/);
    refused(await post(new URLSearchParams(form), { ...type, ...bearer("x") }), 400, /invalid_request/);
    refused(await post(new URLSearchParams({ ...form, more: "x" })), 400, /invalid_request/);
    refused(await post(new URLSearchParams({ ...form, grant_type: "password" })), 400, /unsupported/);
    assert.equal((await post(new URLSearchParams(form))).status, 200);
  });
});

// --- Gmail --------------------------------------------------------------------------------------------

describe("Gmail, as Google's client sees it", async () => {
  const { gmail: client, auth } = await import("@googleapis/gmail");
  const oauth = new auth.OAuth2();
  before(async () => oauth.setCredentials({ access_token: await mailboxToken(google) }));
  const api = client({ version: "v1", auth: oauth, rootUrl: `${GMAIL_URL}/` }).users;
  const me = { userId: "me" };
  const here = { rootUrl: `${GMAIL_URL}/` }; // for uploads the client wants it with each call

  test("send as JSON and as upload", async () => {
    const json = await api.messages.send({ ...me, requestBody: { raw: raw(letter()) } });
    assert.deepEqual(json.data.labelIds, ["SENT"]);
    const { threadId } = json.data;
    const id = lastMail().delivered.toString().match(/^Message-ID: (.*)\r$/m)[1];
    const reply = letter({ Subject: "Re: Hello", "In-Reply-To": id, References: id });
    const upload = await api.messages.send({
      ...me, requestBody: { threadId },
      media: { mimeType: "message/rfc822", body: Readable.from([reply]) },
    }, here);
    assert.equal(upload.data.threadId, threadId);
    assert.deepEqual(lastMail().submitted, reply);
    const media = await api.messages.send({
      ...me, media: { mimeType: "message/rfc822", body: letter().toString() },
    }, here);
    assert.notEqual(media.data.threadId, threadId);
    const thread = await api.threads.get({ ...me, id: threadId, format: "metadata" });
    assert.equal(thread.data.messages.length, 2);
  });

  test("drafts are sent once", async () => {
    const { data: draft } = await api.drafts.create({
      ...me, requestBody: { message: { raw: raw(letter({ "X-Paraph-Id": "one" })) } },
    });
    const { data: found } = await api.drafts.list({ ...me, q: "rfc822msgid:own@id" });
    assert.deepEqual(found.drafts.map(({ id }) => id), [draft.id]);
    const { data: seen } = await api.drafts.get({ ...me, id: draft.id, format: "metadata" });
    assert.ok(seen.message.payload.headers.some(({ name }) => name === "X-Paraph-Id"));
    const requestBody = { id: draft.id };
    const all = await Promise.allSettled(
      Array.from({ length: 20 }, () => api.drafts.send({ ...me, requestBody })));
    const sent = all.filter(({ status }) => status === "fulfilled");
    assert.equal(sent.length, 1);
    assert.ok(all.every(({ reason }) => !reason || reason.status === 404));
    assert.equal(google.mails().filter(({ draftId }) => draftId === draft.id).length, 1);
    await assert.rejects(api.drafts.get({ ...me, id: draft.id }), { status: 404 });
    assert.equal(lastMail().id, sent[0].value.data.id);
  });

  test("drafts are changed and deleted", async () => {
    const { data: draft } = await api.drafts.create({
      ...me, requestBody: { message: { raw: raw(letter({ To: null })) } },
    });
    await assert.rejects(api.drafts.send({ ...me, requestBody: { id: draft.id } }),
      /Recipient address required/);
    const message = { raw: raw(letter({ Subject: "Changed" })) };
    await api.drafts.update({ ...me, id: draft.id, requestBody: { message } });
    await api.drafts.send({ ...me, requestBody: { id: draft.id } });
    assert.equal(lastMail().read.mailparser.subject, "Changed");
    const { data: other } = await api.drafts.create({ ...me, requestBody: { message } });
    assert.equal((await api.drafts.delete({ ...me, id: other.id })).status, 204);
    await assert.rejects(api.drafts.delete({ ...me, id: other.id }), { status: 404 });
  });

  test("settings, profile, messages", async () => {
    const { data: { sendAs } } = await api.settings.sendAs.list(me);
    assert.match(sendAs[0].signature, /Sam/);
    const one = await api.settings.sendAs.get({ ...me, sendAsEmail: google.mailbox });
    assert.deepEqual(one.data, sendAs[0]);
    await assert.rejects(api.settings.sendAs.get({ ...me, sendAsEmail: "x@y.z" }), { status: 404 });
    assert.equal((await api.getProfile(me)).data.emailAddress, google.mailbox);
    await api.messages.send({ ...me, requestBody: { raw: raw(letter({ Subject: "needle" })) } });
    const { data: list } = await api.messages.list({ ...me, q: "in:sent subject:needle newer_than:1h" });
    assert.equal(list.messages.length, 1);
    const { id } = list.messages[0];
    const { data: shown } = await api.messages.get(
      { ...me, id, format: "metadata", metadataHeaders: ["message-id", "Subject"] });
    assert.deepEqual(shown.payload.headers.map(({ name }) => name).sort(), ["Message-ID", "Subject"]);
    const { data: whole } = await api.messages.get({ ...me, id, format: "raw" });
    assert.match(Buffer.from(whole.raw, "base64url").toString(), /needle/);
    const { data: page } = await api.messages.list({ ...me, maxResults: 2 });
    const { data: next } = await api.messages.list({ ...me, maxResults: 2, pageToken: page.nextPageToken });
    assert.equal(new Set([...page.messages, ...next.messages].map((m) => m.id)).size, 4);
  });
});

describe("Gmail", () => {
  test("replaces Message-ID and a foreign From, and hides Bcc", async () => {
    const ask = await gmail();
    const mail = letter({ From: "Boss <boss@example.com>", Cc: "Cy <cy@example.com>", Bcc: "bea@example.com" });
    await ask("POST", "messages/send", { raw: raw(mail) });
    const { delivered, recipients, from, asked, id } = lastMail();
    assert.deepEqual(recipients, ["ann@example.com", "cy@example.com", "bea@example.com"]);
    assert.deepEqual([from, asked], ['"Sam Sender" <sender@example.com>', "boss@example.com"]);
    assert.doesNotMatch(delivered.toString(), /bea@|boss@|own@id/);
    assert.match(delivered.toString(), /^Message-ID: <CA[\w-]+@mail\.gmail\.com>\r$/m);
    const { json } = await ask("GET", `messages/${id}?format=raw`);
    assert.match(Buffer.from(json.raw, "base64url").toString(), /bea@/, "the sender's copy keeps Bcc");
  });

  test("uses accepted send-as addresses alone", async (t) => {
    t.after(() => google.reset());
    const alias = (sendAsEmail, more) => ({ sendAsEmail, displayName: "", signature: "", ...more });
    google.configure({ mailboxes: { "sender@example.com": { sendAs: [
      alias("sender@example.com", { isPrimary: true }),
      alias("Sales@example.com", { verificationStatus: "accepted", isDefault: true }),
      alias("new@example.com", { verificationStatus: "pending" }),
    ] } } });
    const ask = await gmail();
    for (const [from, becomes] of [["sales@example.com", "Sales@example.com"],
      ["sender@example.com", "sender@example.com"], ["new@example.com", "Sales@example.com"]]) {
      await ask("POST", "messages/send", { raw: raw(letter({ From: from })) });
      assert.equal(lastMail().from, becomes);
    }
  });

  test("refuses what is not described", async () => {
    const ask = await gmail();
    refused(await ask("POST", "messages/send", {}), 400, /'raw' RFC822/);
    refused(await ask("POST", "messages/send", { raw: "%" }), 400, /Invalid value at 'raw'/);
    refused(await ask("POST", "messages/send", { raw: "+/+/" }), 400, /ByteString/);
    refused(await ask("POST", "messages/send", { message: {} }), 400, /Unknown name \\"message\\"/);
    refused(await ask("POST", "messages/send?foo=1", { raw: "" }), 400, /Unknown name \\"foo\\"/);
    refused(await ask("GET", "drafts?maxResults=many"), 400, /maxResults/);
    refused(await ask("GET", "messages/x?format=small"), 400, /format/);
    refused(await ask("GET", "messages/x"), 404, /notFound/);
    refused(await ask("POST", "drafts/send", { id: 5 }), 400, /TYPE_STRING/);
    refused(await ask("PUT", "messages/send", {}), 404, /NOT_FOUND/);
    refused(await ask("GET", "labels"), 501, /stand-in/);
    refused(await ask("POST", "messages/send", { raw: raw(letter({ To: "nobody" })) }), 400,
      /Invalid To header/);
    refused(await ask("POST", "messages/send", { raw: raw(letter()), threadId: "x" }), 404, /notFound/);
    const token = await mailboxToken(google);
    const send = (headers, body = "{}") =>
      call(`${USERS}/me/messages/send`, { method: "POST", token, headers, body });
    refused(await send({ "Content-Type": "text/plain" }), 400, /Content-Type/);
    refused(await send({ "Content-Type": "application/json" }, "{"), 400, /Invalid JSON/);
    refused(await call(`${FIRESTORE_URL}/gmail/v1/users/me/profile`, { token }), 404, /NOT_FOUND/);
  });

  test("checks whose token it is, and for what", async () => {
    const profile = (who, token) => call(`${USERS}/${who}/profile`, { token });
    refused(await profile("me"), 401, /UNAUTHENTICATED/);
    refused(await profile("me", "ya29.x"), 401, /authError/);
    refused(await profile("me", await serviceToken(google)), 403, /insufficientPermissions/);
    const own = await mailboxToken(google, { sub: undefined });
    refused(await profile("me", own), 400, /failedPrecondition.*|Precondition check failed/);
    refused(await profile("other@example.com", await mailboxToken(google)), 403, /Delegation denied/);
    assert.equal((await profile("SENDER%40example.com", await mailboxToken(google))).status, 200);
    const narrow = await mailboxToken(google, { scope: `${SCOPE}gmail.send` });
    const reply = await profile("me", narrow);
    refused(reply, 403, /ACCESS_TOKEN_SCOPE_INSUFFICIENT/);
    assert.match(reply.headers.get("www-authenticate"), /insufficient_scope.*mail\.google\.com/);
    const scope = `${SCOPE}gmail.metadata ${SCOPE}gmail.readonly`;
    const poisoned = await mailboxToken(google, { scope });
    refused(await call(`${USERS}/me/messages?q=x`, { token: poisoned }), 403, /does not support 'q'/);
    const token = await mailboxToken(google);
    google.tokens.revoke(google.mailbox);
    refused(await profile("me", token), 401, /Invalid|invalid authentication/);
    const project = { "x-goog-user-project": "test-project" };
    refused(await call(`${USERS}/me/profile`, { token: await mailboxToken(google), headers: project }),
      403, /USER_PROJECT_DENIED/);
  });

  test("limits", async () => {
    const ask = await gmail();
    const head = letter({ "Content-Type": "application/pdf", "Content-Transfer-Encoding": "base64" });
    const big = Buffer.concat([head, Buffer.alloc(4 * 1024 * 1024, `${"x".repeat(76)}\r\n`)]);
    refused(await ask("POST", "messages/send", { raw: raw(big) }), 400, /payload size/);
    const token = await mailboxToken(google);
    const upload = (body) => call(`${UPLOAD}/me/messages/send?uploadType=media`,
      { method: "POST", token, body, headers: { "Content-Type": "message/rfc822" } });
    assert.equal((await upload(big)).status, 200);
    refused(await upload(Buffer.alloc(36_700_161, "x")), 413, /uploadTooLarge/);
  });

  test("uploads must be well formed", async () => {
    const token = await mailboxToken(google);
    const upload = (type, body, contentType) => call(`${UPLOAD}/me/messages/send?uploadType=${type}`,
      { method: "POST", token, body, headers: { "Content-Type": contentType } });
    const parts = (resource, end = "\r\n--B--") =>
      `--B\r\nContent-Type: application/json\r\n\r\n${resource}\r\n` +
      `--B\r\nContent-Type: message/rfc822\r\n\r\n${letter()}${end}`;
    const related = 'multipart/related; boundary="B"';
    assert.equal((await upload("multipart", parts("{}"), related)).status, 200);
    assert.deepEqual(lastMail().submitted, letter());
    refused(await upload("multipart", parts("{}", ""), related), 400, /end boundary/);
    refused(await upload("multipart", parts('{"x":1}'), related), 400, /Unknown name/);
    refused(await upload("multipart", parts("{}"), "multipart/mixed; boundary=B"), 400, /related/);
    refused(await upload("media", letter(), "text/plain"), 400, /message\/\*/);
    refused(await upload("whole", letter(), "message/rfc822"), 400, /upload type/);
  });

  test("quota of a mailbox, and a search that lags", async (t) => {
    t.after(() => google.reset());
    google.reset();
    google.configure({ unitsPerMinute: 150, searchLagMs: 60_000 });
    const ask = await gmail();
    const send = () => ask("POST", "messages/send", { raw: raw(letter({ Subject: "late" })) });
    assert.equal((await send()).status, 200);
    refused(await send(), 403, /Queries per minute per user/);
    const { json } = await ask("GET", "messages?q=subject%3Alate");
    assert.equal(json.messages, undefined);
  });

  test("answers in part", async () => {
    const ask = await gmail();
    const { json } = await ask("POST", "messages/send?fields=id", { raw: raw(letter()) });
    assert.deepEqual(Object.keys(json), ["id"]);
    const { json: list } = await ask("GET", "settings/sendAs?fields=sendAs(sendAsEmail,isPrimary)");
    assert.deepEqual(list, { sendAs: [{ sendAsEmail: "sender@example.com", isPrimary: true }] });
  });

  test("what arrives can be answered in its thread", async () => {
    const got = await google.receive(google.mailbox, letter({ "Message-ID": "<q@x>", Subject: "Q" }));
    const ask = await gmail();
    const answer = (changes) => ask("POST", "messages/send",
      { threadId: got.threadId, raw: raw(letter({ Subject: "Re: Q", "In-Reply-To": "<q@x>", ...changes })) });
    assert.equal((await answer()).json.threadId, got.threadId);
    assert.notEqual((await answer({ Subject: "Else" })).json.threadId, got.threadId);
    assert.notEqual((await answer({ "In-Reply-To": null })).json.threadId, got.threadId);
  });
});

// --- Firestore ------------------------------------------------------------------------------------------

test("Firestore, as Google's client sees it", async (t) => {
  Object.assign(process.env, {
    METADATA_SERVER_DETECTION: "assume-present", GCE_METADATA_HOST: google.env().GCE_METADATA_HOST,
  });
  const { Firestore, FieldValue } = await import("@google-cloud/firestore");
  const db = new Firestore({
    projectId: "test-project", preferRest: true, ssl: false, host: google.wires.firestore.address,
  });
  t.after(() => db.terminate());
  const ref = db.collection("drafts").doc("a");
  const data = { subject: "hé", n: 1, at: new Date(0), tags: ["x"], m: { "a.b": null }, b: Buffer.from("hi") };
  await ref.create(data);
  await assert.rejects(ref.create({}), /ALREADY_EXISTS/);
  const first = await ref.get();
  assert.equal(first.get("subject"), "hé");
  assert.equal(first.get("at").toMillis(), 0);
  const lastUpdateTime = first.updateTime;
  await ref.update({
    n: FieldValue.increment(2), tags: FieldValue.arrayUnion("y"), at: FieldValue.serverTimestamp(),
    b: FieldValue.delete(),
  }, { lastUpdateTime });
  await assert.rejects(ref.update({ n: 5 }, { lastUpdateTime }), /required base version/);
  const { n, tags, b } = (await ref.get()).data();
  assert.deepEqual([n, tags, b], [3, ["x", "y"], undefined]);
  await db.runTransaction(async (tx) => {
    const seen = await tx.get(ref);
    tx.update(ref, { n: seen.get("n") + 1 });
  });
  assert.equal((await ref.get()).get("n"), 4);
  await db.collection("drafts").doc("b").set({ n: 9 });
  const page = await db.collection("drafts").orderBy("n", "desc").limit(1).get();
  assert.deepEqual(page.docs.map(({ id }) => id), ["b"]);
  const next = await db.collection("drafts").orderBy("n", "desc").startAfter(page.docs[0]).get();
  assert.deepEqual(next.docs.map(({ id }) => id), ["a"]);
  assert.equal((await db.collection("drafts").count().get()).data().count, 2);
  assert.equal((await db.collection("drafts").listDocuments()).length, 2);
  assert.deepEqual((await db.listCollections()).map(({ id }) => id), ["drafts"]);
  await ref.delete();
  assert.equal((await ref.get()).exists, false);
  google.reset();
});

describe("Firestore", () => {
  test("checks token, database and request", async () => {
    const ask = await firestore();
    const get = (token) => call(`${FIRESTORE_URL}/v1/${ROOT}/c/a`, { token });
    refused(await get(), 401, /UNAUTHENTICATED/);
    refused(await get("owner"), 401, /UNAUTHENTICATED/);
    refused(await get(await mailboxToken(google)), 403, /PERMISSION_DENIED/);
    refused(await ask("GET", "/c/a?foo=1"), 400, /Unknown name/);
    refused(await ask("POST", ":commit", { writes: [{ foo: 1 }] }), 400, /at 'writes\[0\]'/);
    refused(await ask("POST", ":runQuery", { structuredQuery: { limit: "x" } }), 400, /^\[\{/);
    refused(await ask("POST", ":batchGet", { documents: ["x"] }), 400, /^\[\{/);
    const token = await serviceToken(google);
    const other = (from, to) => call(`${FIRESTORE_URL}/v1/${ROOT.replace(from, to)}/c/a`, { token });
    refused(await other("(default)", "mine"), 404, /database mine does not exist/);
    refused(await other("test-project", "x"), 403, /PERMISSION_DENIED/);
    const foreign = { name: `${ROOT.replace("test", "x")}/c/a`, fields: {} };
    refused(await ask("POST", ":commit", { writes: [{ update: foreign }] }), 400, /not in the database/);
    refused(await ask("GET", "/c%2Fa/b"), 400, /segment/);
    const full = { bytesValue: Buffer.alloc(1_000_000).toString("base64") };
    const writes = Array.from({ length: 8 }, (_, i) => set(`big/${i}`, { full }).writes[0]);
    refused(await ask("POST", ":commit", { writes }), 400, /payload size exceeds/);
  });

  test("says which document", async () => {
    const ask = await firestore();
    refused(await ask("GET", "/c/none"), 404, /Document \\"projects.*\/c\/none\\" not found/);
    const [write] = set("c/none", {}).writes;
    refused(await ask("POST", ":commit", { writes: [{ ...write, currentDocument: { exists: true } }] }),
      404, /No document to update: projects.*\/c\/none/);
  });

  test("transactions lose against what happened since", async () => {
    const ask = await firestore();
    await ask("POST", ":commit", set("tx/a", {}));
    const { json: { transaction } } = await ask("POST", ":beginTransaction", {});
    await ask("GET", `/tx/a?transaction=${encodeURIComponent(transaction)}`);
    await ask("POST", ":commit", set("tx/a", { n: { integerValue: 1 } }));
    const commit = { ...set("tx/a", {}), transaction };
    refused(await ask("POST", ":commit", commit), 409, /ABORTED.*|Too much contention/);
    refused(await ask("POST", ":commit", commit), 400, /has expired or is no longer valid/);
  });

  // The emulator counts up to 0; Google's reference forbids it.
  test("a count goes up to something", async () => {
    const ask = await firestore();
    const count = (upTo) => ask("POST", ":runAggregationQuery", { structuredAggregationQuery: {
      structuredQuery: { from: [{ collectionId: "counted" }] }, aggregations: [{ count: { upTo } }],
    } });
    for (const upTo of ["0", "-1"]) refused(await count(upTo), 400, /INVALID_ARGUMENT/);
    assert.equal((await count("1")).status, 200);
  });

  test("composite indexes, where they are listed", async (t) => {
    t.after(() => google.reset());
    const index = (...fields) => ({ collectionGroup: "drafts", queryScope: "COLLECTION",
      fields: fields.map((name) => ({ fieldPath: name.replace("-", ""),
        order: name[0] === "-" ? "DESCENDING" : "ASCENDING" })) });
    google.configure({ indexes: [index("status", "-created_at")] });
    const ask = await firestore();
    const order = (...names) => names.map((name) => ({ field: { fieldPath: name.replace("-", "") },
      direction: name[0] === "-" ? "DESCENDING" : "ASCENDING" }));
    const status = (fieldPath) => ({ fieldFilter: { field: { fieldPath }, op: "EQUAL",
      value: { stringValue: "x" } } });
    const run = (where, ...names) => ask("POST", ":runQuery", { structuredQuery: {
      from: [{ collectionId: "drafts" }], ...(where && { where: status(where) }), orderBy: order(...names) } });
    const served = [[null, "-created_at"], [null, "-created_at", "-__name__"], ["status"],
      ["status", "-created_at"], ["status", "-created_at", "-__name__"], ["status", "created_at"]];
    for (const query of served) assert.equal((await run(...query)).status, 200, String(query));
    const missing = [[null, "-created_at", "__name__"], ["to", "-created_at"],
      [null, "status", "-created_at", "to"], ["status", "-created_at", "__name__"]];
    for (const query of missing) {
      refused(await run(...query), 400, /FAILED_PRECONDITION.*|requires an index.*create_composite=/);
    }
  });
});

// --- faults ---------------------------------------------------------------------------------------------

describe("faults", () => {
  const PROFILE = "gmail.users.getProfile";
  const SEND = "gmail.users.messages.send";
  const hit = async (fault, run) => {
    google.reset();
    const ask = await gmail();
    google.fault({ method: SEND, ...fault });
    const outcome = await run(() => ask("POST", "messages/send", { raw: raw(letter()) }));
    return { outcome, left: google.mails().length };
  };
  const fails = (send) => assert.rejects(send());

  test("an error in the API's dialect, before or after", async () => {
    const { outcome, left } = await hit({ status: 503 }, (send) => send());
    refused(outcome, 503, /UNAVAILABLE.*backendError/);
    assert.equal(left, 0);
    const later = await hit({ status: 503, when: "after" }, (send) => send());
    assert.deepEqual([later.outcome.status, later.left], [503, 1]);
    google.fault({ method: "firestore.*", status: 503 });
    refused(await (await firestore())("POST", ":runQuery", {}), 503, /^\[\{"error".*UNAVAILABLE/);
    google.fault({ method: "oauth2.token", status: 500 });
    refused(await delegate(google), 500, /^\{"error":"internal_failure"/);
    google.fault({ method: "metadata.token", status: 503 });
    assert.equal((await metadata(google, "instance/service-accounts/default/token")).status, 503);
  });

  test("an answer as it is given", async () => {
    const fault = { status: 502, body: "<html>Bad Gateway</html>", headers: { "Retry-After": "7" } };
    const { outcome } = await hit(fault, (send) => send());
    assert.deepEqual([outcome.status, outcome.text, outcome.headers.get("retry-after")],
      [502, "<html>Bad Gateway</html>", "7"]);
  });

  test("a cut connection", async () => {
    assert.equal((await hit({ kind: "cut" }, fails)).left, 0);
    assert.equal((await hit({ kind: "cut", reset: true }, fails)).left, 0);
    assert.equal((await hit({ kind: "cut", when: "after" }, fails)).left, 1);
    assert.equal((await hit({ kind: "truncate" }, fails)).left, 1);
  });

  test("a connection that is cut before anything is read", async () => {
    google.reset();
    const token = await mailboxToken(google);
    google.fault({ method: "gmail.*", kind: "cut", when: "connect" });
    const profile = () => call(`${USERS}/me/profile`, { token });
    await assert.rejects(profile());
    assert.equal(google.calls(PROFILE).length, 0);
    assert.equal((await profile()).status, 200);
  });

  test("no answer, a late one, a slow one", async () => {
    for (const [when, count] of [["before", 0], ["after", 1]]) {
      google.reset();
      const token = await mailboxToken(google);
      google.fault({ method: SEND, kind: "hang", when });
      const controller = new AbortController();
      const sending = fetch(`${USERS}/me/messages/send`, {
        method: "POST", headers: { ...bearer(token), "Content-Type": "application/json" },
        body: JSON.stringify({ raw: raw(letter()) }), signal: controller.signal,
      });
      const { status } = await google.until(({ method, ended }) => method === SEND && ended);
      assert.equal(status, 0);
      controller.abort();
      await assert.rejects(sending);
      assert.equal(google.mails().length, count);
    }
    // No less than the time that was asked for, but for what timers round off; more is no fault.
    for (const kind of ["delay", "slow"]) {
      const from = performance.now();
      assert.equal((await hit({ kind, ms: 200 }, (send) => send())).outcome.status, 200);
      assert.ok(performance.now() - from > 150, kind);
    }
  });

  test("skip, count, mailbox, the newest first, and away again", async () => {
    google.reset();
    const ask = await gmail();
    const statuses = async (n) => {
      const all = [];
      for (let i = 0; i < n; i++) all.push((await ask("GET", "profile")).status);
      return all;
    };
    google.fault({ method: PROFILE, status: 500, skip: 1, count: 2 });
    assert.deepEqual(await statuses(4), [200, 500, 500, 200]);
    google.fault({ method: "gmail.*", status: 500, count: Infinity });
    const newer = google.fault({ method: PROFILE, status: 503, mailbox: google.mailbox });
    google.fault({ method: PROFILE, status: 404, mailbox: "other@example.com" });
    assert.deepEqual(await statuses(2), [503, 500]);
    assert.equal(newer.hits, 1);
    google.faults.clear();
    assert.deepEqual(await statuses(1), [200]);
  });

  test("a fault that cannot be is refused", () => {
    for (const fault of [{}, { method: "x" }, { method: "x", kind: "boom" }, { symptom: "none" },
      { method: "x", status: 500, wehn: "after" }, { method: "x", kind: "hang", when: "connect" }]) {
      assert.throws(() => google.fault(fault), Error, JSON.stringify(fault));
    }
  });
});

describe("symptoms", () => {
  // Any call of the method that a symptom shows at.
  const calls = {
    "metadata.token": () => metadata(google, "instance/service-accounts/default/token"),
    "iamcredentials.projects.serviceAccounts.signJwt": () => signJwt(google, claimsFor(google)),
    "oauth2.token": () => exchange(google, "a.b.c"),
    "gmail.*": async () => call(`${USERS}/me/profile`, { token: await mailboxToken(google) }),
    "firestore.*": async () => (await firestore())("GET", "/c/a"),
    "firestore.projects.databases.documents.runQuery": async () =>
      (await firestore())("POST", ":runQuery", { structuredQuery: { from: [{ collectionId: "c" }] } }),
  };
  const healthy = { "oauth2.token": "400 invalid_request", "firestore.*": "404 NOT_FOUND" };
  const summary = ({ status, json }) => {
    const error = [json].flat()[0]?.error;
    const details = error?.details?.[0]?.reason;
    return `${status} ${error?.errors?.[0]?.reason ?? details ?? error?.status ?? error ?? ""}`.trim();
  };

  for (const [name, { method, count = Infinity }] of Object.entries(SYMPTOMS)) {
    test(name, async () => {
      google.reset();
      const before = summary(await calls[method]());
      const fault = google.fault({ symptom: name });
      for (let i = 0; i < Math.min(count, 3); i++) {
        const reply = await calls[method]();
        assert.equal(fault.hits, i + 1);
        const error = [reply.json].flat()[0]?.error;
        if (name === "id_token_only") assert.equal(reply.json.access_token, undefined);
        else if (method === "oauth2.token") assert.match(error, /^[a-z_]+$/);
        else if (method !== "metadata.token") assert.equal(error.code, reply.status);
        assert.equal(reply.status === 200, name === "id_token_only");
      }
      fault.remove();
      assert.equal(summary(await calls[method]()), before);
      assert.equal(before, healthy[method] ?? "200");
    });
  }

  test("the exact texts that programs read", async () => {
    google.reset();
    const from = Date.now();
    google.fault({ symptom: "gmail_sending_limit", retryAfterMs: 900_000, count: 1 });
    const { status, json, headers } = await calls["gmail.*"]();
    assert.deepEqual([status, headers.get("retry-after")], [429, null]);
    const [, until] = /^User-rate limit exceeded. {2}Retry after (\S+) \(Mail sending\)$/
      .exec(json.error.message);
    assert.ok(Math.abs(Date.parse(until) - from - 900_000) < 10_000);
    google.fault({ symptom: "unauthorized_client_numeric_id", count: 1 });
    refused(await calls["oauth2.token"](), 401, /^\{"error":"unauthorized_client","error_description"/);
    google.fault({ symptom: "gmail_service_disabled", count: 1 });
    refused(await calls["gmail.*"](), 403, /SERVICE_DISABLED.*accessNotConfigured/);
  });
});

// --- the rest -------------------------------------------------------------------------------------------

test("the control API does what the methods do", async () => {
  google.reset();
  const control = (method, path, body) =>
    call(`${google.wires.control.url}/_control/${path}`, { method, body });
  assert.deepEqual((await control("GET", "env")).json, google.env());
  assert.equal((await control("GET", "symptoms")).json.length, Object.keys(SYMPTOMS).length);
  await control("POST", "faults", { method: "gmail.users.getProfile", status: 500 });
  const ask = await gmail();
  assert.equal((await ask("GET", "profile")).status, 500);
  await ask("POST", "messages/send", { raw: raw(letter()) });
  await ask("POST", "drafts", { message: { raw: raw(letter()) } });
  await (await firestore())("POST", ":commit", set("c/a", {}));
  const { json: log } = await control("GET", "log");
  const failed = log.find(({ method }) => method === "gmail.users.getProfile");
  assert.deepEqual([failed.status, failed.mailbox, failed.fault.kind], [500, google.mailbox, "answer"]);
  const { json: state } = await control("GET", "state");
  const { mails, drafts } = state.mailboxes[google.mailbox];
  assert.deepEqual([mails.length, mails[0].subject, drafts.length], [1, "Hello", 1]);
  assert.deepEqual(Object.keys(state.documents), [`${ROOT}/c/a`]);
  assert.deepEqual(state.problems, []);
  assert.equal((await control("POST", "faults", { method: "x" })).status, 400);
  assert.equal((await control("POST", "settings", { nonsense: 1 })).status, 400);
  await control("POST", "receive", { mailbox: google.mailbox, raw: raw(letter()) });
  await control("POST", "revoke", {});
  assert.equal((await ask("GET", "profile")).status, 401);
  await control("POST", "reset");
  assert.deepEqual([google.log.length, google.mails().length, google.firestore.documents.size], [0, 0, 0]);
});

test("what its readers do not agree on is a problem, and nothing else is", async () => {
  google.reset();
  const ask = await gmail();
  await ask("POST", "messages/send", { raw: raw(letter()) });
  assert.deepEqual(google.problems, []);
  const twice = letter({ To: "ann@example.com\r\nTo: bob@example.com" });
  await ask("POST", "messages/send", { raw: raw(twice) });
  assert.match(google.problems.join(), /messages\/send: the parsers do not agree on to: /);
  google.reset();
});

test("1,000 calls at once", async () => {
  google.reset();
  const token = await mailboxToken(google);
  const all = (options) => Promise.allSettled(Array.from({ length: 1000 }, async () =>
    (await fetch(`${USERS}/me/profile`, { headers: bearer(token), ...options })).status));
  const fault = google.fault({ method: "gmail.users.getProfile", kind: "hang", count: 1000 });
  const controller = new AbortController();
  const hanging = all({ signal: controller.signal });
  await google.until(() => fault.hits === 1000);
  controller.abort();
  assert.ok((await hanging).every(({ status }) => status === "rejected"));
  assert.ok((await all({})).every(({ value }) => value === 200));
});

test("its ports are free again when it has stopped", async () => {
  const other = await startGoogle({ mailboxes: { "x@example.com": {} } });
  assert.equal((await delegate(other)).status, 200);
  assert.equal(other.mailbox, "x@example.com");
  const url = other.env().GMAIL_URL;
  await other.stop();
  await assert.rejects(fetch(url));
  await assert.rejects(startGoogle({ nonsense: true }));
});
