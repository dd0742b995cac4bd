// The program under test, as a process: started on a free port with a directory of its own, asked
// over HTTP, stopped with SIGTERM. PARAPH names the binary.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { after } from "node:test";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Description, isDescribed, requestOf } from "./described.mjs";
import { Answers, assertLogTellsNothing, noteRaw, noteRequest, secret } from "./disclosure.mjs";

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export const PARAPH = process.env.PARAPH ?? new URL("../../../build/paraph", import.meta.url).pathname;
const START_MS = 30000;
const ANSWER_MS = 100000; // longer than any deadline of the service
const STOP_MS = 60000;
const SANITIZER = /ERROR: (Address|Leak)Sanitizer|runtime error:|SUMMARY: \w*Sanitizer/;

// Is it a build with sanitizers?
export async function isInstrumented() {
  return (await readFile(PARAPH)).includes("__asan_init");
}

// What a child gets from our own environment; everything else would be configuration.
export function inherited() {
  const names = ["PATH", "HOME", "TMPDIR", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS"];
  return Object.fromEntries(
    names.filter((name) => process.env[name]).map((name) => [name, process.env[name]]));
}

// In place of a test's context, for what lives as long as the whole file.
export const file = { after: (cleanup) => after(cleanup) };

const cleanups = new WeakMap();

// Undo something when the test ends: last done, first undone, and all of it.
export function atEnd(t, undo) {
  if (!cleanups.has(t)) {
    const stack = [];
    cleanups.set(t, stack);
    t.after(async () => {
      const errors = [];
      while (stack.length > 0) await stack.pop()().catch((error) => errors.push(error));
      if (errors.length > 0) throw errors[0];
    });
  }
  cleanups.get(t).push(async () => undo());
}

// A directory that is gone when the test ends.
export async function temporary(t) {
  const dir = await mkdtemp(join(tmpdir(), "paraph-e2e-"));
  atEnd(t, () => rm(dir, { recursive: true, force: true }));
  return dir;
}

// A directory with these files, as an overlay of scripts or templates: { "api/x.lua": "…" }.
export async function overlay(t, files) {
  const dir = await temporary(t);
  for (const [name, text] of Object.entries(files)) await put(dir, name, text);
  return dir;
}

export async function put(dir, name, text) {
  const path = join(dir, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

// Scripts that give the pixel a minute to count, instead of the 2 seconds after which an open is
// lost: a test that counts them all must not depend on how fast the machine is.
export async function patientPixel(t) {
  const routes = await readFile(new URL("../../../scripts/routes.lua", import.meta.url), "utf8");
  const patient = routes.replace("deadline = 2 ", "deadline = 60 ");
  assert.notEqual(patient, routes, "the pixel has no deadline of 2 seconds any more");
  return overlay(t, { "routes.lua": patient });
}

class Service {
  log = []; // parsed lines of standard error
  stderr = "";
  #watchers = new Set();
  #known = new Set();
  #answers = new Answers();
  #searched = false;
  #env;
  described = true; // its answers are held against the description

  // `input`: its standard input; else there is none.
  constructor(command, args, env, dataDir, input) {
    this.dataDir = dataDir;
    this.#env = env;
    this.child = spawn(command, args, {
      env: { ...inherited(), ...env },
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    });
    this.child.stdin?.on("error", () => {}); // who reads nothing may end before all is written
    this.child.stdin?.end(input);
    this.pid = this.child.pid;
    this.stdout = "";
    this.child.stdout.setEncoding("utf8").on("data", (text) => { this.stdout += text; });
    let rest = "";
    this.child.stderr.setEncoding("utf8").on("data", (text) => {
      this.stderr += text;
      const lines = (rest + text).split("\n");
      rest = lines.pop();
      for (const line of lines) this.#take(line);
    });
    this.exited = once(this.child, "close").then(([code, signal]) => {
      this.ended = { code, signal };
      for (const watcher of this.#watchers) watcher.fail();
      return this.ended;
    });
  }

  #take(line) {
    let event;
    try {
      event = JSON.parse(line);
    } catch {
      event = { line };
    }
    this.log.push(event);
    for (const watcher of this.#watchers) watcher.look(event);
  }

  // The first event, past or to come, for which `accept` is true.
  event(accept, what = "an event") {
    const past = this.log.find(accept);
    if (past) return Promise.resolve(past);
    return new Promise((resolve, reject) => {
      const end = (settle, value) => {
        clearTimeout(timer);
        this.#watchers.delete(watcher);
        settle(value);
      };
      const fail = (why) => end(reject, new Error(`${what}: ${why}\n${this.stderr}`));
      const watcher = {
        look: (event) => { if (accept(event)) end(resolve, event); },
        fail: () => fail("the service has ended"),
      };
      const timer = setTimeout(() => fail("waited in vain"), START_MS);
      this.#watchers.add(watcher);
      if (this.ended) watcher.fail();
    });
  }

  // The line that the log has about an answer.
  logged(reply) {
    const id = reply.headers.get("x-request-id");
    return this.event((e) => e.request_id === id && e.message === "request", `the line of ${id}`);
  }

  async ready() {
    const { port } = await this.event((e) => e.message === "ready", "start");
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    return this;
  }

  async request(method, path, { json, body, headers = {}, ...rest } = {}) {
    if (json !== undefined) {
      body = JSON.stringify(json);
      headers = { "Content-Type": "application/json", ...headers };
    }
    noteRequest(headers, json);
    const signal = AbortSignal.timeout(ANSWER_MS);
    const response = await fetch(this.url + path, { method, body, headers, signal, ...rest });
    const bytes = Buffer.from(await response.arrayBuffer());
    const text = bytes.toString("utf8");
    this.#answers.note(response.status, response.headers, text);
    const isJson = (response.headers.get("content-type") ?? "").startsWith("application/json");
    const reply = {
      status: response.status,
      headers: response.headers,
      bytes,
      text,
      json: isJson && text !== "" ? JSON.parse(text) : undefined,
    };
    if (this.described && isDescribed(this.#env, reply)) {
      (await description()).assertAnswer(method, path, reply, requestOf(json, body));
    }
    return reply;
  }

  get(path, options) { return this.request("GET", path, options); }
  head(path, options) { return this.request("HEAD", path, options); }
  post(path, json, options) { return this.request("POST", path, { json, ...options }); }
  patch(path, json, options) { return this.request("PATCH", path, { json, ...options }); }

  // Bytes as they are, for what fetch() would never send; everything that comes back.
  async raw(bytes) {
    noteRaw(bytes);
    const socket = net.connect(this.port, "127.0.0.1");
    const chunks = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", () => {});
    socket.write(bytes);
    socket.setTimeout(10000, () => socket.destroy());
    await once(socket, "close");
    const text = Buffer.concat(chunks).toString("latin1");
    this.#answers.noteText(text.replace(/^set-cookie:.*$/gim, ""));
    return text;
  }

  // A message as a draft; its id.
  async draft(members = {}) {
    const reply = await this.post("/", {
      to: "ann@example.com", subject: "Hello", message: "Hi Ann!", mode: "draft", ...members,
    });
    assert.equal(reply.status, 200, reply.text);
    return reply.json.draft_id;
  }

  async document(id) {
    const reply = await this.get(`/drafts/${id}`);
    assert.equal(reply.status, 200, reply.text);
    return reply.json.draft;
  }

  // All mail that has left: { name, bytes }.
  async mails(wanted = () => true) {
    const dir = join(this.dataDir, "outbox", "new");
    return Promise.all((await readdir(dir)).filter(wanted).map(async (name) =>
      ({ name, bytes: await readFile(join(dir, name)) })));
  }

  // The same as bytes alone, in no order.
  async outbox(wanted) {
    const mails = await this.mails(wanted);
    for (const { name } of mails) this.#known.add(name);
    return mails.map(({ bytes }) => bytes);
  }

  // Mail that has left since the last look.
  newMail() { return this.outbox((name) => !this.#known.has(name)); }

  signal(name) { this.child.kill(name); }

  // However it ended: once, all that it told is looked at. `handsOut`: its output is meant to.
  examine({ handsOut = false } = {}) {
    if (this.#searched) return;
    this.#searched = true;
    assert.ok(!SANITIZER.test(this.stderr), `the sanitizer objects:\n${this.stderr}`);
    if (handsOut) this.stdout.split("\n").slice(0, 1).forEach(secret);
    assertLogTellsNothing(this.stderr + (handsOut ? "" : this.stdout));
    this.#answers.assertTellNothing();
  }

  // The end that every service must come to.
  async stop() {
    if (!this.ended) this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), STOP_MS);
    const { code, signal } = await this.exited;
    clearTimeout(timer);
    this.examine();
    assert.equal(signal, null, `ended by ${signal}:\n${this.stderr.slice(-4000)}`);
    assert.equal(code, 0, `exit ${code}:\n${this.stderr.slice(-4000)}`);
  }

  // The end without warning.
  async kill() {
    this.signal("SIGKILL");
    await this.exited;
    this.examine();
  }
}

const DEFAULTS = { HOST: "127.0.0.1", PORT: "0", LOG_FORMAT: "json", RELOAD_INTERVAL: "0" };

let described;

// What the shipped scripts say of themselves; asked for once, of a service of its own.
export function description() {
  described ??= (async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "paraph-e2e-"));
    const service = new Service(PARAPH, ["serve"], { ...DEFAULTS, DATA_DIR: dataDir }, dataDir);
    try {
      await service.ready();
      return new Description(await (await fetch(`${service.url}/openapi.json`)).text());
    } finally {
      service.signal("SIGTERM");
      await service.exited;
      await rm(dataDir, { recursive: true, force: true });
    }
  })();
  return described;
}

// A service that answers. With `wrap`, a command that starts another ("sh", "-c", …).
export async function start(t, env = {}, { wrap = [] } = {}) {
  const dataDir = env.DATA_DIR ?? join(await temporary(t), "data");
  const [command, ...args] = [...wrap, PARAPH, "serve"];
  const all = { ...DEFAULTS, LOG_LEVEL: "debug", DATA_DIR: dataDir, ...env };
  const service = new Service(command, args, all, dataDir);
  atEnd(t, async () => {
    if (!service.ended) await service.stop();
    service.examine();
  });
  return service.ready();
}

// A command, begun. `wrap` as for start(); `input` goes to its standard input.
export async function begin(t, args, env = {}, { wrap = [], input } = {}) {
  const dataDir = env.DATA_DIR ?? join(await temporary(t), "data");
  const all = { ...DEFAULTS, DATA_DIR: dataDir, ...env };
  const [command, ...rest] = [...wrap, PARAPH, ...args];
  return new Service(command, rest, all, dataDir, input);
}

// The program run to its end: { code, stdout, stderr }. The options are those of begin().
export async function run(t, args, env = {}, options = {}) {
  const service = await begin(t, args, env, options);
  const timer = setTimeout(() => service.signal("SIGKILL"), START_MS);
  const { code } = await service.exited;
  clearTimeout(timer);
  service.examine({ handsOut: args[0] === "key" });
  return { code, stdout: service.stdout, stderr: service.stderr, log: service.log };
}

// Every refusal has one shape.
export function assertRefused(reply, status, code, field) {
  assert.equal(reply.status, status, reply.text);
  assert.ok(reply.json, `an error without JSON: ${reply.text}`);
  const { error, request_id: id, ...rest } = reply.json;
  assert.equal(rest.status, "error");
  assert.equal(rest.code, code, reply.text);
  assert.ok(typeof error === "string" && error.length > 3, `no sentence: ${reply.text}`);
  assert.ok(!/traceback|\.lua:\d|core\/|\.c:\d/.test(error), `the inside shows: ${error}`);
  assert.equal(id, reply.headers.get("x-request-id"), "request_id is not that of the header");
  if (field !== undefined) assert.equal(rest.field, field, reply.text);
}
