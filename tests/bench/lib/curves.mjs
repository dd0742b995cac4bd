// Curves, not points: throughput and memory against connections, latency against the size of a body.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { among, draft, MESSAGE, post, send, service } from "./bed.mjs";
import { draw } from "./chart.mjs";
import { load } from "./load.mjs";
import { upstream } from "./programs.mjs";
import { echoes } from "./traffic.mjs";

// [[step, measure(step)], …], one after the other.
async function along(steps, measure) {
  const points = [];
  for (const step of steps) points.push([step, await measure(step)]);
  return points;
}

const pick = (points, name) => points.map(([at, figures]) => [at, figures[name]]);

const onGoogle = (body) => among([() => upstream(), service()], (google, program) => body(program));

// A service of its own for each number of connections, for its memory.
const byConnections = (steps, seconds, message) => along(steps, (connections) =>
  onGoogle(async (program) => {
    await post(program, message);
    const result = await load(program, "POST", "/", message, { seconds, connections });
    return { ...result, memory: (await program.memory()).most };
  }));

async function throughputAndMemory(steps, seconds) {
  const kinds = { drafts: await byConnections(steps, seconds, draft),
    sends: await byConnections(steps, seconds, send) };
  const series = (figure) => Object.entries(kinds).map(([name, points]) =>
    ({ name, points: pick(points, figure) }));
  return {
    "throughput.svg": { title: "Throughput, one core, Google played by nginx", x: "connections", y: "answers a second",
      series: series("value") },
    "memory.svg": { title: "Memory at most, under the same load", x: "connections", y: "MiB",
      series: series("memory") },
  };
}

async function echo(programs, steps, seconds) {
  const series = [];
  for (const [name, make] of programs) {
    series.push({ name, points: await among([make], (program) => along(steps, async (connections) =>
      (await load(program, "POST", "/echo", MESSAGE, { seconds, connections })).value)) });
  }
  return { "echo.svg": { title: "JSON in, Lua, JSON out", x: "connections", y: "answers a second", series } };
}

const CONNECTIONS = 16;

const bySize = (program, path, message, sizes, seconds) => along(sizes, (size) =>
  load(program, "POST", path, { ...message, message: "x".repeat(size) },
    { seconds, connections: CONNECTIONS }));

async function latency(programs, sizes, seconds) {
  const drafts = await onGoogle((program) => bySize(program, "/", draft, sizes, seconds));
  const series = [{ name: "draft, p99", points: pick(drafts, "p99") },
    { name: "draft, p50", points: pick(drafts, "p50") }];
  for (const [name, make] of programs) {
    const points = await among([make], (program) => bySize(program, "/echo", MESSAGE, sizes, seconds));
    series.push({ name: `JSON, ${name}, p50`, points: pick(points, "p50") });
  }
  return { "latency.svg": { title: `Latency, ${CONNECTIONS} connections`, x: "bytes of the message",
    y: "ms", log: true, series } };
}

// Draws the pictures into a directory, and gives them.
export async function curves(dir, { seconds, smoke, say }) {
  const steps = smoke ? [2, 8] : [1, 4, 16, 64, 256, 1000];
  const sizes = smoke ? [1000, 100000] : [100, 1000, 10000, 100000];
  const programs = Object.entries(echoes).slice(0, smoke ? 1 : undefined); // a row asks all of them
  say("curves: throughput and memory");
  const pictures = await throughputAndMemory(steps, seconds);
  say("curves: JSON");
  Object.assign(pictures, await echo(programs, steps, seconds));
  say("curves: latency");
  Object.assign(pictures, await latency(programs, sizes, seconds));
  await mkdir(dir, { recursive: true });
  for (const [name, picture] of Object.entries(pictures)) await writeFile(join(dir, name), draw(picture));
  return pictures;
}
