// What a program does to get a mailbox's token, for tests that need one: metadata, signJwt, exchange.

const GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer";

export async function call(url, { method = "GET", token, body, headers } = {}) {
  const isText = typeof body === "string" || body instanceof URLSearchParams || Buffer.isBuffer(body);
  const response = await fetch(url, {
    method,
    headers: {
      ...(token && { Authorization: `Bearer ${token}` }),
      ...(body !== undefined && !isText && { "Content-Type": "application/json" }), ...headers,
    },
    body: body === undefined || isText ? body : JSON.stringify(body),
  });
  const text = await response.text();
  let json;
  try {
    json = JSON.parse(text);
  } catch { /* not all answers are JSON */ }
  return { status: response.status, headers: response.headers, text, json };
}

export function metadata(google, path, headers = { "Metadata-Flavor": "Google" }) {
  return call(`http://${google.env().GCE_METADATA_HOST}/computeMetadata/v1/${path}`, { headers });
}

export async function serviceToken(google) {
  const { json } = await metadata(google, "instance/service-accounts/default/token");
  return json.access_token;
}

export function claimsFor(google, changes = {}) {
  const now = Math.floor(google.now() / 1000);
  return {
    iss: google.settings.serviceAccount, sub: google.mailbox, scope: "https://mail.google.com/",
    aud: "https://oauth2.googleapis.com/token", iat: now, exp: now + 3600, ...changes,
  };
}

export async function signJwt(google, payload, { token, account, headers } = {}) {
  const name = account ?? google.settings.serviceAccount;
  return call(`${google.env().IAM_CREDENTIALS_URL}/v1/projects/-/serviceAccounts/${name}:signJwt`, {
    method: "POST", token: token ?? await serviceToken(google), headers,
    body: { payload: typeof payload === "string" ? payload : JSON.stringify(payload) },
  });
}

export function exchange(google, assertion, form = {}) {
  const body = new URLSearchParams({ grant_type: GRANT, assertion, ...form });
  return call(google.env().OAUTH_TOKEN_URL, { method: "POST", body });
}

// The answer of the token endpoint to these claims.
export async function delegate(google, changes) {
  const { json } = await signJwt(google, claimsFor(google, changes));
  return exchange(google, json.signedJwt);
}

export async function mailboxToken(google, changes) {
  return (await delegate(google, changes)).json.access_token;
}
