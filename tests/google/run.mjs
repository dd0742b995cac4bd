// The service on the stand-in for Google, in one command: ./dev run --google. Every call to Google
// is a line on standard output; the service logs to standard error. They end together.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { startGoogle } from "./server.mjs";

const PARAPH = process.env.PARAPH ?? new URL("../../build/paraph", import.meta.url).pathname;
// What would lead to the real Google, or to a project that the stand-in does not have.
const FOREIGN = ["FIRESTORE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT",
  "GOOGLE_CLOUD_QUOTA_PROJECT", "GOOGLE_SERVICE_ACCOUNT_EMAIL", "FIRESTORE_DATABASE", "K_SERVICE"];
const METHOD_WIDTH = 49;

// What it was about: documents, a mailbox, or whoever asked.
function subject({ api, json, mailbox, who }) {
  if (api !== "firestore") return mailbox ?? who ?? "";
  const { writes = [], documents = [], structuredQuery } = json ?? {};
  const names = [...writes.map((write) => write.update?.name ?? write.delete), ...documents];
  const from = structuredQuery?.from?.map(({ collectionId }) => collectionId ?? "*") ?? [];
  return [...names.map((name) => name?.split("/documents/")[1]), ...from].join(" ");
}

function tell(call) {
  const { status, method, error } = call;
  const outcome = status === 0 ? "---" : status; // no answer at all
  const line = `google  ${outcome}  ${method.padEnd(METHOD_WIDTH)}  ${subject(call)}`;
  console.log(line.trimEnd() + (error ? `: ${error}` : ""));
}

function settings(google, mailbox) {
  const url = `http://${process.env.HOST ?? "127.0.0.1"}:${process.env.PORT ?? 8080}`;
  const env = { PIXEL_TRACKER_BASE_URL: url, ...process.env, BACKEND: "google",
    GMAIL_USER: mailbox, ...google.env() };
  for (const name of FOREIGN) delete env[name];
  return env;
}

const mailbox = process.env.GMAIL_USER || "sender@example.com";
const google = await startGoogle({
  mailboxes: { [mailbox]: { name: "Sam Sender", signature: "<p>-- <br>Sam Sender</p>" } },
});
google.watch((call) => { if (call.ended) tell(call); });
console.log(`google  takes calls for ${mailbox}; each is a line like this one, and is shown whole by
google  curl ${google.wires.control.url}/_control/log
`);

// The kernel ends the service if this process dies in whatever way.
const service = spawn("setpriv", ["--pdeathsig", "TERM", PARAPH, "serve"],
  { env: settings(google, mailbox), stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => service.kill("SIGTERM"));
}
const [code] = await once(service, "exit");
await google.stop();
process.exitCode = code ?? 1;
