// Figures of a service under load: requests a second, how long each takes, and what memory.

import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { among, assertHappened, counts, draft, MESSAGE, post, send, service, sql } from "./bed.mjs";
import { load } from "./load.mjs";
import { bare, nginxEcho, node, paraph, upstream, workDir } from "./programs.mjs";

// --- through Google ------------------------------------------------------------------------------

// The same load on a service, and on what counts how often Google was asked.
const onGoogle = (make, delay, message, how) => among([() => upstream(delay), make],
  async (google, program) => {
    await post(program, message); // tokens and signature are there
    await counts(google);
    const idle = (await program.memory()).now;
    const result = await load(program, "POST", "/", message, how);
    const { most } = await program.memory();
    const asked = await counts(google);
    assertHappened("were carried out", asked[message === draft ? "commit" : "send"], result);
    const calls = Object.values(asked).reduce((sum, n) => sum + n, 0) / result.requests;
    await pause(how.quiet ?? 0);
    return { ...result, calls, memory: { idle, most, after: (await program.memory()).now } };
  });

// And what memory they take: at most, and after as long again without any.
export async function drafts({ seconds, connections }) {
  const ours = await onGoogle(service(), 0, draft,
    { seconds, connections, quiet: seconds * 1000 });
  const theirs = await onGoogle(node, 0, draft, { seconds, connections });
  return [{ ...ours, peers: { Node: theirs.value } },
    { what: "memory", value: ours.memory.most, unit: "MiB", peers: { Node: theirs.memory.most },
      note: `${ours.memory.after.toFixed(1)} MiB after ${seconds} s of quiet` }];
}

// With the calls that a send makes, as the upstream counts them.
export async function sends({ seconds, connections }) {
  const ours = await onGoogle(service(), 0, send, { seconds, connections });
  const theirs = await onGoogle(node, 0, send, { seconds, connections });
  return [{ ...ours, peers: { Node: theirs.value } },
    { what: "calls to Google", value: ours.calls, unit: "a send" }];
}

// 200 ms on every call: what the wait alone allows is connections / 0.2 s. And how much memory each
// of those who wait takes.
export async function waiting({ seconds, connections, peer }) {
  const each = ({ memory: { most, idle } }) => (most - idle) * 1024 / connections;
  const ours = await onGoogle(service(), 0.2, send, { seconds, connections });
  const theirs = peer && await onGoogle(node, 0.2, send, { seconds, connections });
  return [{ ...ours, peers: { "what the wait allows": connections / 0.2, ...peer && { Node: theirs.value } } },
    { what: "memory of each", value: each(ours), unit: "KiB", atMost: 40,
      peers: peer && { Node: each(theirs) } }];
}

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

// The service with one more route: JSON in, Lua, JSON out.
export async function echoService(env, under) {
  const dir = join(workDir, "echo");
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, "routes.lua"), ECHO);
  return paraph({ ...env, SCRIPTS_DIR: dir }, under);
}

const askEcho = (program) => fetch(`${program.url}/echo`, { method: "POST",
  body: JSON.stringify(MESSAGE), headers: { "Content-Type": "application/json" } });

// What the service answers: its JSON, and the headers that are not the server's own.
let answered;
const answer = () => answered ??= among([() => echoService()], async (program) => {
  const reply = await askEcho(program);
  const own = ["connection", "content-length", "date", "keep-alive"];
  return { body: await reply.text(), headers: [...reply.headers].filter(([name]) => !own.includes(name)) };
});

// Those who answer the same. libmicrohttpd alone looks at nothing; nginx sets the type itself.
export const echoes = { paraph: () => echoService(),
  "nginx with Lua": async () =>
    nginxEcho((await answer()).headers.filter(([name]) => name !== "content-type")),
  libmicrohttpd: async () => bare((await answer()).headers, (await answer()).body) };

// As many bytes, under the same names.
async function assertSame(name, program) {
  const { body, headers } = await answer(), reply = await askEcho(program);
  const text = await reply.text(), missing = headers.filter(([header]) => !reply.headers.has(header));
  if (text.length !== body.length || missing.length > 0) {
    throw new Error(`${name} answers ${text}, without ${missing.join(", ") || "no header"}`);
  }
}

export async function echo(how) {
  const results = {};
  for (const [name, make] of Object.entries(echoes)) {
    results[name] = await among([make], async (program) => {
      await assertSame(name, program);
      return load(program, "POST", "/echo", MESSAGE, how);
    });
  }
  const { paraph: ours, ...others } = results;
  const peers = Object.fromEntries(Object.entries(others).map(([name, { value }]) => [name, value]));
  return [{ ...ours, peers }];
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

export const durable = (how) => among([() => paraph()], async (program) => {
  const result = await load(program, "POST", "/", draft, how);
  const stored = await sql(program, "SELECT count(*) FROM document WHERE collection = 'email_drafts'");
  assertHappened("are stored", stored, result);
  return [{ ...result, peers: { "syncs of this disk": await syncs(program.dir) } }];
});

// With a minute for a pixel to count, instead of the 2 seconds after which an open is lost: on a busy
// machine all must be counted, too.
async function patientService() {
  const dir = join(workDir, "patient");
  const routes = await readFile(new URL("../../../scripts/routes.lua", import.meta.url), "utf8");
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, "routes.lua"), routes.replace("deadline = 2 ", "deadline = 60 "));
  return paraph({ SCRIPTS_DIR: dir, PIXEL_TRACKER_BASE_URL: "https://t.example.org" });
}

// Pixels of mails that were sent: every open is counted, or the bench fails.
export const pixel = (how) => among([patientService], async (program) => {
  const ids = [];
  for (let i = 0; i < 100; i++) ids.push((await post(program, send)).pixel_id);
  const paths = join(workDir, "pixels");
  await writeFile(paths, ids.map((id) => `/pixel?id=${id}\n`).join(""));
  const result = await load(program, "GET", "/pixel", `@${paths}`, how);
  assertHappened("are counted", await sql(program, "SELECT sum(json_extract(body, " +
    "'$.open_count')) FROM document WHERE collection = 'email_opens'"), result);
  return [result];
});
