// First figures: requests per second and latency of the program on the embedded pair, measured by
// wrk on the same machine; what a reload costs. PARAPH names the binary, BENCH_SECONDS and
// BENCH_CONNECTIONS the load.

import { spawn } from "node:child_process";
import { on, once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const PARAPH = process.env.PARAPH ?? "build/paraph";
const SECONDS = process.env.BENCH_SECONDS ?? "5";
const CONNECTIONS = process.env.BENCH_CONNECTIONS ?? "64";
const DRAFT = new URL("drafts.lua", import.meta.url).pathname;

const dataDir = await mkdtemp(join(tmpdir(), "paraph-bench-"));

// A service that is ready.
async function serve(env = {}) {
  const service = spawn(PARAPH, ["serve"], {
    env: { PATH: process.env.PATH, DATA_DIR: dataDir, PORT: "0", LOG_FORMAT: "json", ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const lines = createInterface({ input: service.stderr });
  const port = await new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      if (line.includes('"message":"ready"')) resolve(JSON.parse(line).port);
    });
    service.on("exit", (code) => reject(new Error(`the service ended with ${code}`)));
  });
  const stop = async () => {
    service.removeAllListeners("exit");
    service.kill("SIGTERM");
    await once(service, "exit");
  };
  return { port, pid: service.pid, lines, stop };
}

const { port, pid, stop } = await serve();

async function memory() {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const kib = (name) => Number(status.match(new RegExp(`^${name}:\\s+(\\d+)`, "m"))[1]);
  return `${(kib("VmRSS") / 1024).toFixed(1)} MiB now, ${(kib("VmHWM") / 1024).toFixed(1)} at most`;
}

async function wrk(what, path, ...options) {
  const args = ["-t1", `-c${CONNECTIONS}`, `-d${SECONDS}s`, "--latency", ...options,
    `http://127.0.0.1:${port}${path}`];
  const child = spawn("wrk", args, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk) => { text += chunk; });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`wrk: exit ${code}`);
  const figure = (pattern) => text.match(pattern)?.[1] ?? "?";
  const failed = text.match(/Non-2xx or 3xx responses: (\d+)/)?.[1] ?? "0";
  const rate = figure(/Requests\/sec:\s+([\d.]+)/).padStart(10);
  const median = figure(/50%\s+(\S+)/), p99 = figure(/99%\s+(\S+)/);
  console.log(`${what.padEnd(26)}${rate}/s   p50 ${median}, p99 ${p99}   ${failed} failed`);
}

// What loading all scripts and templates anew costs, and what looking at them without a change.
async function reload(times) {
  const service = await serve({ LOG_LEVEL: "debug", RELOAD_INTERVAL: "0" });
  const looks = [], loads = [];
  let bytes;
  for (let i = 0; i < times; i++) {
    process.kill(service.pid, "SIGHUP");
    for await (const [line] of on(service.lines, "line")) {
      const event = JSON.parse(line);
      if (event.message === "scripts looked at") looks.push(event.ms);
      if (event.message !== "scripts reloaded") continue;
      loads.push(event.ms);
      bytes = event.bytes;
      break;
    }
  }
  await service.stop();
  const ms = (all) => {
    all.sort((a, b) => a - b);
    return `p50 ${all[all.length >> 1].toFixed(2)}ms, at most ${all.at(-1).toFixed(2)}ms`;
  };
  console.log(`a look without a change    ${ms(looks)}, on another thread`);
  const kib = (bytes / 1024).toFixed(0);
  console.log(`a reload, load and swap    ${ms(loads)}; ${kib} KiB a generation`);
}

// What the policies cost of a request: policies_test.lua, in the host that runs them.
async function policies() {
  const child = spawn(PARAPH, ["test", "--real", new URL(".", import.meta.url).pathname],
    { stdio: ["ignore", "inherit", "inherit"] });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`paraph test: exit ${code}`);
}

console.log(`${CONNECTIONS} connections, ${SECONDS} s each, ${cpus().length} cores shared with wrk`);
console.log(`memory: ${await memory()}`);
await wrk("GET /health", "/health");
await wrk("GET /pixel, unknown id", "/pixel?id=6ba7b810-9dad-41d1-80b4-00c04fd430c8");
await wrk("POST /, a draft, durable", "/", "-s", DRAFT);
await wrk("GET /drafts?limit=50", "/drafts?limit=50");
console.log(`memory: ${await memory()}`);

await stop();
await reload(50);
await policies();
await rm(dataDir, { recursive: true, force: true });
