// tests/lua/store_test.lua, which `paraph test` runs on SQLite, in a service on Firestore.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { start } from "../e2e/lib/backends.mjs";
import { file, overlay } from "../e2e/lib/service.mjs";

const scripts = await overlay(file, {
  "store_test.lua": await readFile(new URL("../lua/store_test.lua", import.meta.url), "utf8"),
  "paraph/testing.lua": `
    local json = require "paraph.json"
    local function blob(text) return json.decode(json.encode { text }, { blobs = "*" })[1] end
    return { blob = blob }`,
  "routes.lua": `
    local tests = require "store_test"
    local function list()
      local names = {}
      for name in pairs(tests) do names[#names + 1] = name end
      return { json = names }
    end
    local function run(req)
      tests[req.body:string()]()
      return { json = { status = "ok" } }
    end
    return {
      { "GET", "/tests", handler = list, access = "public" },
      { "POST", "/tests", handler = run, access = "public" },
    }`,
});
const service = await start(file, { SCRIPTS_DIR: scripts }, { indexes: null }); // all of them

for (const name of (await service.get("/tests")).json) {
  test(name, async () => {
    const reply = await service.request("POST", "/tests", { body: name });
    if (reply.status === 200) return;
    const { error } = await service.event((e) =>
      e.request_id === reply.headers.get("x-request-id") && e.error, reply.text);
    assert.fail(error);
  });
}
