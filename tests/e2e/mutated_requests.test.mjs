// Requests that are nearly right, over raw connections, against one service: it answers each as the
// contract says or closes, is none the worse for them, and holds no memory for them.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import net from "node:net";
import { test } from "node:test";
import { mutateBytes, mutateJson } from "./lib/mutate.mjs";
import { random } from "./lib/random.mjs";
import { file, start } from "./lib/service.mjs";

const SEED = Number(process.env.SEED ?? 20260301);
const REQUESTS = Number(process.env.MUTATIONS ?? 10000);
const AT_ONCE = 32;
const DRAFTS = 20;
const BODY_MAX = 16 * 1024;
// Whatever a request still lacks, it is in here, and it is no request itself: so that each
// connection is answered and closed, and none waits for what would never come.
const TAIL = Buffer.from(`\r\n0\r\n\r\n${"x".repeat(BODY_MAX)}\r\n\r\n`);
const QUIET_MS = 4000; // then a client leaves: the service waits for the rest of a longer body
// What caches and the garbage of the moment may differ by. A request that leaves 2 KiB behind is
// found.
const MARGIN_KIB = Math.max(REQUESTS, 8192);

// libmicrohttpd's own are among them.
const STATUSES = [
  100, 200, 304, 400, 401, 403, 404, 405, 408, 409, 411, 413, 414, 415, 417, 431, 501, 505,
];

const service = await start(file, {
  // Freed memory must not look like lost memory.
  ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ""}:quarantine_size_mb=4`,
  MAX_BODY_BYTES: String(BODY_MAX),
});

// --- requests that are right ----------------------------------------------------------------------

const LETTER = {
  to: ["Ann <ann@example.com>", "bob@example.org"], subject: "Hello", message: "Hi *Ann*!",
  from_name: "Me", cc: "c@example.com", format: "markdown", metadata: { n: 1, list: [1.5, null] },
  attachments: [{ filename: "a.txt", content_type: "text/plain", content: "aGVsbG8=" }],
};
const json = { "Content-Type": "application/json" };

const ROUTES = [
  () => ["POST", "/", json, { ...LETTER, mode: "draft" }],
  () => ["POST", "/", { ...json, "Idempotency-Key": "k" }, { ...LETTER, mode: "send" }],
  () => ["POST", "/", json, { to: "a@example.com", subject: "s", template: "welcome", vars: {} }],
  (id) => ["POST", "/send-draft", json, { draft_id: id, etag: "0".repeat(64) }],
  (id) => ["POST", "/send-draft", json, { draft_id: id }],
  () => ["GET", "/drafts?status=pending&limit=3", {}],
  (id) => ["GET", `/drafts/${id}`, { Accept: "application/json" }],
  (id) => ["PATCH", `/drafts/${id}`, json, { subject: "New", to: "ann@example.com", cc: null }],
  (id) => ["POST", `/drafts/${id}/reject`, json, { reason: "no" }],
  (id) => ["GET", `/drafts/${id}/message`, { "If-None-Match": '"x"' }],
  (id) => ["POST", `/drafts/${id}/test`, json, { to: "t@example.com" }],
  (id) => ["GET", `/pixel?id=${id}`, { "User-Agent": "Mozilla/5.0" }],
  () => ["HEAD", "/health", {}],
  () => ["GET", "/ready", { "X-Request-Id": "mine" }],
];

// --- and what becomes of them ---------------------------------------------------------------------

function chunked(body, { below, chance, pick }) {
  const pieces = [];
  for (let at = 0; at < body.length;) {
    const n = 1 + below(40);
    const piece = body.subarray(at, at + n).toString("latin1");
    const size = chance(0.9) ? piece.length.toString(16) : pick(["-1", "ffffffffffffffff", "", "g"]);
    pieces.push(`${size}${chance(0.05) ? ";x=\"" : ""}\r\n${piece}${chance(0.95) ? "\r\n" : ""}`);
    at += n;
  }
  return Buffer.from(`${pieces.join("")}0\r\n${chance(0.1) ? "X: y\r\n" : ""}\r\n`, "latin1");
}

function mutateLines(lines, { below, pick }) {
  const at = below(lines.length);
  const changed = [...lines];
  pick([
    () => changed.splice(at, 1),
    () => changed.splice(at, 0, lines[at]),
    () => { [changed[at], changed[0]] = [changed[0], changed[at]]; },
    () => { changed[at] = changed[at].replace(/\d+/, "9".repeat(pick([1, 3, 14, 19, 30]))); },
    () => { changed[at] += pick(["x".repeat(9000), "y".repeat(70000), "\t", ", 1", "\u00ff"]); },
    () => changed.push(pick(["Expect: 100-continue", "Connection: Upgrade", "Host: evil.example",
      "Transfer-Encoding: chunked", "Content-Length: 5", "X: a\r\n b", ": x", "no colon",
      "Range: bytes=0-", "Cookie: paraph_session=x", "Authorization: Bearer x"])),
  ])();
  return changed;
}

// The bytes of the request of this number.
function request(i, id) {
  const chance = random(SEED + i);
  const [method, target, headers, value] = chance.pick(ROUTES)(id);
  let text = value === undefined ? "" : JSON.stringify(value);
  while (text !== "" && chance.chance(0.5)) text = mutateJson(text, chance);
  let body = Buffer.from(text);
  if (body.length > 0 && chance.chance(0.2)) body = mutateBytes(body, chance);
  const wired = chance.chance(0.1) ? chunked(body, chance) : body;
  const framing = wired !== body ? ["Transfer-Encoding: chunked"]
    : body.length > 0 ? [`Content-Length: ${body.length}`] : [];
  let lines = [`${method} ${target} HTTP/1.1`, "Host: localhost", ...framing,
    ...Object.entries(headers).map(([name, v]) => `${name}: ${v}`)];
  while (chance.chance(0.3)) lines = mutateLines(lines, chance);
  let bytes = Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), wired]);
  while (chance.chance(0.3)) bytes = mutateBytes(bytes, chance);
  return chance.chance(0.1) ? Buffer.concat([bytes, request(i + REQUESTS, id)]) : bytes;
}

// --- answers --------------------------------------------------------------------------------------

// Everything that comes back for these bytes, and whether there may have been more: a connection
// that was reset loses what had come before.
async function exchange(bytes) {
  const socket = net.connect(service.port, "127.0.0.1");
  const chunks = [];
  let reset = false;
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.on("error", () => { reset = true; });
  socket.setTimeout(QUIET_MS, () => {
    reset = true;
    socket.destroy();
  });
  socket.end(Buffer.concat([bytes, TAIL]));
  await once(socket, "close");
  return { text: Buffer.concat(chunks).toString("latin1"), reset };
}

// The first answer in the text, and what follows it.
function readAnswer(text, mayBeHead) {
  const head = text.match(/^HTTP\/1\.[01] (\d{3}) [^\r\n]*\r\n((?:[\w-]+: ?[^\r\n]*\r\n)*)\r\n/);
  assert.ok(head, `no answer of HTTP: ${JSON.stringify(text.slice(0, 300))}`);
  const status = Number(head[1]);
  const rest = text.slice(head[0].length);
  const length = status < 200 || status === 304 ? 0
    : Number(head[2].match(/^Content-Length: (\d+)\r$/im)?.[1]);
  assert.ok(length >= 0, `an answer without length: ${head[0]}`);
  const bare = mayBeHead && (rest === "" || rest.startsWith("HTTP/1."));
  assert.ok(bare || rest.length >= length, `an answer that is cut: ${text}`);
  const body = bare ? "" : rest.slice(0, length);
  return { status, head: head[2], body, rest: rest.slice(body.length) };
}

function checkAnswers({ text, reset }, mayBeHead) {
  let n = 0;
  for (let rest = text; rest !== ""; n++) {
    if (reset && !/^HTTP\/1\.1 \d{3} [^]*\r\n\r\n/.test(rest)) return n;
    const answer = readAnswer(rest, mayBeHead || reset);
    assert.ok(STATUSES.includes(answer.status), `status ${answer.status}: ${rest.slice(0, 500)}`);
    if (answer.status >= 400 && /^Content-Type: application\/json\r$/im.test(answer.head) &&
        answer.body !== "") {
      const error = JSON.parse(Buffer.from(answer.body, "latin1").toString());
      assert.equal(error.status, "error");
      assert.match(error.code, /^[a-z_]+$/);
      assert.ok(error.error.length > 3 && error.request_id, answer.body);
    }
    rest = answer.rest;
  }
  return n;
}

// --- the run --------------------------------------------------------------------------------------

const newDrafts = () =>
  Promise.all(Array.from({ length: DRAFTS }, () => service.draft(LETTER)));

// Those from one number to another; how many answers there were.
async function send(from, to) {
  let next = from, answers = 0, drafts = await newDrafts();
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < to) {
      const i = next++;
      if (i % 500 === 0) drafts = await newDrafts();
      const bytes = request(i, drafts[i % DRAFTS]);
      const found = await exchange(bytes);
      try {
        answers += checkAnswers(found, /HEAD/.test(bytes.toString("latin1")));
      } catch (cause) {
        const shown = JSON.stringify(bytes.toString("latin1").slice(0, 3000));
        throw new Error(`request ${i}: ${cause.message}\n${shown}`, { cause });
      }
    }
  }));
  return answers;
}

const kilobytes = async () =>
  Number((await readFile(`/proc/${service.pid}/status`, "utf8")).match(/VmRSS:\s+(\d+) kB/)[1]);

test(`${REQUESTS} mutated requests, seed ${SEED}`, async (t) => {
  const answers = await send(0, REQUESTS / 2);
  const before = await kilobytes();
  const more = await send(REQUESTS / 2, REQUESTS);
  const growth = await kilobytes() - before;
  t.diagnostic(`${answers + more} answers; ${before} KiB, then ${growth} more`);
  assert.ok(answers + more > REQUESTS / 2, `only ${answers + more} answers`);
  assert.ok(growth < MARGIN_KIB, `the second half left ${growth} KiB behind`);
  const failed = service.log.filter(({ message }) => message === "policy error");
  assert.deepEqual(failed, []);
  const id = await service.draft();
  assert.equal((await service.post("/send-draft", { draft_id: id })).status, 200);
});
