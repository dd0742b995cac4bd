// ./dev run --google, without its set-up: the service and the stand-in start and end together.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { atEnd } from "./lib/service.mjs";

const RUN = new URL("../google/run.mjs", import.meta.url).pathname;
const PARAPH = process.env.PARAPH ?? new URL("../../build/paraph", import.meta.url).pathname;

class Run {
  lines = []; // of the stand-in
  events = []; // of the service
  #watchers = new Set();

  constructor(env) {
    this.child = spawn(process.execPath, [RUN], {
      env: { PATH: process.env.PATH, PARAPH, LOG_FORMAT: "json", PORT: "0", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.exited = once(this.child, "exit").then(([code, signal]) => ({ code, signal }));
    // Both streams are at their end when nobody is left who could write to them.
    this.gone = once(this.child, "close");
    createInterface(this.child.stdout).on("line", (line) => {
      this.lines.push(line);
      this.#look();
    });
    createInterface(this.child.stderr).on("line", (line) => {
      this.events.push(JSON.parse(line));
      this.#look();
    });
  }

  #look() {
    for (const watcher of this.#watchers) watcher();
  }

  // The first value that find() gives, now or later.
  until(find) {
    return new Promise((resolve) => {
      const watcher = () => {
        const found = find();
        if (found === undefined) return;
        this.#watchers.delete(watcher);
        resolve(found);
      };
      this.#watchers.add(watcher);
      watcher();
    });
  }

  async ready() {
    const { port } = await this.until(() => this.events.find((e) => e.message === "ready"));
    this.url = `http://127.0.0.1:${port}`;
    return this;
  }

  async post(path, json) {
    const reply = await fetch(this.url + path, { method: "POST", body: JSON.stringify(json),
      headers: { "Content-Type": "application/json" } });
    assert.equal(reply.status, 200, await reply.clone().text());
    return reply.json();
  }
}

function start(t, env = {}) {
  const run = new Run(env);
  atEnd(t, async () => {
    run.child.kill("SIGTERM");
    await run.gone;
  });
  return run;
}

test("each call is a line, and the chain is walked once", async (t) => {
  const run = await start(t, { GMAIL_USER: "me@example.org" }).ready();
  const message = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!" };
  const { draft_id } = await run.post("/", message);
  await run.post("/send-draft", { draft_id });
  await run.post("/", { ...message, mode: "send" });
  const drafts = await (await fetch(`${run.url}/drafts`)).json();
  assert.equal(drafts.drafts.length, 1);
  await run.until(() => run.lines.find((line) => /runQuery +email_drafts$/.test(line)));

  const times = (pattern) => run.lines.filter((line) => pattern.test(line)).length;
  assert.equal(times(/^google {2}200 {2}metadata\.token +paraph@test-project\./), 1);
  assert.equal(times(/^google {2}200 {2}iamcredentials\S+\.signJwt +me@example\.org$/), 1);
  assert.equal(times(/^google {2}200 {2}oauth2\.token +me@example\.org$/), 1);
  assert.equal(times(/^google {2}200 {2}gmail\.users\.drafts\.send +me@example\.org$/), 1);
  assert.equal(times(/^google {2}200 {2}gmail\.users\.messages\.send +me@example\.org$/), 1);
  assert.ok(times(new RegExp(`commit +email_drafts/${draft_id}`)) > 0, run.lines.join("\n"));

  const log = run.lines.join("\n").match(/http:\/\/\S+\/_control\/log/)[0];
  const calls = await (await fetch(log)).json();
  assert.ok(calls.some(({ method }) => method === "oauth2.token"));
});

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  test(`${signal} ends both`, async (t) => {
    const run = await start(t).ready();
    run.child.kill(signal);
    assert.deepEqual(await run.exited, { code: 0, signal: null });
    await run.gone;
    assert.equal(run.events.at(-1).message, "stopped");
  });
}

test("the service ends with the stand-in, however that dies", async (t) => {
  const run = await start(t).ready();
  run.child.kill("SIGKILL");
  await run.gone;
  assert.equal(run.events.at(-1).message, "stopped");
});

test("a service that cannot start ends the stand-in: exit 1", async (t) => {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => server.close());
  const run = start(t, { PORT: String(server.address().port) });
  assert.deepEqual(await run.exited, { code: 1, signal: null });
  await run.gone;
  assert.match(run.events.at(-1).error, /in use/i);
});

test("nothing of the environment leads to the real Google", async (t) => {
  const run = await start(t, { GOOGLE_APPLICATION_CREDENTIALS: "/nonexistent",
    GOOGLE_CLOUD_PROJECT: "real", FIRESTORE_EMULATOR_HOST: "127.0.0.1:1",
    GMAIL_URL: "http://127.0.0.1:1" }).ready();
  const message = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!", mode: "send" };
  assert.ok((await run.post("/", message)).id);
});
