// paraph key: makes an API key.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { bearer } from "./lib/identity.mjs";
import { run, start } from "./lib/service.mjs";

test("two lines: the key, and its entry of API_KEYS, which does not have it", async (t) => {
  const { code, stdout, stderr } = await run(t, ["key", "crm-2.x_y", "review", "draft", "review"]);
  assert.equal(code, 0, stderr);
  const [key, entry, ...more] = stdout.split("\n");
  assert.deepEqual(more, [""]);
  assert.match(key, /^paraph_[\w-]{43}$/);
  const hash = createHash("sha256").update(key).digest("hex");
  assert.equal(entry, `crm-2.x_y=draft+review:${hash}`);
  assert.ok(!stderr.includes(key) && stderr.includes("API_KEYS"));

  const service = await start(t, { AUTH: "key", API_KEYS: entry });
  assert.equal((await service.get("/drafts", bearer(key))).status, 200);
});

test("without a role it may draft; no two are alike", async (t) => {
  const runs = await Promise.all([1, 2].map(() => run(t, ["key", "agent"])));
  const entries = runs.map(({ stdout }) => stdout.split("\n"));
  assert.notEqual(entries[0][0], entries[1][0]);
  for (const [, entry] of entries) assert.match(entry, /^agent=draft:[0-9a-f]{64}$/);
});

test("--json is all of it in one object", async (t) => {
  const { code, stdout, stderr } = await run(t, ["key", "--json", "crm", "send", "draft"]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^\{.*\}\n$/);
  const { name, roles, secret, line, ...more } = JSON.parse(stdout);
  assert.deepEqual([name, roles, more], ["crm", ["draft", "send"], {}]);
  const hash = createHash("sha256").update(secret).digest("hex");
  assert.equal(line, `crm=draft+send:${hash}`);
});

test("wrong usage is exit 2, and makes no key", async (t) => {
  for (const [args, told] of [[[], /NAME/], [["a", "root"], /'root' is not one of: draft, send/],
    [["a", "draft+send"], /'draft\+send'/], [["a b"], /the name of a key/], [["ann@example.com"],
      /the name of a key/], [["x".repeat(65)], /the name of a key/], [[""], /the name of a key/],
    [["a", "draft", "send", "review", "ops", "draft"], /too many/]]) {
    const { code, stdout, stderr } = await run(t, ["key", ...args]);
    assert.deepEqual([code, stdout], [2, ""], args.join(" "));
    assert.match(stderr, told);
  }
});

test("it needs no configuration, and none that is wrong is in its way", async (t) => {
  assert.equal((await run(t, ["key", "a"], { PORT: "nonsense", AUTH: "nonsense" })).code, 0);
});
