// Figures of the program by itself: how fast it starts and loads its scripts, what memory it has.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { among, counts, draft, median, post, send, service } from "./bed.mjs";
import { BUILT, freePort, NODE, node, onGoogle, onNode, PARAPH, paraph, run, upstream, workDir }
  from "./programs.mjs";

const request = (method, path, body = "") => `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
  `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

const DRAFT = request("POST", "/", JSON.stringify(draft)), READY = request("GET", "/ready");

// From exec, on any core, to the first answer, which must be a 200. Node would take its time.
async function coldStart(command, env, asked) {
  const port = await freePort();
  const { stdout } = await run(join(BUILT, "launch"), [String(port), asked, ...command],
    { env: { PATH: process.env.PATH, PORT: String(port), ...env } });
  const [, ms, answer] = stdout.match(/^(\S+) (.*)\n$/);
  if (!answer.startsWith("HTTP/1.1 200")) throw new Error(answer);
  return Number(ms);
}

async function coldStarts(times, ...how) {
  const starts = [];
  for (let i = 0; i < times; i++) starts.push(await coldStart(...how));
  return { value: median(starts), unit: "ms",
    note: `${Math.min(...starts).toFixed(1)} to ${Math.max(...starts).toFixed(1)}` };
}

const SERVE = [PARAPH, "serve"], QUIET = { DATA_DIR: join(workDir, "cold"), LOG_LEVEL: "error" };

export const startReady = async ({ times }) => [await coldStarts(times, SERVE, QUIET, READY)];

export const startDraft = ({ times }) => among([() => upstream()], async (google) => {
  const ours = await coldStarts(times, SERVE, { ...QUIET, ...onGoogle(google) }, DRAFT);
  const theirs = await coldStarts(Math.ceil(times / 3), NODE, onNode(google), DRAFT);
  return [{ ...ours, peers: { Node: theirs.value } }];
});

export async function idle() {
  const ours = await among([() => paraph()], async (program) => {
    await fetch(`${program.url}/ready`);
    return (await program.memory()).now;
  });
  const theirs = await among([() => upstream(), node], async (google, program) =>
    (await program.memory()).now);
  return [{ value: ours, unit: "MiB", peers: { Node: theirs } }];
}

// An attachment of so many MiB, sent at once: how much memory that takes at most, of its size.
export const attachment = ({ mib }) => among([() => upstream(), service({ MAX_BODY_BYTES: "104857600" })],
  async (google, program) => {
    const before = (await program.memory()).now;
    const content = Buffer.alloc(mib << 20, "x").toString("base64");
    await counts(google);
    const began = performance.now();
    await post(program, { ...send, attachments: [{ filename: "x.bin", content }] });
    const ms = performance.now() - began;
    const { now, most } = await program.memory();
    if ((await counts(google)).send !== 1) throw new Error("the attachment was not sent once");
    return [{ value: (most - before) / mib, unit: "times",
      note: `in ${ms.toFixed(0)} ms; then ${((now - before) / mib).toFixed(1)} times` }];
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
  return [{ value: median(loads), unit: "ms" }];
}
