// The search for what must not be told: that it finds what is planted, so that it means something
// where it finds nothing.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { Answers, secret, words } from "./lib/disclosure.mjs";
import { overlay, run, start } from "./lib/service.mjs";

const unheardOf = () => randomBytes(24).toString("base64url");

// Scripts with one route that tells what it is given in one way.
const telling = (t, body) => overlay(t, { "routes.lua": `
  local log = require "paraph.log"
  local health = require "api.health"
  local function tell(req)
    local text = req.query.text
    ${body}
  end
  return {
    { "GET", "/tell", handler = tell, access = "public", serve = "all" },
    { "GET", "/health", handler = health.alive, access = "public", serve = "all" },
    { "GET", "/ready", handler = health.ready, access = "public", serve = "all" },
  }` });

async function tell(t, body, text, env = {}) {
  const service = await start(t, { ...env, SCRIPTS_DIR: await telling(t, body) });
  assert.equal((await service.get(`/tell?text=${text}`)).status, 200);
  return service;
}

const IN_LOG = `log.info("told", { text = text }) return { json = { status = "ok" } }`;
const IN_BODY = `return { json = { text = text } }`;
const IN_HEADER = `return { json = { status = "ok" }, headers = { ["X-Told"] = text } }`;

for (const [where, body] of Object.entries({ log: IN_LOG, body: IN_BODY, header: IN_HEADER })) {
  test(`a secret in the ${where}`, async (t) => {
    const service = await tell(t, body, secret(unheardOf()));
    await assert.rejects(service.stop(), /tells/);
  });
}

test("a secret in the log of a service that is killed", async (t) => {
  const service = await tell(t, IN_LOG, secret(unheardOf()));
  await service.event((e) => e.message === "told");
  await assert.rejects(service.kill(), /tells/);
});

test("what somebody wrote, in the log, as it is or encoded", async (t) => {
  for (const encode of [(text) => text, (text) => Buffer.from(`x${text}`).toString("base64url")]) {
    const text = words(`my-own-words-${unheardOf()}`);
    const service = await tell(t, IN_LOG, encode(text));
    await assert.rejects(service.stop(), /tells/);
  }
});

test("what somebody wrote, in an answer", async (t) => {
  const service = await tell(t, IN_BODY, words(`my-own-words-${unheardOf()}`));
  await service.stop();
});

test("a credential that was shown, though nobody named it a secret", async (t) => {
  for (const name of ["Authorization", "X-API-Key", "Cookie"]) {
    const text = unheardOf();
    const service = await tell(t, IN_LOG, text);
    const value = { Authorization: `Bearer ${text}`, Cookie: `a=b; c=${text}` }[name] ?? text;
    await service.get("/health", { headers: { [name]: value } });
    await assert.rejects(service.stop(), /tells/);
  }
});

test("a message that was posted, in the log", async (t) => {
  const text = unheardOf();
  const service = await tell(t, IN_LOG, text);
  await service.post("/nowhere", { message: `Dear Ann,\n${text}\n` });
  await assert.rejects(service.stop(), /tells/);
});

test("a cookie, elsewhere than where it is set", () => {
  const answers = new Answers();
  const cookie = unheardOf();
  answers.note(200, new Headers({ "Set-Cookie": `session=${cookie}; HttpOnly` }), "");
  answers.assertTellNothing();
  answers.note(200, new Headers(), `<p>${cookie}</p>`);
  assert.throws(() => answers.assertTellNothing(), /tells/);
});

test("answers without end", () => {
  const answers = new Answers();
  const text = secret(unheardOf());
  assert.throws(() => {
    answers.noteText(text);
    for (let i = 0; i < 100; i++) answers.noteText("x".repeat(100000));
  }, /tells/);
});

test("a secret in what a command prints", async (t) => {
  const name = secret(unheardOf());
  await assert.rejects(run(t, ["check", name]), /tells/);
});
