// Load, as wrk makes it.

import { BUILT, OTHERS, run } from "./programs.mjs";

const LOAD = new URL("../load.lua", import.meta.url).pathname;

const MOST = 30; // seconds, until one must have been answered

// A thousand connections are not all served in the first second; and wrk knows no parts of one.
const longEnough = (seconds, connections) => Math.max(Math.ceil(seconds), Math.ceil(connections / 150));

// { value (requests a second), p50, p99 (ms), requests, connections }. What is not 2xx, or broke off,
// is an error of the bench.
export async function load(program, method, path, body, { connections, seconds }) {
  const text = typeof body === "object" ? JSON.stringify(body) : body;
  const args = ["-c", OTHERS, "wrk", "-t1", `-c${connections}`, `-d${longEnough(seconds, connections)}s`, "--timeout", "60s",
    "-s", LOAD, program.url + path, "--", method, ...(text === undefined ? [] : [text])];
  const env = { ...process.env, LD_PRELOAD: `${BUILT}/spread.so` };
  const { stdout } = await run("taskset", args, { env, maxBuffer: 1 << 24 });
  const said = JSON.parse(stdout.trimEnd().split("\n").at(-1));
  if (said.requests + said.bad + said.broken === 0 && seconds < MOST) { // a busy machine
    return load(program, method, path, body, { connections, seconds: 2 * Math.ceil(seconds) });
  }
  if (said.bad + said.broken > 0 || said.requests === 0) {
    throw new Error(`${method} ${path}: ${said.requests} answered, ${said.bad} refused, ` +
      `${said.broken} broken off`);
  }
  return { value: said.requests / said.seconds, p50: said.p50, p99: said.p99,
    requests: said.requests, connections };
}
