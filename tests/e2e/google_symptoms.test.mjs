// Each way in which the set-up of Google is wrong in the field: the answer, and `check --live`, name
// the step and the remedy.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SYMPTOMS } from "../google/symptoms.mjs";
import { check, standIn, startOnGoogle } from "./lib/google.mjs";
import { assertRefused } from "./lib/service.mjs";

// What the sentence must hold, besides the step: words of the remedy.
const REMEDIES = {
  metadata_forbidden: [/metadata server/i],
  metadata_no_service_account: [/metadata server/i, /service account/i],
  iam_permission_denied: [/signJwt/, /TokenCreator/],
  iam_propagation: [/signJwt/, /TokenCreator/],
  iam_service_disabled: [/signJwt/, /enable/i],
  iam_end_user_credentials: [/signJwt/, /quota project/i],
  iam_user_project_denied: [/signJwt/, /serviceusage/i],
  iam_unauthenticated: [/signJwt/],
  iam_invalid_argument: [/signJwt/],
  unauthorized_client_numeric_id: [/numeric client id \(108765432109876543210\)/, /https:\/\/mail\.google\.com\//],
  unauthorized_client_scopes: [/domain-wide delegation/i, /https:\/\/mail\.google\.com\//],
  unauthorized_client_propagation: [/domain-wide delegation/i],
  unauthorized_client_domain: [/tenant|domain/i],
  access_denied: [/scope/i],
  account_restricted: [/admin/i],
  admin_policy_enforced: [/admin/i],
  invalid_email_or_user_id: [/GMAIL_USER|primary address/],
  not_a_valid_email: [/GMAIL_USER|primary address/],
  invalid_grant_bad_request: [/GMAIL_USER/],
  invalid_impersonation_sub: [/GMAIL_USER/],
  invalid_impersonation_prn: [/GMAIL_USER/],
  account_deleted: [/deleted/i],
  account_not_found: [/service account|GOOGLE_SERVICE_ACCOUNT_EMAIL/i],
  not_short_lived: [/clock/i],
  invalid_jwt_signature: [/GOOGLE_SERVICE_ACCOUNT_EMAIL|service account/i],
  failed_audience_check: [/OAUTH_TOKEN_URL|audience/i],
  no_valid_verifier: [/GOOGLE_SERVICE_ACCOUNT_EMAIL|service account/i],
  invalid_scope: [/GMAIL_SCOPES/],
  id_token_only: [/GMAIL_SCOPES/],
  invalid_client: [/service account/i],
  deleted_client: [/restore|deleted/i],
  disabled_client: [/enable|disabled/i],
  org_internal: [/organi[sz]ation/i],
};

// One that passes by itself is no fault of the set-up, and invalid_rapt is a laptop's.
const LASTING = Object.entries(SYMPTOMS).filter(([name, { method, count }]) =>
  /^(metadata|iamcredentials|oauth2)\b/.test(method) && count !== 1 && name !== "invalid_rapt");

test("every symptom of the chain has a remedy here", () => {
  for (const [name] of LASTING) assert.ok(REMEDIES[name], `${name} is not looked for`);
});

for (const [name, { method }] of LASTING) {
  test(`${name}: 502 auth_error with step and remedy`, async (t) => {
    const { google, service } = await startOnGoogle(t);
    google.fault({ symptom: name, method, count: Infinity });
    const reply = await service.post("/", {
      to: "ann@example.com", subject: "s", message: "m", mode: "send", tracking: false,
    });
    assertRefused(reply, 502, "auth_error");
    for (const pattern of REMEDIES[name]) assert.match(reply.json.error, pattern);
    assert.equal(google.mails().length, 0);
  });
}

test("check --live names the same remedies", async (t) => {
  const google = await standIn(t);
  for (const [name, { method }] of LASTING) {
    await t.test(name, async () => {
      google.fault({ symptom: name, method, count: Infinity });
      const { code, stdout } = await check(t, google);
      google.faults.clear();
      assert.equal(code, 1, stdout);
      const failed = stdout.split("\n").filter((line) => line.startsWith("failed")).join("\n");
      for (const pattern of REMEDIES[name]) assert.match(failed, pattern);
    });
  }
});
