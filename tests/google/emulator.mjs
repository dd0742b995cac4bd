// Google's own Firestore emulator, where the Google Cloud SDK has it: the judge of the stand-in and
// of the program.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, realpathSync } from "node:fs";
import net from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const JAR = "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar";
const MAIN = "com.google.cloud.datastore.emulator.firestore.CloudFirestore";
// It understands only English; and it runs for a minute, which the faster compiler suits.
const JVM = ["-Duser.language=en", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
const START_MS = 120_000;

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

// The first program of this name in the PATH, where it really lies.
function which(name) {
  const path = process.env.PATH.split(":").map((dir) => join(dir, name)).find(existsSync);
  return path && realpathSync(path);
}

function findJar() {
  if (process.env.FIRESTORE_EMULATOR_JAR) return process.env.FIRESTORE_EMULATOR_JAR;
  const gcloud = which("gcloud"); // bin/gcloud of the SDK
  return gcloud && join(dirname(gcloud), "..", JAR);
}

async function answers(url) {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

// { address, stop }, or { missing: what }. FIRESTORE_EMULATOR_HOST names one that runs already.
export async function startEmulator() {
  const running = process.env.FIRESTORE_EMULATOR_HOST;
  if (running) return { address: running, stop: async () => {} };
  const jar = findJar();
  if (!jar || !existsSync(jar)) {
    return { missing: "cloud-firestore-emulator of the Google Cloud SDK" };
  }
  if (!which("java")) return { missing: "Java for the Firestore emulator" };
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn("java", [...JVM, "-cp", jar, MAIN, "start", "--host=127.0.0.1",
    `--port=${address.split(":")[1]}`, "--database-mode=firestore-native"], { stdio: "ignore" });
  const exited = once(child, "exit");
  const stop = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  for (const until = Date.now() + START_MS; Date.now() < until; await sleep(100)) {
    if (await answers(`http://${address}/`)) return { address, stop };
    if (child.exitCode !== null) break;
  }
  await stop();
  throw new Error(`the Firestore emulator is there (${jar}), but does not start`);
}
