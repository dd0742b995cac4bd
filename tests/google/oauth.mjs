// The token endpoint: an assertion for a mailbox's token (RFC 7523, domain-wide delegation), or a
// laptop's refresh token for its user's.

import { verify } from "node:crypto";
import { discovery } from "./discovery.mjs";
import { ApiError } from "./rpc.mjs";
import { secret } from "./secrets.mjs";
import { OAuthError, symptomError } from "./symptoms.mjs";
import { CLOUD_PLATFORM, scope } from "./tokens.mjs";

const AUDIENCE = "https://oauth2.googleapis.com/token";
const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const MAX_LIFE_SECONDS = 3600;
const MAX_SKEW_SECONDS = 300;

// Every scope that the discovery documents name, read when first asked for.
let knownScopes;
function isKnownScope(name) {
  knownScopes ??= new Set(["openid", "email", "profile", scope("iam"),
    ...["gmail.v1", "firestore.v1", "iamcredentials.v1"].flatMap((of) => discovery(of).scopes)]);
  return knownScopes.has(name);
}

// Whom an assertion is about, as far as it can be told before it is checked.
function subject(assertion) {
  try {
    const { sub } = JSON.parse(Buffer.from(assertion.split(".")[1], "base64url").toString());
    return String(sub).toLowerCase();
  } catch {
    return undefined;
  }
}

export class OAuth {
  name = "oauth2";
  #world;

  constructor(world) {
    this.#world = world;
  }

  route(call) {
    if (call.path !== "/token") throw new ApiError("NOT_FOUND", "Not Found");
    call.method = "oauth2.token";
    const assertion = new URLSearchParams(call.body.toString("latin1")).get("assertion");
    if (assertion) call.mailbox = subject(assertion);
  }

  async answer(call) {
    if (call.http !== "POST") {
      throw new OAuthError("invalid_request", "POST alone.", { http: 405 });
    }
    const form = this.#form(call);
    if (form.grant_type === JWT_BEARER) return { json: await this.#delegate(form, call) };
    if (form.grant_type === "refresh_token") return { json: this.#refresh(form, call) };
    throw new OAuthError("unsupported_grant_type", `Invalid grant_type: ${form.grant_type}`);
  }

  #form(call) {
    const type = call.headers["content-type"] ?? "";
    if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) {
      throw new OAuthError("invalid_request", `The body must be a form, not '${type}'.`);
    }
    if (call.headers.authorization) {
      throw new OAuthError("invalid_request", "This endpoint takes no Authorization header.");
    }
    const form = {};
    const allowed = ["grant_type", "assertion", "client_id", "client_secret", "refresh_token",
      "scope"];
    const text = call.body.toString("latin1");
    if (!/^[\x21-\x7e]*$/.test(text)) {
      throw new OAuthError("invalid_request", "The form is not percent-encoded.");
    }
    for (const [name, value] of new URLSearchParams(text)) {
      if (!allowed.includes(name) || name in form) {
        throw new OAuthError("invalid_request", `Unexpected or repeated parameter: ${name}`);
      }
      form[name] = ["assertion", "client_secret", "refresh_token"].includes(name)
        ? secret(value) : value;
    }
    return form;
  }

  // In the order in which Google has been seen to check.
  async #delegate(form, call) {
    const claims = await this.#verified(form.assertion ?? "");
    const { tokens, settings, mailboxes } = this.#world;
    this.#checkTimes(claims);
    if (typeof claims.scope !== "string" || !claims.scope.trim() || claims.scope.includes(",")) {
      throw symptomError("invalid_scope");
    }
    if (claims.aud !== AUDIENCE) throw symptomError("failed_audience_check");
    const scopes = claims.scope.trim().split(/ +/);
    if (!scopes.every(isKnownScope)) return { id_token: form.assertion };
    if (claims.sub === undefined) {
      call.who = claims.iss;
      return this.#grant(tokens.issue("service", claims.iss, scopes, settings.mailboxTokenSeconds));
    }
    if (typeof claims.sub !== "string" || !/^[^\s@]+@[^\s@]+$/.test(claims.sub)) {
      throw symptomError("invalid_impersonation_sub");
    }
    const mailbox = claims.sub.toLowerCase();
    if (!mailboxes.has(mailbox)) throw symptomError("invalid_email_or_user_id");
    const granted = scopes.filter((name) => settings.delegatedScopes.includes(name));
    if (granted.length === 0) throw symptomError("unauthorized_client_scopes");
    if (granted.length < scopes.length) throw symptomError("access_denied");
    return this.#grant(tokens.issue("mailbox", mailbox, scopes, settings.mailboxTokenSeconds));
  }

  #grant(token) {
    return {
      access_token: token.text, expires_in: this.#world.tokens.secondsLeft(token),
      token_type: "Bearer",
    };
  }

  async #verified(assertion) {
    const parts = assertion.split(".");
    const isEncoded = parts.every((part) => /^[A-Za-z0-9_-]+$/.test(part));
    let header, claims;
    try {
      if (parts.length !== 3 || !isEncoded) throw new Error("not a JWT");
      [header, claims] = parts.map((part, i) =>
        i < 2 ? JSON.parse(Buffer.from(part, "base64url").toString()) : null);
      if (typeof claims !== "object" || claims === null) throw new Error("no claims");
    } catch {
      throw new OAuthError("invalid_request", "Bad Request");
    }
    const { publicKey } = await this.#world.key;
    const signer = this.#world.signers.get(header.kid);
    const signed = Buffer.from(`${parts[0]}.${parts[1]}`);
    const isSigned = header.alg === "RS256" && signer !== undefined &&
      verify("RSA-SHA256", signed, publicKey, Buffer.from(parts[2], "base64url"));
    if (!/@[^@]+\.iam\.gserviceaccount\.com$/.test(claims.iss)) {
      throw symptomError("no_valid_verifier");
    }
    if (!isSigned || claims.iss !== signer) throw symptomError("invalid_jwt_signature");
    return claims;
  }

  #checkTimes({ iat, exp }) {
    const now = Math.floor(this.#world.now() / 1000);
    const seconds = (value) => (/^\d+$/.test(value) ? Number(value) : NaN);
    const [from, until] = [seconds(iat), seconds(exp)];
    if (!(until > from && until - from <= MAX_LIFE_SECONDS && until >= now &&
          from <= now + MAX_SKEW_SECONDS)) {
      throw symptomError("not_short_lived");
    }
  }

  #refresh(form, call) {
    const { laptop, tokenSeconds } = this.#world.settings;
    if (form.client_id !== laptop.clientId || form.client_secret !== laptop.clientSecret) {
      throw symptomError("invalid_client");
    }
    if (form.refresh_token !== laptop.refreshToken) {
      throw new OAuthError("invalid_grant", "Token has been expired or revoked.");
    }
    call.who = laptop.email;
    const scopes = form.scope ? form.scope.split(" ") : [CLOUD_PLATFORM, "openid"];
    const token = this.#world.tokens.issue("user", laptop.email, scopes, tokenSeconds);
    return { ...this.#grant(token), scope: scopes.join(" ") };
  }

  refuse(error) {
    const word = error instanceof OAuthError ? error.word : "internal_failure";
    const json = { error: word, ...(error.message && { error_description: error.message }) };
    if (error.subtype) json.error_subtype = error.subtype;
    return { status: error.http, json, headers: error.headers };
  }
}
