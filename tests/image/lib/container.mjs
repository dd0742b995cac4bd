// The image as a container runtime sees it: its configuration, and its program run in it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { chown, copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { atEnd, begin, PARAPH, temporary } from "../../e2e/lib/service.mjs";
import { openTerminal } from "../../e2e/lib/terminal.mjs";

export const ROOT = process.env.IMAGE_ROOT; // where it is mounted
export const { config } = JSON.parse(readFileSync(process.env.IMAGE_JSON, "utf8")).OCIv1;

assert.deepEqual(config.Entrypoint, [PARAPH]); // as tests/image/run took it from there

const imageEnv = Object.fromEntries(config.Env.map((line) => line.split(/=(.*)/s).slice(0, 2)));

// What a runtime would mount: { wrap, dataDir }. `authorities`: a file in place of the bundle.
async function surroundings(t, { hosts = {}, nameserver = "127.0.0.1", authorities } = {}) {
  const dir = await temporary(t);
  const [dataDir, etc] = ["data", "etc"].map((name) => join(dir, name));
  await mkdir(dataDir);
  await mkdir(join(etc, "ssl/certs"), { recursive: true });
  if (authorities) await copyFile(authorities, join(etc, "ssl/certs/ca-certificates.crt"));
  const ids = config.User.split(":").map(Number);
  await chown(dataDir, ...ids);
  const names = Object.entries({ localhost: "127.0.0.1", ...hosts });
  await writeFile(join(etc, "hosts"), names.map(([name, ip]) => `${ip} ${name}\n`).join(""));
  await writeFile(join(etc, "resolv.conf"), `nameserver ${nameserver}\n`);
  const enter = new URL("../enter", import.meta.url).pathname;
  return { dataDir, wrap: ["unshare", "--mount", "--pid", "--fork", enter, ROOT, dataDir, etc,
    ids.join(":")] };
}

// The process in the container, as the machine numbers it: the only child of unshare.
export function inner({ pid }) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return Number(children || pid);
}

// A command in a container, begun. unshare takes no signals for it, so they go to it itself.
export async function enter(t, args, env = {}, options = {}) {
  const { dataDir, wrap } = await surroundings(t, options);
  const service = await begin(t, args, { ...imageEnv, ...env }, { wrap });
  service.dataDir = dataDir;
  service.described = false; // there is no program outside of the image that could describe it
  service.signal = (name) => process.kill(inner(service), name);
  atEnd(t, async () => {
    if (!service.ended) await service.stop();
    service.examine({ handsOut: args[0] === "key" });
  });
  return service;
}

// Its command run to its end: { code, stdout, stderr }.
export async function run(t, args, env, options) {
  const service = await enter(t, args, env, options);
  const { code } = await service.exited;
  return { code, stdout: service.stdout, stderr: service.stderr };
}

// What `docker run` of it gives, once it answers.
export const start = async (t, env, options) =>
  (await enter(t, config.Cmd, env, options)).ready();

// Its command on a terminal, as `docker exec -it` gives one.
export async function atTerminal(t, args) {
  const { wrap } = await surroundings(t);
  return openTerminal(t, args, { env: imageEnv, wrap });
}

// The `docker run` commands of a page, in their order: { args, env, volumes, ports, options }.
export function dockerRuns(page) {
  const blocks = [...page.matchAll(/^```sh\n([^]*?)^```/gm)].map(([, body]) => body);
  const lines = blocks.join("").replaceAll("\\\n", " ").split("\n");
  return lines.filter((line) => line.startsWith("docker run ")).map((line) => {
    const words = line.replace(/ +#.*/, "").split(/ +/).slice(2);
    const found = { env: {}, volumes: [], ports: [], options: [] };
    for (let word = words.shift(); word !== "paraph"; word = words.shift()) {
      assert.match(word ?? "the end", /^-/, `what is this in: ${line}`);
      if (word === "-e") Object.assign(found.env, Object.fromEntries([words.shift().split(/=(.*)/s)]));
      else if (word === "-v") found.volumes.push(words.shift());
      else if (word === "-p") found.ports.push(words.shift());
      else found.options.push(word);
    }
    return { ...found, args: words.length > 0 ? words : config.Cmd };
  });
}
