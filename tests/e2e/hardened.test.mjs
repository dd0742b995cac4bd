// What the compiler and the linker were told to do against attacks, read from the program itself.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { promisify } from "node:util";
import { isInstrumented, PARAPH } from "./lib/service.mjs";

async function readelf(...options) {
  const { stdout } = await promisify(execFile)("readelf", ["--wide", ...options, PARAPH],
    { env: { ...process.env, LC_ALL: "C" }, maxBuffer: 2 ** 27 });
  return stdout;
}

test("the program is loaded at a random address", async () => {
  assert.match(await readelf("--file-header"), /^ +Type: +DYN /m);
  assert.match(await readelf("--dynamic"), /\(FLAGS_1\) .*\bPIE\b/);
});

test("tables that calls go through are read-only once it runs", async () => {
  assert.match(await readelf("--program-headers"), /^ +GNU_RELRO /m);
  const dynamic = await readelf("--dynamic");
  assert.match(dynamic, /BIND_NOW|\(FLAGS_1\) .*\bNOW\b/);
  assert.doesNotMatch(dynamic, /TEXTREL|RPATH|RUNPATH/);
});

test("no memory of it is writable and executable, the stack least of all", async () => {
  const headers = await readelf("--program-headers");
  const segments = [...headers.matchAll(/^ +([A-Z_]+)(?: +0x[0-9a-f]+){5} ([R ][W ][E ])/gm)]
    .map(([, type, flags]) => ({ type, flags }));
  assert.ok(segments.some(({ type }) => type === "GNU_STACK"), headers);
  assert.ok(segments.some(({ flags }) => flags === "R E"), headers);
  for (const { type, flags } of segments) assert.notEqual(flags, "RWE", type);
});

test("overflows of the stack and of known buffers end it", async () => {
  const symbols = await readelf("--dyn-syms");
  assert.match(symbols, /\b__stack_chk_fail@/);
  // The sanitizers look closer than fortified calls do, and stand in their way.
  if (!await isInstrumented()) {
    assert.match(symbols, /\b__(v?snprintf|memcpy|strcpy|read|realpath)_chk@/);
  }
});

// endbr64 opens what may be jumped to. Whether the machine insists is up to libc and the kernel.
if (process.arch === "x64") {
  test("what may be jumped to is marked", async () => {
    const marks = (await readFile(PARAPH)).toString("latin1").split("\xf3\x0f\x1e\xfa").length;
    assert.ok(marks > 500, `only ${marks} marks`);
  });
}
