// The programs of the bench: each on its core, started on a free port, ended by pid.

import { execFile, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const HERE = new URL("..", import.meta.url).pathname;
export const PARAPH = process.env.PARAPH ?? "build/paraph";
export const BUILT = join(dirname(PARAPH), "tests/bench"); // of CMakeLists.txt here
export const run = promisify(execFile);

// The server has one core; whoever loads it, and what it calls, the other.
export const [SERVER, OTHERS] = cpus().length > 1 ? ["0", "1"] : ["0", "0"];

const running = new Set();
export const workDir = await mkdtemp(join(tmpdir(), "paraph-bench-"));

export async function end() {
  await Promise.all([...running].map((program) => program.stop()));
  await rm(workDir, { recursive: true, force: true });
}

// Below those that the kernel gives to who connects: who tries to connect until somebody listens would
// be connected to himself in the end.
export async function freePort() {
  for (;;) {
    const port = randomInt(10000, 32768), server = net.createServer();
    const free = await new Promise((resolve) => {
      server.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!free) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}

// Until somebody listens there.
export async function listening(port, child) {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} has ended: ${child.exitCode}`);
    const socket = net.connect(port, "127.0.0.1");
    const up = await new Promise((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

// On a core of its own, or on any.
export function start(core, command, args, { env = {}, port, ...options } = {}) {
  const [first, ...rest] = [...(core ? ["taskset", "-c", core] : []), command, ...args];
  const child = spawn(first, rest,
    { env: { PATH: process.env.PATH, ...env }, stdio: ["ignore", "ignore", "inherit"], ...options });
  const program = {
    child, pid: child.pid, port, url: `http://127.0.0.1:${port}`,
    async stop() {
      running.delete(program);
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGTERM");
        await once(child, "exit");
      }
    },
    // { now, most } in MiB
    async memory() {
      const status = await readFile(`/proc/${child.pid}/status`, "utf8");
      const mib = (name) => Number(status.match(new RegExp(`^${name}:\\s+(\\d+)`, "m"))[1]) / 1024;
      return { now: mib("VmRSS"), most: mib("VmHWM") };
    },
  };
  running.add(program);
  return program;
}

async function nginx(core, name, values = {}) {
  const port = await freePort(), dir = await mkdtemp(join(workDir, "nginx-"));
  await mkdir(join(dir, "body"));
  const modules = ["ndk_http_module", "ngx_http_lua_module"]
    .map((module) => `load_module /usr/lib/nginx/modules/${module}.so;`).join("\n");
  const user = process.getuid() === 0 ? "user root;" : "";
  let text = await readFile(join(HERE, "nginx", `${name}.conf`), "utf8");
  for (const [key, value] of Object.entries({ DIR: dir, PORT: port, MODULES: `${user}\n${modules}`, ...values })) {
    text = text.replaceAll(`@${key}@`, value);
  }
  const config = join(dir, "nginx.conf");
  await writeFile(config, text);
  const program = start(core, "nginx", ["-p", dir, "-c", config, "-e", "stderr"], { port });
  await listening(port, program.child);
  return program;
}

// The stand-in for Google, which answers after so many seconds.
export const upstream = (delay = 0) => nginx(OTHERS, "upstream", { DELAY: delay });

// Peers that answer with these headers ([[name, value], …]): nginx with Lua, and libmicrohttpd alone.
export const nginxEcho = (headers) => nginx(SERVER, "echo",
  { HEADERS: headers.map(([name, value]) => `add_header ${name} "${value}";`).join("\n      ") });

export async function bare(headers, body) {
  const port = await freePort();
  const program = start(SERVER, join(BUILT, "bare"), [String(port), body, ...headers.flat()], { port });
  await listening(port, program.child);
  return program;
}

// A service in Node, on the stand-in for Google.
export const NODE = [process.execPath, join(HERE, "peer.mjs")];
export const onNode = (google) => ({ GOOGLE: `127.0.0.1:${google.port}` });

export async function node(google) {
  const port = await freePort(), [command, ...args] = NODE;
  const program = start(SERVER, command, args, { port, env: { PORT: String(port), ...onNode(google) } });
  await listening(port, program.child);
  return program;
}

// Each API has a host of its own, as at Google; all are the stand-in.
export const onGoogle = ({ port }) => ({
  BACKEND: "google", GMAIL_USER: "sender@example.com", GOOGLE_CLOUD_PROJECT: "bench",
  GOOGLE_SERVICE_ACCOUNT_EMAIL: "paraph@bench.iam.gserviceaccount.com",
  PIXEL_TRACKER_BASE_URL: "https://t.example.org", GCE_METADATA_HOST: `127.0.0.1:${port}`,
  OAUTH_TOKEN_URL: `http://127.0.0.1:${port}/token`, IAM_CREDENTIALS_URL: `http://127.0.0.1:${port}`,
  FIRESTORE_URL: `http://127.0.0.2:${port}`, GMAIL_URL: `http://127.0.0.3:${port}`,
});

// The service, listening; maybe under a tool: [command, argument, …].
export async function paraph(env = {}, under = []) {
  const port = await freePort(), dir = await mkdtemp(join(workDir, "data-"));
  const [command, ...args] = [...under, PARAPH, "serve"];
  const program = start(SERVER, command, args,
    { port, env: { PORT: String(port), DATA_DIR: dir, LOG_LEVEL: "error", ...env } });
  program.dir = dir;
  await listening(port, program.child);
  return program;
}
