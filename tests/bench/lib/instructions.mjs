// Instructions of a request, and whose they are, as callgrind counts them: a figure that does not
// depend on how busy the machine is. Counted from the first request that finds everything warm until
// the last one is answered.

import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { among, draft, MESSAGE, post, send, service } from "./bed.mjs";
import { BUILT, run, upstream, workDir } from "./programs.mjs";
import { echoService } from "./traffic.mjs";

const CLIENTS = 16, SHOWN = 0.02;

// Looking at the scripts every second would count more, the slower the tool makes the program.
const QUIET = { RELOAD_INTERVAL: "0" };

// So many requests, of which CLIENTS are under way at once.
async function ask(program, path, body, requests) {
  let left = requests;
  const client = async () => {
    while (left-- > 0) await post(program, body, path);
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}

const NAMES = { "lua5.4": "Lua", crypto: "OpenSSL", ssl: "OpenSSL", microhttpd: "libmicrohttpd" };

// "Lua" of /usr/lib/x86_64-linux-gnu/liblua5.4.so.0.0.0; of libc, malloc is told apart.
function owner(object, name) {
  const library = basename(object).replace(/^lib/, "").replace(/\.so.*/, "");
  if (library === "c") return /alloc|free|chunk/.test(name) ? "malloc" : "libc";
  return NAMES[library] ?? library;
}

// { all, "Lua": … }, from lines like " 1,234 ( 5.6%)  file.c:function [/usr/lib/library.so]".
function byOwner(report) {
  const sums = { all: Number(report.match(/^ *([\d,]+) .*PROGRAM TOTALS/m)[1].replaceAll(",", "")) };
  for (const [, count, name, object] of report.matchAll(/^ *([\d,]+) \(.*?%\) +(\S+).*\[(.*)\]$/mg)) {
    const whose = owner(object, name);
    sums[whose] = (sums[whose] ?? 0) + Number(count.replaceAll(",", ""));
  }
  return sums;
}

// What callgrind wrote stays beside the programs of the bench, for who wants to look closer.
async function instructions(name, make, path, body, requests) {
  const out = join(BUILT, `${name}.callgrind`);
  const under = ["valgrind", "--tool=callgrind", "--instr-atstart=no", `--callgrind-out-file=${out}`,
    `--log-file=${join(workDir, "valgrind.log")}`];
  await among(make(under), async (...programs) => {
    const program = programs.at(-1);
    const count = (how) => run("callgrind_control", ["-i", how, String(program.pid)]);
    await ask(program, path, body, requests);
    await count("on");
    await ask(program, path, body, requests);
    await count("off");
  });
  const { stdout } = await run("callgrind_annotate", ["--threshold=100", out], { maxBuffer: 1 << 26 });
  const { all, ...owners } = byOwner(stdout);
  const shares = Object.entries(owners).map(([name, n]) => [name, n / all])
    .filter(([, share]) => share > SHOWN).sort((a, b) => b[1] - a[1]);
  return [{ value: all / requests / 1000, unit: "thousand",
    note: shares.map(([name, share]) => `${name} ${(100 * share).toFixed(0)} %`).join(", ") }];
}

const onGoogle = (under) => [() => upstream(), service(QUIET, under)];

export const ofDraft = ({ requests }) => instructions("draft", onGoogle, "/", draft, requests);
export const ofSend = ({ requests }) => instructions("send", onGoogle, "/", send, requests);
export const ofEcho = ({ requests }) =>
  instructions("json", (under) => [() => echoService(QUIET, under)], "/echo", MESSAGE, requests);
