// The service on the stand-in for Google.

import { startGoogle } from "../../google/server.mjs";
import { run, start } from "./service.mjs";

export const MAILBOX = "sender@example.com";

// What a deployment would set, pointed at the stand-in.
export function settings(google, env = {}) {
  return {
    BACKEND: "google", GMAIL_USER: MAILBOX, PIXEL_TRACKER_BASE_URL: "https://t.example.org",
    ...google.env(), ...env,
  };
}

// The composite indexes that a deployment creates; a query that needs another fails, as it would
// there.
export const INDEXES = ["status", "waiting"].map((fieldPath) => ({
  collectionGroup: "email_drafts", queryScope: "COLLECTION",
  fields: [{ fieldPath, order: "ASCENDING" }, { fieldPath: "created_at", order: "DESCENDING" }],
}));

export async function standIn(t, options) {
  const google = await startGoogle({ indexes: INDEXES, ...options });
  t.after(() => google.stop());
  return google;
}

// { google, service }
export async function startOnGoogle(t, env = {}, options = {}) {
  const google = await standIn(t, options);
  return { google, service: await start(t, settings(google, env)) };
}

export async function check(t, google, env = {}) {
  return run(t, ["check", "--live"], settings(google, env));
}

// How often each method was called.
export function counts(google) {
  const found = {};
  for (const { method } of google.log) found[method] = (found[method] ?? 0) + 1;
  return found;
}

export const CHAIN = [
  "metadata.token", "iamcredentials.projects.serviceAccounts.signJwt", "oauth2.token",
];
