// What is measured: each row of the table is a function of how long it may take, and gives a figure,
// and what stands beside it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import { load, MESSAGE } from "./load.mjs";
import { bare, nginxEcho, onGoogle, paraph, PARAPH, freePort, run, SERVER, start, upstream, workDir }
  from "./programs.mjs";

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const CONCURRENT = { GMAIL_CONCURRENCY: "5000", REQUEST_TIMEOUT: "60" };

// Start what `programs` makes, one after the other, and end all of it afterwards.
async function among(programs, body) {
  const started = [];
  try {
    for (const make of programs) started.push(await make(...started));
    return await body(...started);
  } finally {
    for (const program of started.reverse()) await program.stop();
  }
}

const service = (env = {}) => (google) => paraph({ ...onGoogle(google), ...CONCURRENT, ...env });

const draft = { ...MESSAGE, mode: "draft" }, send = { ...MESSAGE, mode: "send" };

async function counts(google) {
  return (await fetch(`${google.url}/counts`)).json();
}

// What was answered has happened; what was under way at the end may have happened, too.
function assertHappened(what, happened, { requests, connections = 64 }) {
  if (happened < requests || happened > requests + connections) {
    throw new Error(`${requests} requests were answered, but ${happened} ${what}`);
  }
}

async function sql(program, query) {
  const { stdout } = await run("sqlite3", [join(program.dir, "paraph.db"), query]);
  return Number(stdout);
}

async function post(program, message) {
  const reply = await fetch(program.url, { method: "POST", body: JSON.stringify(message),
    headers: { "Content-Type": "application/json" } });
  const json = await reply.json();
  if (reply.status !== 200) throw new Error(JSON.stringify(json));
  return json;
}

// --- through Google ------------------------------------------------------------------------------

export const drafts = ({ seconds }) => among([() => upstream(), service()],
  async (google, program) => {
    await post(program, draft);
    await counts(google);
    const result = await load(program, "POST", "/", draft, { seconds });
    assertHappened("were stored", (await counts(google)).commit, result);
    return result;
  });

// With the calls that a send makes, as the upstream counts them.
export const sends = ({ seconds }) => among([() => upstream(), service()],
  async (google, program) => {
    await post(program, send); // tokens and signature are there
    await counts(google);
    const result = await load(program, "POST", "/", send, { seconds });
    const asked = await counts(google);
    assertHappened("were sent", asked.send, result);
    const calls = Object.values(asked).reduce((sum, n) => sum + n, 0);
    return { ...result, note: `${(calls / result.requests).toFixed(2)} calls a send` };
  });

// 200 ms on every call: what the wait alone allows is connections / 0.2 s. And how much memory each
// of those who wait takes.
export const waiting = ({ seconds, connections }) => among([() => upstream(0.2), service()],
  async (google, program) => {
    await post(program, send);
    const idle = await program.memory();
    const result = await load(program, "POST", "/", send, { seconds, connections });
    const { most } = await program.memory();
    const each = (most - idle.now) * 1024 / connections;
    return { ...result, peer: connections / 0.2, kib: each, note: `${each.toFixed(0)} KiB each` };
  });

// --- without anybody -----------------------------------------------------------------------------

const ECHO = `local body = require "lib.body"
local routes = require "shipped.routes"
routes[#routes + 1] = { "POST", "/echo", access = "public", handler = function(req)
  local request = body.decode(req)
  return { json = { status = "ok", to = request.to, subject = request.subject,
    bytes = #request.message } }
end }
return routes
`;

async function echoScripts() {
  const dir = join(workDir, "echo");
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, "routes.lua"), ECHO);
  return { SCRIPTS_DIR: dir };
}

export async function echo({ seconds }) {
  const env = await echoScripts();
  const ask = (program) => load(program, "POST", "/echo", MESSAGE, { seconds });
  const ours = await among([() => paraph(env)], ask);
  const answer = JSON.stringify({ status: "ok", to: MESSAGE.to, subject: MESSAGE.subject, bytes: 76 });
  const nginx = await among([nginxEcho], ask);
  const alone = await among([() => bare(answer)], ask);
  return { ...ours, peer: alone.rate,
    note: `nginx with lua ${nginx.rate.toFixed(0)}/s (${(ours.rate / nginx.rate).toFixed(2)})` };
}

// --- the embedded pair ---------------------------------------------------------------------------

// How often this disk makes something durable in a second, one write after the other.
async function syncs(dir) {
  const file = await open(join(dir, "sync"), "w"), block = Buffer.alloc(4096);
  const began = performance.now();
  let n = 0;
  while (performance.now() - began < 500) {
    await file.write(block);
    await file.datasync();
    n++;
  }
  await file.close();
  return n / ((performance.now() - began) / 1000);
}

export const durable = ({ seconds }) => among([() => paraph()], async (program) => {
  const result = await load(program, "POST", "/", draft, { seconds });
  const stored = await sql(program, "SELECT count(*) FROM document WHERE collection = 'email_drafts'");
  assertHappened("are stored", stored, result);
  return { ...result, note: `the disk syncs ${(await syncs(workDir)).toFixed(0)} times/s` };
});

// With a minute for a pixel to count, instead of the 2 seconds after which an open is lost: on a busy
// machine all must be counted, too.
async function patientScripts() {
  const dir = join(workDir, "patient");
  const routes = await readFile(new URL("../../../scripts/routes.lua", import.meta.url), "utf8");
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, "routes.lua"), routes.replace("deadline = 2 ", "deadline = 60 "));
  return { SCRIPTS_DIR: dir, PIXEL_TRACKER_BASE_URL: "https://t.example.org" };
}

// Pixels of mails that were sent: every open is counted, or the bench fails.
export const pixel = ({ seconds }) => among(
  [async () => paraph(await patientScripts())], async (program) => {
    const ids = [];
    for (let i = 0; i < 100; i++) ids.push((await post(program, send)).pixel_id);
    const paths = join(workDir, "pixels");
    await writeFile(paths, ids.map((id) => `/pixel?id=${id}\n`).join(""));
    const result = await load(program, "GET", "/pixel", `@${paths}`, { seconds });
    assertHappened("are counted", await sql(program, "SELECT sum(json_extract(body, " +
      "'$.open_count')) FROM document WHERE collection = 'email_opens'"), result);
    return result;
  });

// --- alone ---------------------------------------------------------------------------------------

// The first bytes of the answer; undefined: nobody listens yet. Without anything that would take
// time of its own.
function ask(port, request) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write(request));
    socket.once("data", (bytes) => {
      resolve(bytes.toString());
      socket.destroy();
    }).once("error", () => resolve(undefined));
  });
}

// From exec to the first answer, which must be a 200.
async function coldStart(env, request) {
  const port = await freePort(), began = performance.now();
  const program = start(null, PARAPH, ["serve"], { port,
    env: { PORT: String(port), DATA_DIR: join(workDir, "cold"), LOG_LEVEL: "error", ...env } });
  let answer;
  while (answer === undefined) answer = await ask(port, request);
  const ms = performance.now() - began;
  await program.stop();
  if (!answer.startsWith("HTTP/1.1 200")) throw new Error(answer);
  return ms;
}

async function coldStarts(times, env, request) {
  const starts = [];
  for (let i = 0; i < times; i++) starts.push(await coldStart(env, request));
  return { rate: median(starts), unit: "ms",
    note: `${Math.min(...starts).toFixed(1)} to ${Math.max(...starts).toFixed(1)}` };
}

export const startReady = ({ times }) =>
  coldStarts(times, {}, "GET /ready HTTP/1.1\r\nHost: x\r\n\r\n".replace("x", "127.0.0.1"));

export const startDraft = ({ times }) => among([() => upstream()], (google) => {
  const body = JSON.stringify(draft);
  return coldStarts(times, onGoogle(google), "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n" +
    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
});

export const idle = () => among([() => paraph()], async (program) => {
  await fetch(`${program.url}/ready`);
  return { rate: (await program.memory()).now, unit: "MiB" };
});

// An attachment of so many MiB, sent at once: how much memory that takes at most.
export const attachment = ({ mib }) => among([() => upstream(), service({ MAX_BODY_BYTES: "104857600" })],
  async (google, program) => {
    const before = (await program.memory()).now;
    const content = Buffer.alloc(mib << 20, "x").toString("base64");
    const began = performance.now();
    await post(program, { ...send, attachments: [{ filename: "x.bin", content }] });
    const ms = performance.now() - began;
    const { most } = await program.memory();
    return { rate: (most - before) / mib, unit: "times", note: `${ms.toFixed(0)} ms` };
  });

// Loading all scripts and templates anew.
export async function reload({ times }) {
  const child = spawn(PARAPH, ["serve"], { stdio: ["ignore", "ignore", "pipe"],
    env: { PATH: process.env.PATH, PORT: "0", DATA_DIR: join(workDir, "reload"), LOG_LEVEL: "debug",
      LOG_FORMAT: "json", RELOAD_INTERVAL: "0" } });
  const loads = [];
  let rest = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const event = JSON.parse(line);
      if (event.message === "scripts reloaded") loads.push(event.ms);
      if (loads.length === times) child.kill("SIGTERM");
      else if (["ready", "scripts reloaded"].includes(event.message)) child.kill("SIGHUP");
    }
  });
  await once(child, "exit");
  return { rate: median(loads), unit: "ms" };
}

