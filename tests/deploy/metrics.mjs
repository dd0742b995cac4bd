// What /metrics has: names, and their labels with their values where these are a closed set. Only for
// what is asked of them here, which must be among these; the program is asked, too.

const APIS = "metadata iam oauth gmail firestore jwks";

const listed = {
  paraph_build_info: { version: null },
  paraph_claims_total: { outcome: "won lost taken_over" },
  paraph_drafts_total: { outcome: "created held rejected" },
  paraph_generation: {},
  paraph_google_request_duration_seconds: { api: APIS },
  paraph_google_requests_total: { api: APIS, code: null },
  paraph_google_retries_total: { api: APIS },
  paraph_http_request_duration_seconds: { route: null },
  paraph_http_requests_in_flight: {},
  paraph_http_requests_total: { method: null, route: null, status: null },
  paraph_lua_memory_bytes: {},
  paraph_mailbox_waiting: {},
  paraph_opens_total: { kind: "person proxy prefetch scanner sender unknown lost" },
  paraph_policy_duration_seconds: { hook: null },
  paraph_policy_errors_total: { hook: null },
  paraph_reloads_total: { outcome: "loaded refused" },
  paraph_sends_total: { mode: "direct draft", outcome: "sent held refused failed unknown" },
  paraph_webhooks_total: { event: null, outcome: "delivered retried dropped" },
  paraph_webhooks_waiting: {},
  paraph_worker_restarts_total: {},
  paraph_workers: {},
  process_cpu_seconds_total: {},
  process_open_fds: {},
  process_resident_memory_bytes: {},
  process_start_time_seconds: {},
};

// What the collector adds, and histograms have.
const ADDED = { namespace: null, job: null, instance: null, le: null };

// { name: { label: Set of values, or null: any } }, histograms by the names of their series, too.
export const metrics = Object.fromEntries(Object.entries(listed).flatMap(([name, labels]) => {
  const sets = Object.fromEntries(Object.entries({ ...labels, ...ADDED })
    .map(([label, values]) => [label, values === null ? null : new Set(values.split(" "))]));
  const names = name.endsWith("_duration_seconds") ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
  return names.map((series) => [series, sets]);
}));

// Names on a page of the program; those that are there only under some configuration stay away.
export const told = (page) => [...page.matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name);
export const names = Object.keys(listed);
