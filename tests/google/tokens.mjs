// Access tokens that were given out: whose they are, for which scopes, until when.

import { randomBytes } from "node:crypto";
import { ApiError, errorInfo } from "./rpc.mjs";
import { secret } from "./secrets.mjs";

const AUTH = "https://www.googleapis.com/auth/";
export const CLOUD_PLATFORM = `${AUTH}cloud-platform`;
export const scope = (name) => AUTH + name;

const EXPECTED = "Expected OAuth 2 access token, login cookie or other valid authentication " +
  "credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.";

function unauthenticated(reason, message, call) {
  return new ApiError("UNAUTHENTICATED", `${message} ${EXPECTED}`, {
    reason: "authError", location: "Authorization",
    details: errorInfo(reason, "googleapis.com", { service: `${call.api}.googleapis.com` }),
    headers: { "WWW-Authenticate": 'Bearer realm="https://accounts.google.com/"' },
  });
}

export class Tokens {
  #tokens = new Map();
  #clock;

  constructor(clock) {
    this.#clock = clock;
  }

  // `kind`: "service" (a service account itself), "mailbox" (delegated to it), "user" (a laptop).
  issue(kind, who, scopes, seconds) {
    const text = secret(`ya29.${randomBytes(96).toString("base64url")}`);
    const token = { text, kind, who, scopes: new Set(scopes), until: this.#clock() + seconds * 1000 };
    this.#tokens.set(text, token);
    return token;
  }

  // From now on the tokens of `who` (null: all) are refused, though not expired.
  revoke(who = null) {
    for (const [text, token] of this.#tokens) {
      if (who === null || token.who === who) this.#tokens.delete(text);
    }
  }

  secondsLeft(token) {
    return Math.round((token.until - this.#clock()) / 1000);
  }

  isValid(token) {
    return this.#tokens.has(token.text) && token.until > this.#clock();
  }

  // The token of a call, good or bad.
  find(call) {
    return this.#tokens.get(/^Bearer ([^\s]+)$/.exec(call.headers.authorization ?? "")?.[1]);
  }

  // The token of a call, which must be good for one of these scopes.
  check(call, scopes) {
    if (!call.headers.authorization) {
      throw unauthenticated("CREDENTIALS_MISSING",
        "Request is missing required authentication credential.", call);
    }
    const token = this.find(call);
    if (!token || !this.isValid(token)) {
      throw unauthenticated(token ? "ACCESS_TOKEN_EXPIRED" : "ACCESS_TOKEN_TYPE_UNSUPPORTED",
        "Request had invalid authentication credentials.", call);
    }
    call.who = token.who;
    if (!scopes.some((name) => token.scopes.has(name))) throw insufficient(call, scopes);
    return token;
  }
}

export function insufficient(call, scopes) {
  return new ApiError("PERMISSION_DENIED", "Request had insufficient authentication scopes.", {
    reason: "insufficientPermissions",
    details: errorInfo("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "googleapis.com",
      { service: `${call.api}.googleapis.com`, method: call.method }),
    headers: {
      "WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", ' +
        `error="insufficient_scope", scope="${scopes.join(" ")}"`,
    },
  });
}
