// Answers of Google that are nearly right, from every API, while the service is asked for all it
// does: it keeps its promises to callers, no mail leaves twice, and it holds no memory for them.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { check, MAILBOX, standIn, startOnGoogle } from "../e2e/lib/google.mjs";
import { random } from "../e2e/lib/random.mjs";

const SEED = Number(process.env.SEED ?? 20260301);
const ANSWERS = Number(process.env.MUTATIONS ?? 4000);
const CHAIN_ANSWERS = 150;
const AT_ONCE = 32; // most wait between two attempts
const CHECKS_AT_ONCE = 8;
// What caches and the garbage of the moment may differ by, in the second half of the answers of an
// API: 3 KiB left behind by each of Firestore's are found.
const MARGIN_KIB = Math.max(ANSWERS, 8192);

// Never 500: what Google answers is no fault of a script.
const STATUSES = [200, 304, 400, 403, 404, 409, 429, 502, 503, 504];
const QUESTION = "From: ann@example.com\r\nSubject: Hello\r\nMessage-ID: <x@example.com>\r\n\r\nHi\r\n";
const CHAIN_METHODS = ["metadata.token", "iamcredentials.projects.serviceAccounts.signJwt",
  "oauth2.token", "gmail.users.getProfile",
  "gmail.users.settings.sendAs.list"];
// One API at a time: if all of them failed, little would come to the last step of a send.
const APIS = [
  { api: "gmail", share: 0.6, part: 0.3, methods: ["messages.send", "drafts.create", "drafts.send",
    "drafts.get", "drafts.delete", "threads.get"].map((name) => `gmail.users.${name}`) },
  { api: "firestore", share: 0.6, part: 0.7, methods: ["commit", "batchGet", "runQuery"].map((name) =>
    `firestore.projects.databases.documents.${name}`) },
];

function checkReply(reply, what) {
  assert.ok(STATUSES.includes(reply.status), `${what}: ${reply.status} ${reply.text}`);
  if (reply.status < 400) return;
  assert.equal(reply.json?.status, "error", `${what}: ${reply.text}`);
  assert.match(reply.json.code, /^[a-z_]+$/);
  assert.ok(reply.json.error.length > 3, reply.text);
}

// What callers do: each step a message of its own, named by its subject.
class Callers {
  #service;
  #thread;
  #next = 0;
  statuses = {};

  constructor(service, thread) {
    this.#service = service;
    this.#thread = thread;
  }

  async #ask(what, reply) {
    const answered = await reply;
    checkReply(answered, what);
    this.statuses[answered.status] = (this.statuses[answered.status] ?? 0) + 1;
    return answered;
  }

  #steps = [
    (letter) => this.#post({ ...letter, mode: "send" }),
    (letter) => this.#post({ ...letter, mode: "send" }, { "Idempotency-Key": letter.subject }),
    (letter) => this.#post({ ...letter, mode: "send", ...this.#thread }),
    (letter) => this.#review(letter, (id) =>
      this.#ask("send-draft", this.#service.post("/send-draft", { draft_id: id }))),
    (letter) => this.#review(letter, async (id) => {
      await this.#ask("get", this.#service.get(`/drafts/${id}`));
      await this.#ask("patch", this.#service.patch(`/drafts/${id}`, { message: "New" }));
      await this.#ask("message", this.#service.get(`/drafts/${id}/message`));
      await this.#ask("reject", this.#service.post(`/drafts/${id}/reject`, { reason: "no" }));
    }),
    (letter) => this.#review(letter, async (id) => {
      await this.#ask("test", this.#service.post(`/drafts/${id}/test`, { to: "t@example.com" }));
      await Promise.all([1, 2].map(() =>
        this.#ask("send-draft", this.#service.post("/send-draft", { draft_id: id }))));
    }),
    (letter) => this.#review(letter, () => // the stand-in sorts all there are, so not too often
      this.#next % 8 === 0 && this.#ask("list", this.#service.get("/drafts?limit=5"))),
  ];

  #post(letter, headers) {
    return this.#ask("post", this.#service.post("/", letter, { headers }));
  }

  async #review(letter, then) {
    const { json } = await this.#post({ ...letter, mode: "draft" });
    if (json.draft_id) await then(json.draft_id);
  }

  step() {
    const n = this.#next++;
    const subject = `s-${n}`;
    const step = random(SEED + n).pick(this.#steps);
    return step({ to: "ann@example.com", subject, message: "Hi Ann!" });
  }
}

// The methods of which an answer was mutated.
function mutatedMethods(google) {
  const seen = new Set();
  google.watch(({ method, mutation }) => { if (mutation) seen.add(method); });
  return seen;
}

// Ask until so many answers have been mutated. Tokens are left alone: a failure of theirs is kept
// for seconds, in which nothing else is asked for.
async function mutate(google, callers, fault, until) {
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (fault.mutated < until) {
      await callers.step();
      google.log.length = 0; // it would hold every body
    }
  }));
}

const kilobytes = async ({ pid }) =>
  Number((await readFile(`/proc/${pid}/status`, "utf8")).match(/VmRSS:\s+(\d+) kB/)[1]);

test(`${CHAIN_ANSWERS} mutated answers about tokens, seed ${SEED}`, async (t) => {
  const google = await standIn(t);
  const seen = mutatedMethods(google);
  const fault = google.fault({ method: "*", kind: "mutate", share: 0.3, seed: SEED, count: Infinity });
  await Promise.all(Array.from({ length: CHECKS_AT_ONCE }, async () => {
    while (fault.mutated < CHAIN_ANSWERS) {
      const { code, stdout, stderr } = await check(t, google, { UPSTREAM_TIMEOUT: "1" });
      assert.ok(code === 0 || code === 1, `exit ${code}:\n${stdout}${stderr}`);
    }
  }));
  fault.remove();
  assert.deepEqual(CHAIN_METHODS.filter((method) => !seen.has(method)), [], "never mutated");
  const { code, stdout } = await check(t, google);
  assert.equal(code, 0, stdout);
});

for (const { api, share, part, methods } of APIS) {
  const many = ANSWERS * part;

  test(`${many} mutated answers of ${api}, seed ${SEED}`, async (t) => {
    const { google, service } = await startOnGoogle(t, {
      // Freed memory must not look like lost memory.
      ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ""}:quarantine_size_mb=4`,
      GMAIL_CONCURRENCY: "8", REQUEST_TIMEOUT: "10", UPSTREAM_TIMEOUT: "5",
    });
    service.described = api !== "firestore"; // whose documents are shown as they are
    const { threadId } = await google.receive(MAILBOX, QUESTION);
    const callers = new Callers(service, { thread_id: threadId, in_reply_to: "<x@example.com>" });
    const seen = mutatedMethods(google);
    const fault = google.fault({
      method: `${api}.*`, kind: "mutate", share, seed: SEED, count: Infinity });
    await mutate(google, callers, fault, many / 2);
    const before = await kilobytes(service);
    await mutate(google, callers, fault, many);
    const growth = await kilobytes(service) - before;
    fault.remove();
    t.diagnostic(`${JSON.stringify(callers.statuses)}; ${before} KiB, then ${growth} more`);

    assert.deepEqual(methods.filter((method) => !seen.has(method)), [], "never mutated");
    assert.deepEqual(service.log.filter(({ message }) => message === "policy error"), []);
    const subjects = google.mails().map(({ read }) => read.mailparser.subject);
    assert.deepEqual(subjects.filter((s, i) => subjects.indexOf(s) !== i), [], "sent twice");
    assert.ok(growth < MARGIN_KIB, `the second half left ${growth} KiB behind`);
    assert.ok(callers.statuses[200] > many / 50 && callers.statuses[502] > many / 50, "one-sided");

    const id = await service.draft();
    assert.equal((await service.post("/send-draft", { draft_id: id })).status, 200);
  });
}
