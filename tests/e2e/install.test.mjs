// `cmake --install`: a tree that works wherever it is put, and takes nothing for its own beside it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { PARAPH, put, run, temporary } from "./lib/service.mjs";

test("what is installed is all there, and works", async (t) => {
  const prefix = join(await temporary(t), "prefix");
  await promisify(execFile)("cmake", ["--install", dirname(PARAPH), "--prefix", prefix]);
  const found = await readdir(prefix, { recursive: true });
  for (const name of ["bin/paraph", "share/man/man1/paraph.1", "share/doc/paraph/LICENSE",
    "share/bash-completion/completions/paraph", "share/paraph/scripts/routes.lua"]) {
    assert.ok(found.includes(name), `no ${name} in ${found.join(" ")}`);
  }
  // As an administrator may have in /usr/local.
  for (const dir of [prefix, dirname(prefix)]) {
    await put(dir, "scripts/routes.lua", "error 'not ours'");
    await put(dir, "templates/x.html", "{{#not ours");
  }
  const installed = { wrap: ["sh", "-c", 'shift; exec "$0" "$@"', join(prefix, "bin/paraph")] };
  const check = await run(t, ["check", "--live"], {}, installed);
  assert.equal(check.code, 0, check.stdout + check.stderr);
  assert.ok((await run(t, ["test"], {}, installed)).stdout.length > 0);
});
