// Configuration and the command line: what is wrong is said at once, all of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { secret } from "./lib/disclosure.mjs";
import { overlay, run, start, temporary } from "./lib/service.mjs";

// Exit 2 and one line for each of these variables, and no others.
async function assertFaults(t, env, names = Object.keys(env)) {
  const { code, stderr } = await run(t, ["serve"], env);
  assert.equal(code, 2, stderr);
  const lines = stderr.trim().split("\n");
  assert.deepEqual(lines.map((line) => line.split(":")[0]).sort(), [...names].sort(), stderr);
  for (const line of lines) assert.ok(line.length > line.indexOf(":") + 15, line);
  return lines;
}

test("every wrong variable is named, all at once", async (t) => {
  const wrong = {
    PORT: "abc", WORKERS: "0", ENABLE_TRACKING: "maybe", SEND_MODE: "later", ROLE: "boss",
    MAX_BODY_BYTES: "-1", REQUEST_TIMEOUT: "0", UPSTREAM_TIMEOUT: "1s", LOG_LEVEL: "loud",
    LOG_FORMAT: "xml", NO_SEND: "si", PIXEL_TRACKER_BASE_URL: "example.org", BACKEND: "mysql",
    RELOAD_INTERVAL: "often", GMAIL_CONCURRENCY: "many", DRAFT_COLLECTION: "a/b",
    SCRIPTS_DIR: "/proc/none", TEMPLATES_DIR: "/dev/null", FIRESTORE_URL: "ftp://x",
    GCE_METADATA_HOST: "http://x", GMAIL_USER: "nobody", HOST: "127.0.0.1:80",
    GMAIL_SCOPES: "gmail.send", GOOGLE_CLOUD_PROJECT: "a/b", FIRESTORE_DATABASE: "x y",
    ALLOWED_SENDERS: "nobody", WEBHOOK_EVENTS: "everything", WEBHOOK_ALLOW_PRIVATE: "perhaps",
  };
  const lines = await assertFaults(t, wrong);
  for (const [name, value] of Object.entries(wrong)) {
    const line = lines.find((l) => l.startsWith(`${name}:`));
    assert.ok(line.includes(value), `the line does not say what is wrong: ${line}`);
  }
});

test("numbers at the edges", async (t) => {
  for (const env of [{ PORT: "65536" }, { PORT: "-1" }, { PORT: "80 80" }, { PORT: "0x50" },
    { MAX_BODY_BYTES: "1e6" }, { REQUEST_TIMEOUT: "99999999999999999999" }]) {
    await assertFaults(t, env);
  }
});

test("yes and no in any of the accepted words", async (t) => {
  for (const [value, wanted] of [["true", true], ["1", true], ["yes", true], ["TRUE", true],
    ["false", false], ["0", false], ["no", false]]) {
    const service = await start(t, { NO_SEND: value });
    const ready = await service.event((e) => e.message === "ready");
    assert.equal(ready.no_send, wanted, value);
    await service.stop();
  }
});

test("nobody serves to the world without saying who may call", async (t) => {
  await assertFaults(t, { HOST: "0.0.0.0" }, ["AUTH"]);
  const lines = await assertFaults(t, { K_SERVICE: "x", GMAIL_USER: "a@example.com",
    PIXEL_TRACKER_BASE_URL: "https://t.example.org" }, ["AUTH"]);
  for (const word of ["key", "google", "iap", "iam", "none"]) assert.ok(lines[0].includes(word));
  await assertFaults(t, { AUTH: "magic" });
});

test("AUTH=none serves to the world if that is what is wanted", async (t) => {
  const service = await start(t, { HOST: "0.0.0.0", AUTH: "none" });
  assert.equal((await service.get("/health")).status, 200);
});

test("webhooks without what they need, and none of it is told", async (t) => {
  const path = secret("an-address-may-be-secret"), half = secret("whsec_half-a-secret");
  await assertFaults(t, { WEBHOOK_URL: `https://crm.example.org/${path}` }, ["WEBHOOK_SECRET"]);
  await assertFaults(t, { WEBHOOK_URL: `http://crm.example.org/${path}`, WEBHOOK_SECRET: half });
});

test("tracking without a base for the pixel", async (t) => {
  await assertFaults(t, { BACKEND: "google", GMAIL_USER: "a@example.com", ENABLE_TRACKING: "true" },
    ["ENABLE_TRACKING"]);
});

test("the google backend needs a mailbox", async (t) => {
  await assertFaults(t, { BACKEND: "google" }, ["GMAIL_USER"]);
});

test("a taken port: exit 1, with workers or without, whoever has it", async (t) => {
  for (const WORKERS of ["1", "2"]) {
    const service = await start(t, { WORKERS });
    for (const mine of ["1", "2"]) {
      const env = { PORT: String(service.port), WORKERS: mine };
      const { code, stderr } = await run(t, ["serve"], env);
      assert.equal(code, 1, stderr);
      assert.match(stderr, new RegExp(`${service.port}`));
      assert.match(stderr, /in use/i);
    }
  }
});

test("a DATA_DIR that cannot be is said by check, too", async (t) => {
  for (const DATA_DIR of ["/proc/no/such", "/dev/null/data", "/dev/null"]) {
    const [line] = await assertFaults(t, { DATA_DIR });
    assert.ok(line.includes(DATA_DIR), line);
    const { code, stderr } = await run(t, ["check"], { DATA_DIR });
    assert.equal(code, 2, stderr);
    assert.equal(stderr.trim(), line);
  }
});

test("a broken script at the start: exit 1, with file and line", async (t) => {
  const scripts = await overlay(t, { "policy/review.lua": "local review = {}\nreturn review +\n" });
  const { code, stderr } = await run(t, ["serve"], { SCRIPTS_DIR: scripts });
  assert.equal(code, 1, stderr);
  assert.match(stderr, /policy\/review\.lua:[23]/);
});

test("a broken template at the start: exit 1, with file and line", async (t) => {
  const templates = await overlay(t, { "mail/note.mustache": "<p>\n{{#open}}\n</p>\n" });
  const { code, stderr } = await run(t, ["serve"], { TEMPLATES_DIR: templates });
  assert.equal(code, 1, stderr);
  assert.match(stderr, /mail\/note\.mustache:\d/);
});

test("help, version, wrong usage", async (t) => {
  for (const args of [["--help"], ["-h"], ["serve", "--help"], ["test", "--help"]]) {
    const { code, stdout, stderr } = await run(t, args);
    assert.equal(code, 0, args.join(" "));
    assert.match(stdout, /usage: paraph/);
    assert.equal(stderr, "");
  }
  for (const args of [["--version"], ["serve", "--version"], ["test", "--version"]]) {
    const version = await run(t, args);
    assert.equal(version.code, 0, args.join(" "));
    assert.match(version.stdout, /^paraph \d+\.\d+\.\d+\n$/);
  }
  for (const args of [["nonsense"], ["serve", "nonsense"], ["--nonsense"], ["test", "a", "b"],
    [""]]) {
    const { code, stderr } = await run(t, args);
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr, /usage: paraph/);
  }
});

test("serve is what it does unless told otherwise", async (t) => {
  const { code, stderr } = await run(t, [], { PORT: "abc" });
  assert.equal(code, 2);
  assert.match(stderr, /^PORT:/);
});

// What the first `count` workers said when they were ready.
async function ready(service, count) {
  const found = () => service.log.filter((e) => e.message === "ready");
  await service.event(() => found().length >= count);
  return found();
}

test("several workers share the port and the store", async (t) => {
  const service = await start(t, { WORKERS: "2" });
  for (const { port } of await ready(service, 2)) assert.equal(port, service.port);
  const ids = await Promise.all(Array.from({ length: 40 }, () => service.draft()));
  const { drafts } = (await service.get("/drafts?limit=200")).json;
  assert.deepEqual(drafts.map((draft) => draft.draft_id).sort(), ids.sort());
});

test("a worker that dies is replaced, and all end together", async (t) => {
  const service = await start(t, { WORKERS: "2" });
  const [{ pid }] = await ready(service, 2);
  process.kill(pid, "SIGKILL");
  const pids = (await ready(service, 3)).map((event) => event.pid);
  assert.equal(new Set([service.pid, ...pids]).size, 4);
  assert.equal((await service.get("/health")).status, 200);
  await service.stop();
  assert.equal(service.log.filter((e) => e.message === "stopped").length, 2);
});
