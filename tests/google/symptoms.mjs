// What goes wrong with Google in the field: each by a name, with the method where it shows and the
// exact answer. Ask for one with faults.add({ symptom: NAME }): it lasts until it is taken away, or
// for `count` calls. Some are also what the stand-in answers of itself, where a request or the
// settings deserve it.

import { ApiError, errorInfo } from "./rpc.mjs";

// RFC 6749 §5.2: the token endpoint's own form of an error.
export class OAuthError extends ApiError {
  constructor(word, description = "", { http = 400, subtype, headers } = {}) {
    super(http === 401 ? "UNAUTHENTICATED" : "INVALID_ARGUMENT", description, { http, headers });
    Object.assign(this, { word, subtype });
  }
}

const oauth = (word, description, options) => () => new OAuthError(word, description, options);
const rpc = (code, message, options) => () => new ApiError(code, message, options);

function disabled(service, title) {
  return ({ projectNumber: n }) => {
    const link = `https://console.developers.google.com/apis/api/${service}/overview?project=${n}`;
    return new ApiError("PERMISSION_DENIED",
      `${title} has not been used in project ${n} before or it is disabled. Enable it by ` +
      `visiting ${link} then retry. If you enabled this API recently, wait a few minutes for the ` +
      "action to propagate to our systems and retry.", {
        reason: "accessNotConfigured", domain: "usageLimits",
        details: errorInfo("SERVICE_DISABLED", "googleapis.com",
          { consumer: `projects/${n}`, service, containerInfo: n }),
      });
  };
}

const SIGN = "iamcredentials.projects.serviceAccounts.signJwt";
const iamDenied = () => new ApiError("PERMISSION_DENIED",
  "Permission 'iam.serviceAccounts.signJwt' denied on resource (or it may not exist).", {
    details: errorInfo("IAM_PERMISSION_DENIED", "iam.googleapis.com",
      { permission: "iam.serviceAccounts.signJwt" }),
  });

const UNAUTHORIZED = "Client is unauthorized to retrieve access tokens using this method, or " +
  "client not authorized for any of the scopes requested.";
const SHORT_LIVED = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a " +
  "reasonable timeframe. Check your iat and exp values in the JWT claim.";
const NO_CREDENTIALS = "Request had invalid authentication credentials. Expected OAuth 2 access " +
  "token, login cookie or other valid authentication credential. See " +
  "https://developers.google.com/identity/sign-in/web/devconsole-project.";
const denied = { http: 403 };
const usage = (reason) => ({ reason, domain: "usageLimits" });

// The instant is in the text alone, after two spaces: there is no Retry-After.
const retryAfter = (suffix) => (settings, { now, retryAfterMs = 60_000 }) => {
  const until = new Date(now + retryAfterMs).toISOString();
  return new ApiError("RESOURCE_EXHAUSTED",
    `User-rate limit exceeded.  Retry after ${until}${suffix}`, usage("rateLimitExceeded"));
};

const table = (method, rows) =>
  Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, { method, ...row }]));
const error = (make, more) => ({ make, ...more });

export const SYMPTOMS = {
  // The metadata server.
  ...table("metadata.token", {
    metadata_forbidden: error(rpc("PERMISSION_DENIED", "Forbidden")),
    metadata_no_service_account: error(rpc("NOT_FOUND", "Not Found")),
    metadata_unavailable: error(rpc("UNAVAILABLE", "Service Unavailable"), { count: 1 }),
  }),

  // IAM: signing.
  ...table(SIGN, {
    iam_permission_denied: error(iamDenied),
    iam_propagation: error(iamDenied, { count: 2 }),
    iam_service_disabled:
      error(disabled("iamcredentials.googleapis.com", "IAM Service Account Credentials API")),
    iam_end_user_credentials: error(rpc("PERMISSION_DENIED",
      "Your application is authenticating by using local Application Default Credentials. The " +
      "iamcredentials.googleapis.com API requires a quota project, which is not set by default: " +
      "end user credentials are not supported without one.", {
        reason: "accessNotConfigured", domain: "usageLimits",
        details: errorInfo("SERVICE_DISABLED", "googleapis.com",
          { service: "iamcredentials.googleapis.com", consumer: "projects/764086051850" }),
      })),
    iam_user_project_denied: error(({ project }) => new ApiError("PERMISSION_DENIED",
      `Caller does not have required permission to use project ${project}. Grant the caller the ` +
      "roles/serviceusage.serviceUsageConsumer role, or a custom role with the " +
      "serviceusage.services.use permission, by visiting https://console.developers.google.com/" +
      `iam-admin/iam/project?project=${project} and then retry.`, {
        details: errorInfo("USER_PROJECT_DENIED", "googleapis.com",
          { consumer: `projects/${project}`, service: "iamcredentials.googleapis.com" }),
      })),
    iam_unauthenticated: error(rpc("UNAUTHENTICATED", NO_CREDENTIALS)),
    iam_invalid_argument: error(rpc("INVALID_ARGUMENT", "Request contains an invalid argument.")),
    iam_unavailable: error(rpc("UNAVAILABLE", "The service is currently unavailable."), { count: 1 }),
  }),

  // The token exchange: set-up of domain-wide delegation.
  ...table("oauth2.token", {
    unauthorized_client_numeric_id: error(oauth("unauthorized_client", UNAUTHORIZED, { http: 401 })),
    unauthorized_client_scopes: error(oauth("unauthorized_client", UNAUTHORIZED, { http: 401 })),
    unauthorized_client_propagation:
      error(oauth("unauthorized_client", UNAUTHORIZED, { http: 401 }), { count: 2 }),
    unauthorized_client_domain:
      error(oauth("unauthorized_client", "Unauthorized client or scope in request.", { http: 401 })),
    access_denied: error(oauth("access_denied", "Requested client not authorized.", denied)),
    account_restricted: error(oauth("access_denied", "Account restricted", denied)),
    admin_policy_enforced: error(oauth("admin_policy_enforced",
      "Access to your account data is restricted by policies within your organization.")),
    invalid_email_or_user_id: error(oauth("invalid_grant", "Invalid email or User ID")),
    not_a_valid_email: error(oauth("invalid_grant", "Not a valid email")),
    invalid_grant_bad_request: error(oauth("invalid_grant", "Bad Request")),
    invalid_impersonation_sub: error(oauth("invalid_request",
      'Invalid impersonation "sub" field: the field must be an e-mail address.')),
    invalid_impersonation_prn:
      error(oauth("invalid_request", "Invalid impersonation prn email address.")),
    account_deleted: error(oauth("invalid_grant", "The account has been deleted.")),
    account_not_found: error(oauth("invalid_grant", "Invalid grant: account not found")),
    not_short_lived: error(oauth("invalid_grant", SHORT_LIVED)),
    invalid_jwt_signature: error(oauth("invalid_grant", "Invalid JWT Signature.")),
    failed_audience_check: error(oauth("invalid_grant", "Invalid JWT: Failed audience check.")),
    no_valid_verifier:
      error(oauth("invalid_grant", "Invalid JWT: No valid verifier found for issuer.")),
    invalid_scope:
      error(oauth("invalid_scope", "Invalid OAuth scope or ID token audience provided.")),
    // A misspelt scope: a 200 without an access_token.
    id_token_only: { answer: { json: { id_token: "eyJhbGciOiJSUzI1NiJ9.e30.c2ln" } } },
    invalid_client: error(oauth("invalid_client", "The OAuth client was not found.", { http: 401 })),
    deleted_client: error(oauth("deleted_client", "The OAuth client was deleted.", { http: 401 })),
    disabled_client: error(oauth("disabled_client", "The OAuth client was disabled.", { http: 401 })),
    org_internal: error(oauth("org_internal",
      "This client is restricted to users within its organization.", denied)),
    internal_failure: error(oauth("internal_failure", "", { http: 500 }), { count: 1 }),
    invalid_rapt: error(oauth("invalid_grant", "reauth related error (invalid_rapt)",
      { subtype: "invalid_rapt" })),
  }),

  // Gmail: set-up.
  ...table("gmail.*", {
    gmail_service_disabled: error(disabled("gmail.googleapis.com", "Gmail API")),
    gmail_mail_service_not_enabled: error(rpc("FAILED_PRECONDITION", "Mail service not enabled",
      { reason: "failedPrecondition" })),
    gmail_precondition_failed: error(rpc("FAILED_PRECONDITION", "Precondition check failed.",
      { reason: "failedPrecondition" })),
    gmail_auth_error: error(rpc("UNAUTHENTICATED", NO_CREDENTIALS,
      { reason: "authError", location: "Authorization" }), { count: 1 }),
    gmail_insufficient_permissions: error(rpc("PERMISSION_DENIED",
      "Request had insufficient authentication scopes.", {
        reason: "insufficientPermissions",
        details: errorInfo("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "googleapis.com",
          { service: "gmail.googleapis.com" }),
        headers: { "WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", ' +
          'error="insufficient_scope", scope="https://mail.google.com/"' },
      })),
    gmail_domain_policy: error(rpc("PERMISSION_DENIED",
      "The domain administrators have disabled Gmail apps.", { reason: "domainPolicy" })),
    gmail_backend_error:
      error(rpc("UNAVAILABLE", "Service unavailable. Please try again later.",
        { reason: "backendError" }), { count: 1 }),
  }),

  // Gmail: quota.
  ...table("gmail.*", {
    gmail_rate_limit: error(rpc("PERMISSION_DENIED", "Rate Limit Exceeded",
      usage("rateLimitExceeded")), { count: 1 }),
    gmail_user_rate_limit: error(rpc("PERMISSION_DENIED", "User Rate Limit Exceeded",
      usage("userRateLimitExceeded")), { count: 1 }),
    gmail_daily_limit:
      error(rpc("PERMISSION_DENIED", "Daily Limit Exceeded", usage("dailyLimitExceeded"))),
    gmail_quota_metric: error(({ projectNumber }) => new ApiError("PERMISSION_DENIED",
      "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per user' of " +
      `service 'gmail.googleapis.com' for consumer 'project_number:${projectNumber}'.`, {
        ...usage("rateLimitExceeded"),
        details: errorInfo("RATE_LIMIT_EXCEEDED", "googleapis.com",
          { quota_metric: "gmail.googleapis.com/queries", service: "gmail.googleapis.com" }),
      }), { count: 1 }),
    gmail_too_many_requests: error(retryAfter(""), { count: 1 }),
    gmail_sending_limit: error(retryAfter(" (Mail sending)")),
  }),

  // Firestore.
  ...table("firestore.*", {
    firestore_service_disabled: error(disabled("firestore.googleapis.com", "Cloud Firestore API")),
    firestore_permission_denied:
      error(rpc("PERMISSION_DENIED", "Missing or insufficient permissions.")),
    firestore_unauthenticated: error(rpc("UNAUTHENTICATED", NO_CREDENTIALS), { count: 1 }),
    firestore_no_database: error(({ project, database }) => new ApiError("NOT_FOUND",
      `The database ${database} does not exist for project ${project} Please visit https://` +
      `console.cloud.google.com/datastore/setup?project=${project} to add a Cloud Datastore or ` +
      "Cloud Firestore database. ")),
    firestore_aborted: error(rpc("ABORTED",
      "Too much contention on these documents. Please try again."), { count: 1 }),
    firestore_resource_exhausted: error(rpc("RESOURCE_EXHAUSTED", "Quota exceeded."), { count: 1 }),
    firestore_unavailable:
      error(rpc("UNAVAILABLE", "The service is temporarily unavailable."), { count: 1 }),
    firestore_internal: error(rpc("INTERNAL", "An internal error occurred."), { count: 1 }),
    firestore_deadline_exceeded: error(rpc("DEADLINE_EXCEEDED",
      "The datastore operation timed out, or the data was temporarily unavailable."), { count: 1 }),
  }),
  firestore_no_index: {
    method: "firestore.projects.databases.documents.runQuery",
    make: ({ project }) => new ApiError("FAILED_PRECONDITION",
      "The query requires an index. You can create it here: https://console.firebase.google.com/" +
      `v1/r/project/${project}/firestore/indexes?create_composite=Ckxwcm9qZWN0cy90ZXN0`),
  },
};

export function symptomError(name, settings = {}, context = {}) {
  return SYMPTOMS[name].make(settings, { now: Date.now(), ...context });
}
