// What the figures have in common: programs that run while something is measured, what is asked of
// them, and that what was answered has happened.

import { join } from "node:path";
import { onGoogle, paraph, run } from "./programs.mjs";

export const MESSAGE = {
  to: "Ann <ann@example.com>", subject: "Hello from the bench",
  message: "Hi Ann!\n\nA few lines of text, as people write them.\n\nBest,\nBob",
};
export const draft = { ...MESSAGE, mode: "draft" }, send = { ...MESSAGE, mode: "send" };

export const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

// Start what `programs` makes, one after the other, and end all of it afterwards.
export async function among(programs, body) {
  const started = [];
  try {
    for (const make of programs) started.push(await make(...started));
    return await body(...started);
  } finally {
    for (const program of started.reverse()) await program.stop();
  }
}

// The service on the stand-in for Google. No mailbox of Google takes so many at once.
export const service = (env = {}, under) => (google) => paraph({ ...onGoogle(google),
  GMAIL_CONCURRENCY: "5000", REQUEST_TIMEOUT: "60", ...env }, under);

export async function post(program, message, path = "/") {
  const reply = await fetch(program.url + path, { method: "POST", body: JSON.stringify(message),
    headers: { "Content-Type": "application/json" } });
  const json = await reply.json();
  if (reply.status !== 200) throw new Error(JSON.stringify(json));
  return json;
}

// What the stand-in was asked since it was last looked at: { send, commit, … }.
export async function counts(google) {
  return (await fetch(`${google.url}/counts`)).json();
}

export async function sql(program, query) {
  const { stdout } = await run("sqlite3", [join(program.dir, "paraph.db"), query]);
  return Number(stdout);
}

// What was answered has happened; what was under way at the end may have happened, too.
export function assertHappened(what, happened, { requests, connections }) {
  if (!(happened >= requests && happened <= requests + connections)) {
    throw new Error(`${requests} requests were answered, but ${happened} ${what}`);
  }
}
