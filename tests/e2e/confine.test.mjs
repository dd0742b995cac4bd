// The service gives up what it does not need, and does all that it should without. What it can no
// longer do is tried by tests/unit/test_confine.c.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { backends, start } from "./lib/backends.mjs";
import { MAILBOX, settings, standIn } from "./lib/google.mjs";
import { hangUp, held, holds, isReload, letter, REVIEW, WATCHED } from "./lib/reload.mjs";
import * as program from "./lib/service.mjs";

const status = async (path) => Object.fromEntries((await readFile(join(path, "status"), "utf8"))
  .split("\n").map((line) => line.split(/:\s+/, 2)));

const children = async (pid) =>
  (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ").map(Number);

const confined = (service) => service.event((e) => e.message === "confined", "what is confined");

// Of every thread of a process: `filters` is how many seccomp has.
async function assertConfined(pid, { seccomp }) {
  assert.match(await readFile(`/proc/${pid}/limits`, "utf8"), /^Max core file size +0 +0 /m);
  const threads = await readdir(`/proc/${pid}/task`);
  for (const thread of threads) {
    const { NoNewPrivs, Seccomp } = await status(`/proc/${pid}/task/${thread}`);
    assert.equal(NoNewPrivs, "1");
    assert.equal(Seccomp, seccomp ? "2" : "0");
  }
  return threads.length;
}

test("the commands of SECURITY.md show what stands beside them", async (t) => {
  const page = await readFile(new URL("../../SECURITY.md", import.meta.url), "utf8");
  const block = page.match(/^## How to check it\n\n```sh\n(.*?)^```$/ms)[1];
  const service = await program.start(t);
  const { seccomp } = await confined(service);
  const show = async (line) => {
    const command = line.replace(/ +#.*/, "").replace("PID", service.pid)
      .replace("build/paraph", program.PARAPH);
    return (await promisify(execFile)("bash", ["-c", command])).stdout;
  };
  const [status, limits, program_, suite] = block.trimEnd().split("\n");
  assert.match(status, /# 1, 2$/);
  assert.deepEqual((await show(status)).match(/\d+/g), ["1", seccomp ? "2" : "0"]);
  assert.match(limits, /# 0, 0$/);
  assert.deepEqual((await show(limits)).match(/\d+/g), ["0", "0"]);
  const headers = await show(program_);
  for (const word of program_.match(/# (.*);/)[1].split(", ")) assert.ok(headers.includes(word), word);
  assert.match(headers, /^ +GNU_STACK .* RW +0x/m);
  assert.match(suite, /^\.\/dev test /);
});

test("every thread is confined, and the log says how", async (t) => {
  const service = await program.start(t);
  const event = await confined(service);
  assert.equal((await service.post("/", letter)).status, 200);
  assert.ok(await assertConfined(service.pid, event) >= 3, "where are the writers' threads?");
  assert.equal(event.severity, "INFO");
  assert.equal(event.core_dumps, "off");
  // What is off has its reason, and what is on has none.
  assert.equal(event.landlock === 0, event.no_landlock !== undefined);
  assert.equal(!event.seccomp, event.no_seccomp !== undefined);
  assert.ok(service.log.indexOf(event) < service.log.findIndex((e) => e.message === "ready"));
});

test("where system calls can be filtered, they are", async (t) => {
  const actions = await readFile("/proc/sys/kernel/seccomp/actions_avail", "utf8").catch(() => "");
  const { seccomp } = await confined(await program.start(t));
  assert.equal(seccomp, actions.includes("kill_process"));
});

for (const backend of Object.keys(backends)) {
  test(`${backend}: drafts, sends and reloads as ever`, async (t) => {
    const scripts = await program.overlay(t, { [REVIEW]: holds("first") });
    const service = await start(t, { SCRIPTS_DIR: scripts }, { at: await backends[backend](t) });
    assert.equal(await held(service), "first");
    await program.put(scripts, REVIEW, holds("second"));
    await hangUp(service);
    assert.equal(await held(service), "second");
    const sent = await service.post("/send-draft", { draft_id: await service.draft() });
    assert.equal(sent.status, 200, sent.text);
    assert.equal((await service.world.mails()).length, 1);
    await service.stop();
  });
}

test("several workers, and one in place of another, are confined each", async (t) => {
  const service = await program.start(t, { WORKERS: "2" });
  const event = await confined(service);
  await assertConfined(service.pid, event);
  const before = await children(service.pid);
  assert.equal(before.length, 2);
  const ready = (wanted) => service.event((e) => e.message === "ready" && wanted(e.pid), "ready");
  for (const pid of before) await ready((one) => one === pid);
  for (const pid of before) await assertConfined(pid, event);

  process.kill(before[0], "SIGKILL");
  const { pid } = await ready((one) => !before.includes(one));
  await assertConfined(pid, event);
  assert.equal((await service.post("/", letter)).status, 200);
});

// A config map is mounted so: files are links through `..data`, which one rename turns to a new
// directory.
async function publish(dir, version, text) {
  await program.put(join(dir, `..${version}`), "review.lua", text);
  await symlink(`..${version}`, join(dir, "..data_tmp"));
  await rename(join(dir, "..data_tmp"), join(dir, "..data"));
}

test("a config map that is swapped is followed", async (t) => {
  const scripts = await program.temporary(t);
  const policy = join(scripts, "policy");
  await publish(policy, "1", holds("first"));
  await symlink("..data/review.lua", join(policy, "review.lua"));
  const service = await program.start(t, { ...WATCHED, SCRIPTS_DIR: scripts });
  assert.equal(await held(service), "first");
  await publish(policy, "2", holds("second"));
  await service.event(isReload, "reload");
  assert.equal(await held(service), "second");
});

test("links lead out of an overlay, and what is there may be replaced", async (t) => {
  const elsewhere = await program.overlay(t, { [REVIEW]: holds("first") });
  const scripts = await program.temporary(t);
  await mkdir(join(scripts, "policy"));
  await symlink(join(elsewhere, REVIEW), join(scripts, REVIEW));
  const service = await program.start(t, { SCRIPTS_DIR: scripts });
  assert.equal(await held(service), "first");
  await writeFile(join(elsewhere, "new"), holds("second"));
  await rename(join(elsewhere, "new"), join(elsewhere, REVIEW));
  await hangUp(service);
  assert.equal(await held(service), "second");
});

test("a store and an outbox elsewhere, by links, are written", async (t) => {
  const elsewhere = await program.temporary(t), DATA_DIR = await program.temporary(t);
  await mkdir(join(elsewhere, "mail"));
  await symlink(join(elsewhere, "mail"), join(DATA_DIR, "outbox"));
  const service = await program.start(t, { DATA_DIR });
  assert.equal((await service.post("/", letter)).status, 200);
  assert.equal((await readdir(join(elsewhere, "mail", "new"))).length, 1);
});

// What one of them overwrites is set aside, so that it alone can be undone.
test("many large drafts are changed at once, without temporary files", async (t) => {
  const service = await program.start(t);
  const text = (letter) => letter.repeat(150000);
  const ids = await Promise.all(Array.from({ length: 20 }, () =>
    service.draft({ message: text("a") })));
  const replies = await Promise.all(ids.map((id) =>
    service.patch(`/drafts/${id}`, { message: text("b") })));
  assert.deepEqual(replies.map(({ status }) => status), ids.map(() => 200));
});

test("a new sign-in on a laptop needs no restart", async (t) => {
  const google = await standIn(t);
  const path = join(await program.temporary(t), "adc.json");
  await writeFile(path, JSON.stringify(google.adc()));
  const { GCE_METADATA_HOST: _, ...env } = settings(google, {
    GOOGLE_APPLICATION_CREDENTIALS: path, GMAIL_USER: MAILBOX,
    GOOGLE_SERVICE_ACCOUNT_EMAIL: google.settings.serviceAccount,
    GOOGLE_CLOUD_PROJECT: google.settings.project,
  });
  const service = await program.start(t, env);
  assert.equal((await service.post("/", letter)).status, 200);

  google.configure({ laptop: { ...google.settings.laptop, refreshToken: "1//another-refresh" } });
  google.tokens.revoke();
  await writeFile(`${path}.new`, JSON.stringify(google.adc()));
  await rename(`${path}.new`, path);
  const reply = await service.post("/", letter);
  assert.equal(reply.status, 200, reply.text);
});
