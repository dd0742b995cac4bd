// The image, used: what is in it, and that it serves as it is: not as root, with nothing that it could
// write but /data, on either backend. tests/image/run builds it, and starts this.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import net from "node:net";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import tls from "node:tls";
import { promisify } from "node:util";
import { settings, standIn } from "../e2e/lib/google.mjs";
import { temporary } from "../e2e/lib/service.mjs";
import { CTRL_D } from "../e2e/lib/terminal.mjs";
import { atTerminal, config, dockerRuns, enter, inner, ROOT, run, start } from "./lib/container.mjs";
import { filesOf, libraries, total, weigh } from "./lib/content.mjs";
import { startDns } from "./lib/dns.mjs";

const SIZE_MAX = 35e6;
const LATE = ["libcrypto.so.3", "libcurl.so.4", "libedit.so.2"]; // opened when they are first needed
const HELLO = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!" };

const source = (name) => readFile(new URL(`../../${name}`, import.meta.url), "utf8");
const files = await filesOf(ROOT);
const figures = weigh(files);

// For tests/image/run to print.
after(() => {
  const width = Math.max(...figures.map(([what]) => what.length));
  return writeFile(process.env.IMAGE_TABLE, figures.map(([what, figure]) =>
    `${what.padEnd(width)}  ${figure.padStart(8)}\n`).join(""));
});

// --- what is in it ---------------------------------------------------------------------------------

test("one program, and nothing that anybody else could use", () => {
  const named = (pattern) => files.filter(({ path }) => pattern.test(path)).map(({ path }) => path);
  assert.deepEqual(named(/(^|\/)s?bin\/./), ["usr/bin/paraph"]);
  assert.deepEqual(named(/\.(a|h|hpp|la|o|pc|py|pl|sh)$/), []);
  const runnable = files.filter(({ mode, directory, path }) =>
    !directory && mode & 0o111 && !libraries(files).some((library) => library.path === path));
  assert.deepEqual(runnable.map(({ path }) => path), ["usr/bin/paraph"]);
});

test("nothing gives rights away", () => {
  const open = files.filter(({ mode, directory }) => mode & (directory ? 0o6002 : 0o6022));
  assert.deepEqual(open.map(({ path, mode }) => [path, mode]), [["tmp", 0o1777]]);
  const foreign = files.filter(({ uid }) => uid !== 0).map(({ path, uid }) => [path, uid]);
  assert.deepEqual(foreign, [["data", Number(config.User.split(":")[0])]]);
});

// What the dynamic sections of all of them name: { "libc.so.6": ["ld-linux-x86-64.so.2"], … }.
async function neededBy(paths) {
  const { stdout } = await promisify(execFile)("readelf",
    ["--wide", "--dynamic", ...paths.map((path) => join(ROOT, path))], { maxBuffer: 2 ** 24 });
  return Object.fromEntries(stdout.split("\nFile: ").slice(1).map((section) =>
    [basename(section.split("\n", 1)[0]),
      [...section.matchAll(/\(NEEDED\) .*\[(.*)\]/g)].map(([, name]) => name)]));
}

test("the libraries are those that are loaded, and no others", async () => {
  const there = libraries(files).map(({ path }) => path);
  const needed = await neededBy(["usr/bin/paraph", ...there]);
  const loader = there.map((path) => basename(path)).find((name) => name.startsWith("ld-linux"));
  const loaded = new Set([loader]);
  const load = (name) => {
    if (loaded.has(name)) return;
    loaded.add(name);
    assert.ok(needed[name], `${name} is missing`);
    needed[name].forEach(load);
  };
  [...needed.paraph, ...LATE].forEach(load);
  assert.deepEqual(there.map((path) => basename(path)).sort(), [...loaded].sort());
});

test("every package that is in it says its version and its licence", async () => {
  const packages = await readdir(join(ROOT, "var/lib/dpkg/status.d"));
  assert.ok(packages.length > 30, packages.join(" "));
  for (const name of packages) {
    const status = await readFile(join(ROOT, "var/lib/dpkg/status.d", name), "utf8");
    assert.match(status, new RegExp(`^Package: ${name.replaceAll("+", "\\+")}\n[^]*^Version: `, "m"));
  }
  const licensed = await readdir(join(ROOT, "usr/share/doc"));
  assert.deepEqual(licensed.sort(), [...packages, "paraph"].sort());
});

test("it is small", () => assert.ok(total(files) < SIZE_MAX, `${total(files)} bytes`));

test("what a runtime is told of it", async (t) => {
  assert.match(config.User, /^[1-9]\d+:[1-9]\d+$/);
  assert.equal(config.StopSignal, "SIGTERM");
  assert.deepEqual(config.Volumes, { "/data": {} });
  const [, version] = (await source("CMakeLists.txt")).match(/^project\(paraph VERSION ([\d.]+) /m);
  const label = (name) => config.Labels[`org.opencontainers.image.${name}`];
  assert.equal(label("version"), version);
  assert.equal(label("title"), "paraph");
  assert.equal(label("licenses"), "MIT");
  assert.ok(label("description"));
  assert.equal((await run(t, ["--version"])).stdout, `paraph ${version}\n`);
});

// --- that it works ----------------------------------------------------------------------------------

test("check passes", async (t) => {
  const { code, stdout, stderr } = await run(t, ["check", "--live"]);
  assert.equal(code, 0, stdout + stderr);
});

test("the tests of policies pass", async (t) => {
  const { code, stdout, stderr } = await run(t, ["test"]);
  assert.equal(code, 0, stdout + stderr);
});

test("at a terminal lines can be edited, in any characters", async (t) => {
  const terminal = await atTerminal(t, ["repl"]);
  assert.doesNotMatch(await terminal.until(/dry> $/), /dumb/);
  assert.match(await terminal.line('return "Grüße, 猫"'), /"Grüße, 猫"/);
  terminal.type(CTRL_D);
  assert.equal(await terminal.exited, 0);
});

test("without saying who may call, it does not listen to all", async (t) => {
  const { code, stderr } = await run(t, config.Cmd, { HOST: "0.0.0.0" });
  assert.equal(code, 2);
  assert.match(stderr, /\bAUTH\b/);
});

// docs/image.md, with what `docker run` does done by hand: on this machine only, on any port.
test("the page about it: a key, a service that wants it, a check", async (t) => {
  const [key, serve, check, ...more] = dockerRuns(await source("docs/image.md"));
  assert.deepEqual(more, []);
  const made = await run(t, key.args, key.env);
  assert.equal(made.code, 0, made.stderr);
  const [secret, line] = made.stdout.split("\n");

  assert.deepEqual(serve.options, ["--rm", "--read-only", "--cap-drop=ALL"]);
  assert.deepEqual(serve.volumes.map((volume) => volume.split(":")[1]), Object.keys(config.Volumes));
  assert.deepEqual(serve.ports.map((port) => `${port.split(":")[1]}/tcp`), Object.keys(config.ExposedPorts));
  const env = { ...serve.env, API_KEYS: serve.env.API_KEYS.replace('"$line"', line) };
  const checked = await run(t, ["check"], env);
  assert.equal(checked.code, 0, checked.stdout + checked.stderr);
  await serveWhoHas(t, secret, { ...env, HOST: "127.0.0.1" }, serve.args);

  const live = await run(t, check.args, check.env);
  assert.equal(live.code, 0, live.stdout + live.stderr);
});

// It serves, alone and without rights, and ends when it is told to; measured.
async function serveWhoHas(t, secret, env, args) {
  const began = performance.now();
  const service = await (await enter(t, args, env)).ready();
  assert.equal((await service.get("/ready")).status, 200);
  const ready = performance.now() - began;
  const memory = await idle(inner(service));

  const headers = { Authorization: `Bearer ${secret}` };
  assert.equal((await service.post("/", { ...HELLO, mode: "draft" })).status, 401);
  const draft = await service.post("/", { ...HELLO, mode: "draft" }, { headers });
  assert.equal(draft.status, 200, draft.text);
  const sent = await service.post("/send-draft", { draft_id: draft.json.draft_id }, { headers });
  assert.equal(sent.status, 200, sent.text);
  const direct = await service.post("/", { ...HELLO, mode: "send" }, { headers });
  assert.equal(direct.status, 200, direct.text);
  const pixel = await service.get(`/pixel?id=${sent.json.pixel_id}`);
  assert.equal(pixel.headers.get("content-type"), "image/gif", pixel.text);
  assert.equal((await service.outbox()).length, 2);

  const stopping = performance.now();
  await service.stop();
  figures.push(["from nothing to the first answer of /ready", `${ready.toFixed(0)} ms`],
    ["memory, idle", `${memory.toFixed(1)} MB`],
    ["from SIGTERM to the end, exit 0", `${(performance.now() - stopping).toFixed(0)} ms`]);
}

// What the process is allowed, and its memory in MB.
async function idle(pid) {
  const text = await readFile(`/proc/${pid}/status`, "utf8");
  const status = Object.fromEntries(text.trim().split("\n").map((line) => line.split(/:\s*/)));
  const [uid, gid] = config.User.split(":");
  assert.deepEqual([...new Set(status.Uid.split(/\s/))], [uid]);
  assert.deepEqual([...new Set(status.Gid.split(/\s/))], [gid]);
  assert.equal(Number(`0x${status.CapEff}`), 0);
  assert.equal(status.NSpid.split(/\s/).at(-1), "1");
  assert.equal(await readFile(`/proc/${pid}/task/${pid}/children`, "utf8"), "");
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(rollup.match(/^Rss: +(\d+) kB/m)[1]) / 1e3;
}

test("on Google: names come from /etc/hosts and from a name server", async (t) => {
  const dns = await startDns(t, "apis.test");
  const google = await standIn(t);
  const env = Object.fromEntries(Object.entries(google.env()).map(([name, url]) =>
    [name, url.replace("127.0.0.1", name === "GCE_METADATA_HOST" ? "metadata.test" : "apis.test")]));
  const options = { hosts: { "metadata.test": "127.0.0.1" }, nameserver: dns.address };
  const service = await start(t, { ...settings(google), ...env }, options);
  const id = await service.draft();
  const sent = await service.post("/send-draft", { draft_id: id });
  assert.equal(sent.status, 200, sent.text);
  assert.equal(google.mails().length, 1);
  assert.equal((await service.get(`/pixel?id=${sent.json.pixel_id}`)).status, 200);
  assert.deepEqual(google.document("email_opens", sent.json.pixel_id).open_count, { integerValue: "1" });
  assert.deepEqual([...dns.asked], ["apis.test"]);
});

// Gmail over TLS: { url, certificate } of who says it is apis.test, and passes all on.
async function startTls(t, port) {
  const dir = await temporary(t);
  const [key, certificate] = ["key.pem", "certificate.pem"].map((name) => join(dir, name));
  await promisify(execFile)("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt",
    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=apis.test",
    "-addext", "subjectAltName=DNS:apis.test"]);
  const server = tls.createServer({ key: await readFile(key), cert: await readFile(certificate) },
    (client) => {
      const plain = net.connect(port, "127.0.0.1");
      client.pipe(plain).pipe(client);
      for (const socket of [client, plain]) socket.on("error", () => client.destroy());
    });
  server.on("tlsClientError", () => {}); // who does not trust it leaves
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return { url: `https://apis.test:${server.address().port}`, certificate };
}

test("the authorities are those of the one file, which can be replaced", async (t) => {
  const google = await standIn(t);
  const { url, certificate } = await startTls(t, google.wires.gmail.port);
  const env = { ...settings(google), GMAIL_URL: url };
  const hosts = { "apis.test": "127.0.0.1" };
  const stranger = await run(t, ["check", "--live"], env, { hosts });
  assert.equal(stranger.code, 1, stranger.stdout);
  assert.match(stranger.stdout + stranger.stderr, /self[- ]signed certificate/);
  const known = await run(t, ["check", "--live"], env, { hosts, authorities: certificate });
  assert.equal(known.code, 0, known.stdout + known.stderr);
  const bundle = await readFile(join(ROOT, "etc/ssl/certs/ca-certificates.crt"), "utf8");
  assert.ok(bundle.split("BEGIN CERTIFICATE").length > 100);
});
