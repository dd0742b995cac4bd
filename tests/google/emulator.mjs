// Google's own Firestore emulator, where the Google Cloud SDK has it: the judge of the stand-in.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const START_MS = 60_000;

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

async function program() {
  try {
    const { stdout } = await promisify(execFile)("gcloud",
      ["info", "--format=value(installation.sdk_root)"], { timeout: START_MS });
    const path = join(stdout.trim(), "platform/cloud-firestore-emulator/cloud_firestore_emulator");
    return existsSync(path) ? path : null;
  } catch {
    return null;
  }
}

async function answers(url) {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

// { address, stop } or { missing: why }. FIRESTORE_EMULATOR_HOST names one that runs already.
export async function startEmulator() {
  const running = process.env.FIRESTORE_EMULATOR_HOST;
  if (running) return { address: running, stop: async () => {} };
  const path = await program();
  if (!path) return { missing: "the Google Cloud SDK with cloud-firestore-emulator" };
  const port = await freePort();
  const child = spawn(path,
    ["start", "--host=127.0.0.1", `--port=${port}`, "--database-mode=firestore-native"],
    { stdio: "ignore", detached: true }); // a shell and a Java: a group to be ended together
  const exited = once(child, "exit");
  const stop = async () => {
    if (child.exitCode === null) process.kill(-child.pid, "SIGKILL");
    await exited;
  };
  const address = `127.0.0.1:${port}`;
  for (const until = Date.now() + START_MS; Date.now() < until; await sleep(200)) {
    if (await answers(`http://${address}/`)) return { address, stop };
    if (child.exitCode !== null) return { missing: "Java for the emulator" };
  }
  await stop();
  return { missing: "an emulator that starts within a minute" };
}
