// Figures of the program by itself: how fast it starts and loads its scripts, what memory it has.

import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";
import { among, counts, draft, median, post, send, service } from "./bed.mjs";
import { freePort, onGoogle, PARAPH, paraph, start, upstream, workDir } from "./programs.mjs";

// The first bytes of the answer; undefined: nobody listens yet. Without anything that would take
// time of its own.
function ask(port, request) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write(request));
    socket.once("data", (bytes) => {
      resolve(bytes.toString());
      socket.destroy();
    }).once("error", () => resolve(undefined));
  });
}

// From exec to the first answer, which must be a 200.
async function coldStart(env, request) {
  const port = await freePort(), began = performance.now();
  const program = start(null, PARAPH, ["serve"], { port,
    env: { PORT: String(port), DATA_DIR: join(workDir, "cold"), LOG_LEVEL: "error", ...env } });
  let answer;
  while (answer === undefined) answer = await ask(port, request);
  const ms = performance.now() - began;
  await program.stop();
  if (!answer.startsWith("HTTP/1.1 200")) throw new Error(answer);
  return ms;
}

async function coldStarts(times, env, request) {
  const starts = [];
  for (let i = 0; i < times; i++) starts.push(await coldStart(env, request));
  return [{ value: median(starts), unit: "ms",
    note: `${Math.min(...starts).toFixed(1)} to ${Math.max(...starts).toFixed(1)}` }];
}

export const startReady = ({ times }) =>
  coldStarts(times, {}, "GET /ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");

export const startDraft = ({ times }) => among([() => upstream()], (google) => {
  const body = JSON.stringify(draft);
  return coldStarts(times, onGoogle(google), "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n" +
    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
});

export const idle = () => among([() => paraph()], async (program) => {
  await fetch(`${program.url}/ready`);
  return [{ value: (await program.memory()).now, unit: "MiB" }];
});

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
