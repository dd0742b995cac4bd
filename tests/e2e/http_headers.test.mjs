// What every answer says to browsers, and what it does not say of us.

import assert from "node:assert/strict";
import { test } from "node:test";
import { file, overlay, start } from "./lib/service.mjs";
import { answers, get } from "./lib/wire.mjs";

const ALWAYS = {
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "same-origin",
  "x-frame-options": "DENY",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

const service = await start(file, { ENABLE_TRACKING: "true", PIXEL_BASE_URL: "https://p.example" });

function assertHeaders(reply, expected) {
  for (const [name, value] of Object.entries(expected))
    assert.equal(reply.headers.get(name), value, name);
  for (const name of ["server", "x-powered-by", "via"]) assert.equal(reply.headers.get(name), null);
}

test("every answer has them, whatever became of the request", async () => {
  for (const reply of [await service.get("/health"), await service.head("/health"),
    await service.get("/drafts"), await service.get("/nope"), await service.post("/health", {}),
    await service.post("/", {}), ...answers(await service.raw("GET / HTTP/1.1\r\n\r\n")),
    ...answers(await service.raw(get("Content-Length: x\r\n")))])
    assertHeaders(reply, { ...ALWAYS, "strict-transport-security": null });
});

test("the pixel may be shown by others, and says itself what may keep it", async () => {
  const reply = await service.get("/pixel?id=6ba7b810-9dad-41d1-80b4-00c04fd430c8");
  assertHeaders(reply, {
    ...ALWAYS,
    "cross-origin-resource-policy": "cross-origin",
    "cache-control": "no-cache, no-store, must-revalidate, max-age=0, private",
  });
});

test("only what came by https asks for https", async () => {
  const ask = async (scheme) => (await service.get("/health", {
    headers: { "X-Forwarded-Proto": scheme },
  })).headers.get("strict-transport-security");
  assert.equal(await ask("https"), "max-age=31536000");
  assert.equal(await ask("http"), null);
});

test("a handler's own stay, in any case, however many there are", async (t) => {
  const many = Array.from({ length: 13 }, (_, i) => `["X-${i}"] = "y"`).join(", ");
  const own = await start(t, { SCRIPTS_DIR: await overlay(t, { "routes.lua": `
    return {
      { "GET", "/own", access = "public", serve = "all", handler = function()
        return { json = {}, headers = { ["CACHE-CONTROL"] = "max-age=60",
          ["content-security-policy"] = "default-src 'self'", ${many} } }
      end },
    }` }) });
  const reply = await own.get("/own");
  assertHeaders(reply, {
    ...ALWAYS, "cache-control": "max-age=60", "content-security-policy": "default-src 'self'",
    "x-12": "y",
  });
  assert.ok(reply.headers.get("x-request-id"));
});
