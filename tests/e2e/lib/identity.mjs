// Callers of every kind: API keys, and tokens as Google, IAP and Cloud Run issue them, with the keys
// that they are checked with.

import {
  constants, createHash, createHmac, createSign, generateKeyPairSync, randomBytes, randomUUID,
} from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { atEnd, run } from "./service.mjs";

export const AUDIENCE = "https://paraph.example.org";
export const IAP_AUDIENCE = "/projects/1/locations/europe-west1/services/paraph";

// --- API keys ------------------------------------------------------------------------------------

// Keys by name, made by the program: { ann: ["review"], … } → { keys: { ann: "paraph_…" }, env }.
export async function apiKeys(t, roles) {
  const keys = {}, entries = [];
  for (const [name, words] of Object.entries(roles)) {
    const { stdout } = await run(t, ["key", name, ...words]);
    const [key, entry] = stdout.trimEnd().split("\n");
    keys[name] = key;
    entries.push(entry);
  }
  return { keys, env: { API_KEYS: entries.join(","), AUTH: "key" } };
}

// The entry of API_KEYS for a key of one's own.
export const entry = (name, roles, key) =>
  `${name}=${roles.join("+")}:${createHash("sha256").update(key).digest("hex")}`;

export const bearer = (token) => ({ headers: { Authorization: `Bearer ${token}` } });

// --- tokens --------------------------------------------------------------------------------------

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

// A key pair that signs: RS256 with RSA, ES256 with the curve P-256.
export function keyPair(alg = "RS256") {
  const pair = alg === "RS256" ? generateKeyPairSync("rsa", { modulusLength: 2048 })
    : generateKeyPairSync("ec", { namedCurve: "P-256" });
  const kid = randomUUID();
  const jwk = { ...pair.publicKey.export({ format: "jwk" }), kid, use: "sig", alg };
  return { alg, kid, jwk, ...pair };
}

function signature(input, { alg, privateKey }, dsaEncoding = "ieee-p1363") {
  const signer = createSign("SHA256").update(input);
  return signer.sign(alg === "RS256" ? { key: privateKey, padding: constants.RSA_PKCS1_PADDING }
    : { key: privateKey, dsaEncoding });
}

// A token; `header` and `sign` in place of what the key pair says.
export function token(claims, pair, { header = {}, sign, encoding } = {}) {
  const input = `${encoded({ alg: pair.alg, kid: pair.kid, typ: "JWT", ...header })}.` +
    encoded(claims);
  const made = sign ? sign(input) : signature(input, pair, encoding);
  return `${input}.${Buffer.isBuffer(made) ? made.toString("base64url") : made}`;
}

export const now = () => Math.floor(Date.now() / 1000);

// The claims of Google's ID tokens; of IAP's.
export const googleClaims = (email, claims = {}) => ({
  iss: "https://accounts.google.com", aud: AUDIENCE, sub: "1085", email, email_verified: true,
  iat: now(), exp: now() + 3600, ...claims,
});
export const iapClaims = (email, claims = {}) => ({
  iss: "https://cloud.google.com/iap", aud: IAP_AUDIENCE, sub: "accounts.google.com:1085", email,
  iat: now(), exp: now() + 600, ...claims,
});

// Tokens whose signature has something wrong with it, by what: { name: token }.
export function badlySigned(claims, pair) {
  const pem = pair.publicKey.export({ type: "spki", format: "pem" });
  const stranger = keyPair(pair.alg);
  const valid = token(claims, pair);
  return {
    "alg none": token(claims, pair, { header: { alg: "none" }, sign: () => "" }),
    "HS256 with the public key": token(claims, pair,
      { header: { alg: "HS256" }, sign: (input) => createHmac("sha256", pem).update(input).digest() }),
    "another's signature": token(claims, { ...stranger, kid: pair.kid }),
    "unknown kid": token(claims, stranger),
    "signature of other claims": `${token({ ...claims, email: "root@example.com" }, pair)
      .split(".").slice(0, 2).join(".")}.${valid.split(".")[2]}`,
    "no signature": `${valid.split(".").slice(0, 2).join(".")}.`,
    "signature cut": valid.slice(0, -4),
    stripped: stripped(claims),
  };
}

// As Cloud Run hands a token on that it has checked.
export const stripped = (claims) =>
  `${encoded({ alg: "RS256", kid: randomBytes(20).toString("hex"), typ: "JWT" })}.` +
  `${encoded(claims)}.SIGNATURE_REMOVED_BY_GOOGLE`;

// --- where the keys are published ----------------------------------------------------------------

// Serves sets of keys. What is in `sets`, `control` and `status` may be changed at any time; `asked`
// counts by path; answers wait for `open`, a promise.
export async function publisher(t) {
  const google = keyPair("RS256"), iap = keyPair("ES256");
  const here = {
    google, iap, asked: { "/google": 0, "/iap": 0 },
    sets: { "/google": [google.jwk], "/iap": [iap.jwk] },
    control: "public, max-age=3600, must-revalidate", status: 200,
  };
  const server = createServer(async (request, response) => {
    here.asked[request.url] += 1;
    await here.open;
    response.writeHead(here.status, { "Content-Type": "application/json",
      "Cache-Control": here.control });
    response.end(here.body ?? JSON.stringify({ keys: here.sets[request.url] }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); }));
  const url = `http://127.0.0.1:${server.address().port}`;
  here.env = {
    AUTH: "google,iap", AUTH_AUDIENCE: AUDIENCE, AUTH_ALLOWED: "@example.com", IAP_AUDIENCE,
    GOOGLE_JWKS_URL: `${url}/google`, IAP_JWKS_URL: `${url}/iap`,
  };
  here.googleToken = (email, claims, options) =>
    token(googleClaims(email, claims), here.google, options);
  here.iapToken = (email, claims, options) => token(iapClaims(email, claims), here.iap, options);
  return here;
}

// Roles by the first part of the address: draft@example.com may draft.
export const ROLES_BY_NAME = { "access.lua": `
  local roles = { draft = true, send = true, review = true, ops = true }
  return { roles = function(identity)
    local name = identity.name:match("^[^@]+")
    return roles[name] and { name } or {}
  end }` };
