// `paraph repl --attach`: a prompt in a running service, for those who may; read-only until :live.

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { test } from "node:test";
import { start } from "./lib/backends.mjs";
import { apiKeys } from "./lib/identity.mjs";
import { repl, well } from "./lib/repl.mjs";
import { assertRefused, atEnd } from "./lib/service.mjs";
import { CTRL_C, CTRL_D, ENTER, openTerminal, TAB } from "./lib/terminal.mjs";

const MESSAGE = `{ to = "ann@example.com", subject = "Hello", message = "very secret words" }`;

async function attached(t, env = {}) {
  const { keys, env: auth } = await apiKeys(t,
    { operator: ["ops", "send", "review"], watcher: ["ops", "review"], reviewer: ["review"],
      scraper: ["ops"] });
  const service = await start(t, { ...auth, ...env });
  service.keys = keys;
  service.as = (name) => ({ PARAPH_KEY: keys[name] });
  return service;
}

const DRY = /dry> $/;
const at = (service) => ({ args: ["--attach", service.url] });
const prompts = (service) => service.log.filter(({ message }) => message === "prompt");

test("lines run in a session, and are told in the log without their texts", async (t) => {
  const service = await attached(t);
  const said = await well(t, service.as("operator"), ["n = 41", "print('a', 1) return n + 1",
    `:send ${MESSAGE}`, ":outbox", ":reload", "n"], at(service));
  assert.equal(said, "a\t1\n42\nrehearsed: it would leave from " +
    `${/leave from (\S+);/.exec(said)[1]}; :outbox shows it\n  1  to ann@example.com  Hello\n` +
    "changed: nothing\n41\n");
  assert.deepEqual(await service.mails(), []);

  const told = prompts(service);
  assert.deepEqual(told.map(({ line }) => line).slice(1, 4), ["n = 41", "print(«…», 1) return n + 1",
    ":send { to = «…», subject = «…», message = «…» }"]);
  for (const event of told) {
    assert.equal(event.caller, "operator");
    assert.equal(event.session, told[0].session);
    assert.equal(event.live, false);
  }
  assert.doesNotMatch(service.stderr, /very secret words/);
});

test("only the roles ops and review get in", async (t) => {
  const service = await attached(t);
  const others = [[{}, /401 unauthenticated.*\n.*`ops` and `review`/], [service.as("reviewer"), /403 forbidden/],
    [service.as("scraper"), /403 forbidden: a prompt shows drafts/]];
  for (const [env, sentence] of others) {
    const { code, stderr } = await repl(t, env, ["1"], at(service));
    assert.equal(code, 1);
    assert.match(stderr, sentence);
  }
  assert.equal(await well(t, service.as("watcher"), ["1 + 1"], at(service)), "2\n");
});

test("going live takes `send`; then mail leaves", async (t) => {
  const service = await attached(t);
  const refused = await repl(t, service.as("watcher"), [":live sender@example.com"], at(service));
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /takes the role `send`/);
  const sender = /leave from (\S+);/.exec(
    await well(t, service.as("operator"), [`:send ${MESSAGE}`], at(service)))[1];
  const said = await well(t, service.as("operator"), [`:live ${sender}`, `:send ${MESSAGE}`],
    at(service));
  assert.match(said, /sent: message /);
  assert.equal((await service.mails()).length, 1);
  assert.ok(prompts(service).some(({ live, line }) => live && line.startsWith(":send")));
});

test("a session is its caller's alone, and :request has his roles", async (t) => {
  const service = await attached(t);
  const headers = (name) => ({ headers: { Authorization: `Bearer ${service.keys[name]}` } });
  const mine = await service.post("/repl", { line: "secret = 1" }, headers("operator"));
  assert.equal(mine.status, 200);
  const { session } = mine.json;
  assertRefused(await service.post("/repl", { session, line: "secret" }, headers("watcher")), 404,
    "not_found");
  const line = `:request POST / {"to": "a@example.com", "subject": "S", "message": "M"}`;
  const roles = await service.post("/repl", { line }, headers("watcher"));
  assert.equal(roles.json.word, "failed");
  assert.match(roles.json.text, /^403/);
  const again = await service.post("/repl", { session, line: "secret" }, headers("operator"));
  assert.equal(again.json.text, "1");
  assertRefused(await service.post("/repl", { columns: 7 }, headers("operator")), 400, "invalid_field");
});

test("there are eight sessions at most; :quit makes room", async (t) => {
  const service = await attached(t);
  const as = { headers: { Authorization: `Bearer ${service.keys.operator}` } };
  const sessions = [];
  for (let i = 0; i < 8; i++) {
    sessions.push((await service.post("/repl", { line: "1" }, as)).json.session);
  }
  assertRefused(await service.post("/repl", { line: "1" }, as), 503, "overloaded");
  await service.post("/repl", { session: sessions[0], line: ":quit" }, as);
  assert.equal((await service.post("/repl", { line: "1" }, as)).status, 200);
});

test("a session ends with its lines, and with one that fails", async (t) => {
  const service = await attached(t);
  for (let i = 0; i < 9; i++) {
    const { code, stderr } = await repl(t, service.as("operator"),
      [i % 2 === 0 ? "x = 1" : "error('no')"], at(service));
    assert.equal(code, i % 2, stderr);
    assert.doesNotMatch(stderr, /overloaded/);
  }
  await well(t, service.as("operator"), ["1", ":quit"], at(service));
  const left = prompts(service).filter(({ line }) => line === ":quit");
  assert.equal(left.length, 10);
});

// A terminal that is attached, at its first prompt.
async function attach(t, service) {
  const terminal = await openTerminal(t, ["repl", "--attach", service.url],
    { env: service.as("operator") });
  await terminal.until(DRY);
  return terminal;
}

// A line that takes long, and has begun in the service.
async function sleep(terminal, service) {
  terminal.type('log.warning("begun") task.sleep(30000)' + ENTER);
  await service.event(({ message }) => message === "begun");
}

test("Ctrl-C ends what runs in the service; completion works", async (t) => {
  const service = await attached(t);
  const terminal = await attach(t, service);
  terminal.type("store.g" + TAB);
  await terminal.until(/store\.get$/);
  terminal.type(CTRL_C);
  await terminal.until(DRY);
  await sleep(terminal, service);
  const mark = service.log.length;
  terminal.type(CTRL_C);
  await terminal.until(/interrupted\ndry> $/);
  // The service is told by the connection that closes; the next line follows the one cut off.
  await service.event((e) => e.status === 499 && service.log.indexOf(e) >= mark);
  assert.equal(await terminal.line("1 + 1"), "2\n");
  terminal.type(CTRL_D);
  assert.equal(await terminal.exited, 0);
});

test("a service stops with a line under way", async (t) => {
  const service = await attached(t);
  const terminal = await attach(t, service);
  await sleep(terminal, service);
  await service.stop();
  await terminal.until(/503 shutting_down.*\ndry> $/);
  assert.match(await terminal.line("1"), /127\.0\.0\.1/);
  terminal.type(CTRL_D);
  assert.equal(await terminal.exited, 0);
});

test("a session that the service has lost is begun anew, and said so", async (t) => {
  const service = await attached(t);
  const as = { headers: { Authorization: `Bearer ${service.keys.operator}` } };
  const terminal = await attach(t, service);
  const { session } = prompts(service)[0];
  await service.post("/repl", { session, line: ":quit" }, as);
  assert.match(await terminal.line("1"), /the session is over: the next line begins another/);
  assert.equal(await terminal.line("1"), "1\n");
  terminal.type(CTRL_D);
  assert.equal(await terminal.exited, 0);
});

test("a service that is hostile reaches the terminal with words alone", async (t) => {
  const escapes = "\u001b]0;owned\u0007\u001b[2J";
  const server = http.createServer((_, reply) => reply.end(JSON.stringify({
    status: "ok", session: escapes, word: "shown", text: escapes, more: escapes, name: escapes,
    live: true,
  })));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => server.close());
  const url = `http://127.0.0.1:${server.address().port}`;
  const terminal = await openTerminal(t, ["repl", "--attach", url]);
  await terminal.until(/LIVE> $/);
  terminal.type(`1${ENTER}`);
  await terminal.until(/owned.*LIVE> $/s);
  terminal.type(`x${TAB}`);
  terminal.type(CTRL_D);
  assert.doesNotMatch(terminal.output, /\x1b\]0|\x1b\[2J|\x07/);
});

test("no key goes over the wire in the clear, and nonsense is told", async (t) => {
  for (const url of ["http://gateway.example.com", "http://127.example.com", "http://127.0.0.1.x",
    "http://localhost.example.com:8080/", "http://localhost@192.0.2.1"]) {
    const clear = await repl(t, { PARAPH_KEY: "k" }, ["1"], { args: ["--attach", url] });
    assert.deepEqual([clear.code, clear.stdout], [1, ""]);
    assert.match(clear.stderr, /in the clear/);
  }
  const nobody = await repl(t, {}, ["1"], { args: ["--attach", "http://127.0.0.1:1"] });
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /127\.0\.0\.1:1/);
  for (const url of ["127.0.0.1:8080", "ftp://127.0.0.1", "http://", "http://localhost:x@192.0.2.1",
    "http://[::1]@x", ""]) {
    const { code, stderr } = await repl(t, {}, ["1"], { args: ["--attach", url] });
    assert.equal(code, 2);
    assert.ok(stderr.includes(`--attach takes a URL such as http://127.0.0.1:8080, not '${url}'\n`), stderr);
  }
  assert.equal((await repl(t, {}, [], { args: ["--attach"] })).code, 2);
  assert.equal((await repl(t, {}, [], { args: ["--what"] })).code, 2);
});
