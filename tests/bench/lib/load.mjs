// Load, as wrk makes it.

import { run, OTHERS } from "./programs.mjs";

const LOAD = new URL("../load.lua", import.meta.url).pathname;

export const MESSAGE = {
  to: "Ann <ann@example.com>", subject: "Hello from the bench",
  message: "Hi Ann!\n\nA few lines of text, as people write them.\n\nBest,\nBob",
};

// { rate, p50, p99 (ms), requests }. What is not 2xx, or broke off, is an error of the bench.
export async function load(program, method, path, body, { connections = 64, seconds }) {
  const text = typeof body === "object" ? JSON.stringify(body) : body;
  const args = ["-c", OTHERS, "wrk", "-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "30s",
    "-s", LOAD, program.url + path, "--", method, ...(text === undefined ? [] : [text])];
  const { stdout } = await run("taskset", args, { maxBuffer: 1 << 24 });
  const said = JSON.parse(stdout.trimEnd().split("\n").at(-1));
  if (said.bad + said.broken > 0) {
    throw new Error(`${method} ${path}: ${said.bad} refused, ${said.broken} broken off`);
  }
  return { rate: said.requests / said.seconds, p50: said.p50, p99: said.p99,
    requests: said.requests };
}
