// GET /openapi.json: valid, complete, and true. That answers are as described, each test of the
// service looks at (lib/described.mjs).

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { apiKeys } from "./lib/identity.mjs";
import { assertRefused, description, file, overlay, start } from "./lib/service.mjs";

const EXAMPLE_ID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8";

const service = await start(file);
const described = await description();
const { doc } = described;

const read = (name) => readFile(new URL(`../../${name}`, import.meta.url), "utf8");

// Each operation: { method, path, at, operation }, where it stands in the description.
const operations = Object.entries(doc.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([verb, operation]) =>
    ({ method: verb.toUpperCase(), path, at: ["paths", path, verb], operation })));

const schemaAt = ({ at }) => described.schema(...at, "requestBody", "content", "application/json",
  "schema");

// --- the document --------------------------------------------------------------------------------

test("it is OpenAPI 3.1", async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(doc));
  assert.ok(valid, JSON.stringify(errors, null, 1));
  assert.equal(validator.version, "3.1");
});

test("every route but those of the pages is in it, with its roles", async () => {
  const routes = [...(await read("scripts/routes.lua")).matchAll(
    /^ {2}\{ "(\w+)", "([^"]+)", handler = (\w+)\.\w+, access = (\{[^}]*\}|"\w+")(.*)\},$/gm)];
  const pages = new Set([...(await read("scripts/routes.lua")).matchAll(
    /^local (\w+) = require "pages\./gm)].map(([, name]) => name));
  const wanted = routes.filter(([, , , module]) => !pages.has(module));
  assert.ok(wanted.length >= 13 && routes.length > wanted.length, `${wanted.length} routes`);
  assert.deepEqual(operations.map(({ method, path }) => `${method} ${path}`).sort(),
    wanted.map(([, method, path]) => `${method} ${path}`).sort());

  const { env } = await apiKeys(file, { x: ["ops"] });
  const keyed = (await (await start(file, env)).get("/openapi.json")).json;
  for (const [, method, path, , access, rest] of wanted) {
    const roles = [...access.matchAll(/"(\w+)"/g)].map(([, role]) => role);
    const { security, ...operation } = keyed.paths[path][method.toLowerCase()];
    const asked = security.map((scheme) => Object.values(scheme)[0]);
    assert.deepEqual([...new Set(asked.flat())].sort(),
      roles.filter((role) => role !== "public").sort(), path);
    assert.equal(operation["x-deadline-seconds"], Number(/deadline = (\d+)/.exec(rest)?.[1] ?? 60));
  }
});

test("each operation has an id, a summary, its answers, and an example of its body", () => {
  const ids = operations.map(({ operation }) => operation.operationId);
  assert.equal(new Set(ids).size, operations.length, String(ids));
  for (const { path, operation } of operations) {
    assert.ok(operation.summary && operation.responses[200] && !operation.responses.default, path);
    const content = operation.requestBody?.content["application/json"];
    if (content) assert.ok(content.example, path);
  }
});

test("the events are those of core/env_webhook.c", async () => {
  const [, list] = (await read("core/env_webhook.c")).match(/ events\[\] = \{([^}]*)\}/);
  const events = [...list.matchAll(/"([^"]+)"/g)].map(([, name]) => name);
  assert.equal(events.length, 6);
  assert.deepEqual(Object.keys(doc.webhooks).sort(), events.sort());
  const ids = Object.values(doc.webhooks).map(({ post }) => post.operationId).sort();
  assert.deepEqual(ids, ["onDraftCreated", "onDraftHeld", "onDraftRejected", "onOpened",
    "onSendFailed", "onSent"]);
});

test("the codes of errors are those of core/err.h", async () => {
  const codes = [...(await read("core/err.h")).matchAll(/X\(\w+, "(\w+)", (\d+)\)/g)];
  assert.ok(codes.length > 30);
  assert.deepEqual(doc.components.schemas.Error.properties.code.enum,
    codes.map(([, word]) => word).sort());
  const statuses = Object.fromEntries(codes.map(([, word, status]) => [word, status]));
  for (const { path, operation } of operations) {
    for (const [status, { content, description: text }] of Object.entries(operation.responses)) {
      const allowed = content?.["application/json"]?.schema?.properties?.code?.enum ?? [];
      for (const code of allowed) {
        assert.equal(statuses[code], status, `${path}: ${code}`);
        assert.match(text, new RegExp(`\`${code}\`: \\S+`));
        assert.doesNotMatch(text, /nil/);
      }
    }
  }
});

test("it is asked for again with its ETag, and costs nothing then", async () => {
  const first = await service.get("/openapi.json");
  const etag = first.headers.get("etag");
  const again = await service.get("/openapi.json", { headers: { "If-None-Match": etag } });
  assert.deepEqual([again.status, again.text, again.headers.get("etag")], [304, "", etag]);
  const other = await service.get("/openapi.json", { headers: { "If-None-Match": '"x"' } });
  assert.deepEqual([other.status, other.text], [200, first.text]);
});

test("who may call is said as AUTH has it", async (t) => {
  const { env } = await apiKeys(t, { x: ["ops"] });
  const keyed = (await (await start(t, env)).get("/openapi.json")).json;
  assert.deepEqual(keyed.paths["/drafts"].get.security,
    [{ key: ["review"] }, { key_header: ["review"] }]);
  assert.deepEqual(keyed.paths["/"].post.security.length, 4);
  assert.deepEqual(keyed.paths["/health"].get.security, []);
  assert.deepEqual(Object.keys(keyed.components.securitySchemes), ["key", "key_header"]);
  assert.deepEqual(doc.paths["/drafts"].get.security, [{}]); // AUTH=none
  assert.deepEqual(doc.components.securitySchemes, {});
});

test("a gateway does not describe the pixel, and a tracker describes nothing", async (t) => {
  const gateway = (await (await start(t, { ROLE: "gateway" })).get("/openapi.json")).json;
  assert.deepEqual(Object.keys(doc.paths).filter((path) => !gateway.paths[path]), ["/pixel"]);
  assertRefused(await (await start(t, { ROLE: "tracker" })).get("/openapi.json"), 404, "not_found");
});

// --- is it true? ---------------------------------------------------------------------------------

// A request as described, about a draft of its own.
async function ask({ method, path }, json, options) {
  const id = await service.draft();
  const filled = json && JSON.parse(JSON.stringify(json).replaceAll(EXAMPLE_ID, id));
  return service.request(method, path.replace("{id}", id), { json: filled, ...options });
}

test("the examples work as they stand", async () => {
  for (const one of operations) {
    const example = one.operation.requestBody?.content["application/json"].example;
    const reply = await ask(one, example);
    assert.equal(reply.status, 200, `${one.method} ${one.path}: ${reply.text}`);
  }
});

const ANYTHING = [null, true, 7, -1, 1.5, "", "text", "a\nb", "a\0b", "\u007f", "\u0085", "\u2028",
  "é", [], ["a@example.com"], [7], [null], [""], {}, { x: 1 }];

// Values about the edge of what a schema takes.
function* about({ maxLength, minimum, maximum, maxItems, items, properties }) {
  yield* ANYTHING;
  if (maxLength <= 100000) yield* ["x".repeat(maxLength), "x".repeat(maxLength + 1)];
  if (minimum !== undefined) yield* [minimum, minimum - 1];
  if (maximum !== undefined) yield* [maximum, maximum + 1];
  if (maxItems <= 100) yield Array(maxItems + 1).fill({ filename: "a", content: "" });
  if (items?.properties) {
    for (const item of members(items, { filename: "a.txt", content: "aGk=" })) yield [item];
  }
  if (properties) yield* members({ properties }, {});
}

// An object with one member changed, left out, or too much.
function* members({ properties }, base) {
  yield { ...base, nonsense: 1 };
  for (const [name, property] of Object.entries(properties)) {
    const { [name]: _, ...without } = base;
    yield without;
    for (const value of about(property)) yield { ...base, [name]: value };
  }
}

test("what is no such body is refused, and what is taken is one", async (t) => {
  const count = { valid: 0, invalid: 0 };
  for (const one of operations.filter(({ operation }) => operation.requestBody)) {
    const { schema, example } = one.operation.requestBody.content["application/json"];
    const isValid = schemaAt(one);
    for (const body of [...ANYTHING, ...members(schema, example)]) {
      const valid = isValid(body);
      count[valid ? "valid" : "invalid"]++;
      const reply = await ask(one, body); // which looks at what is answered 200
      assert.ok(valid || (reply.status >= 400 && reply.status < 500),
        `${one.method} ${one.path} ${JSON.stringify(body).slice(0, 300)}: ${reply.status}`);
    }
  }
  t.diagnostic(JSON.stringify(count));
  assert.ok(count.valid > 100 && count.invalid > 500, JSON.stringify(count));
});

test("what is no such parameter is refused", async () => {
  const texts = ["", "0", "1", "200", "201", "-1", "x", "1.5", "sent", "é", "y".repeat(300),
    "y".repeat(4097)];
  let refused = 0;
  for (const one of operations) {
    for (const [i, { in: place, name, schema }] of (one.operation.parameters ?? []).entries()) {
      if (!schema || place === "path" || name === "If-None-Match") continue;
      const isValid = described.schema(...one.at, "parameters", String(i), "schema");
      for (const text of texts) {
        const value = schema.type === "integer" && /^\d+$/.test(text) ? Number(text) : text;
        const example = one.operation.requestBody?.content["application/json"].example;
        const query = place === "query" ? `?${name}=${encodeURIComponent(text)}` : "";
        const { status } = await ask({ ...one, path: one.path + query }, example,
          place === "header" ? { headers: { [name]: text } } : {});
        assert.ok(isValid(value) || (status >= 400 && status < 500),
          `${one.method} ${one.path} ${name}=${text.slice(0, 40)}: ${status}`);
        refused += !isValid(value);
      }
    }
  }
  assert.ok(refused > 20, String(refused));
});

test("what is not described is found", () => {
  const headers = (more) => new Headers({ "X-Request-Id": "x", "Content-Type": "application/json",
    ...more });
  const answer = (status, json, more) =>
    ({ status, headers: headers(more), json, text: "", bytes: Buffer.from("{}") });
  const ok = { status: "ok" };
  const error = { status: "error", code: "timeout", error: "It is late.", request_id: "x" };
  const look = (...args) => () => described.assertAnswer("GET", ...args);
  look("/health", answer(200, ok))();
  look("/health", answer(504, error))();
  assert.throws(look("/health", answer(201, ok)), /status is not described/);
  assert.throws(look("/health", answer(200, { ...ok, more: 1 })), /unevaluated/);
  assert.throws(look("/health", answer(200, ok, { "X-More": "1" })), /x-more is not described/);
  assert.throws(look("/health", answer(200, ok, { "Content-Type": "text/x" })), /text\/x is not/);
  assert.throws(look("/health", answer(504, { ...error, code: "no_send" })), /one of the allowed/);
  assert.throws(look("/health", answer(504, { ...error, more: 1 })), /unevaluated/);
  assert.throws(look("/health", answer(401, error)), /status is not described/);
  assert.throws(look("/nothing", answer(200, ok)), /route is not described/);
  assert.throws(look("/drafts", answer(401, { ...error, code: "unauthenticated" })),
    /without www-authenticate/);
});

// --- overlays ------------------------------------------------------------------------------------

const HELLO = `local routes = require "shipped.routes"
local hello = require "api.hello"
routes[#routes + 1] =
  { "POST", "/hello/{name}", handler = hello.post, access = "ops", deadline = 5 }
return routes`;
const HANDLER = `local hello = {}
hello.request = { type = "object", required = { "n" }, properties = { n = { type = "integer" } } }
function hello.post() return { json = { status = "ok" } } end
return hello`;
const DESCRIBED = `local description = require "shipped.api.description"
local hello = require "api.hello"
description.handlers[hello.post] = { id = "hello", summary = "Says hello", request = hello.request,
  answer = { type = "object" }, errors = { "not_found" } }
return description`;

const overlaid = async (t, files) => {
  const SCRIPTS_DIR =
    await overlay(t, { "routes.lua": HELLO, "api/hello.lua": HANDLER, ...files });
  return start(t, { SCRIPTS_DIR });
};

async function assertValid(document) {
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors, null, 1));
}

test("a route of an overlay is there by what routes.lua says", async (t) => {
  const { json } = await (await overlaid(t, {})).get("/openapi.json");
  await assertValid(json);
  const { post } = json.paths["/hello/{name}"];
  assert.deepEqual(Object.keys(post.responses), ["default"]);
  assert.equal(post["x-deadline-seconds"], 5);
  assert.deepEqual(post.parameters[0],
    { name: "name", in: "path", required: true, schema: { type: "string" } });
  assert.deepEqual(json.paths["/"], doc.paths["/"]);
});

test("an overlay describes its routes", async (t) => {
  const service = await overlaid(t, { "api/description.lua": DESCRIBED });
  const { json } = await service.get("/openapi.json");
  await assertValid(json);
  const { post } = json.paths["/hello/{name}"];
  assert.equal(post.operationId, "hello");
  assert.deepEqual(post.requestBody.content["application/json"].schema.required, ["n"]);
  assert.ok(post.responses[404]);
  assert.deepEqual(json.paths["/"], doc.paths["/"]);
});

test("a handler put in place of a shipped one is not taken for it", async (t) => {
  const service = await overlaid(t, { "routes.lua": `local routes = require "shipped.routes"
    routes[1].handler = function() return { json = { status = "ok" } } end
    return routes` });
  const { json } = await service.get("/openapi.json");
  assert.deepEqual(Object.keys(json.paths["/"].post.responses), ["default"]);
});

for (const [name, text] of Object.entries({
  "that does not compile": "return {",
  "that raises": 'error("no")',
  "that returns nothing of it": "return {}",
  "with a code that there is not": DESCRIBED.replace("not_found", "nonsense"),
})) {
  test(`a description ${name} stops nothing but itself`, async (t) => {
    const service = await overlaid(t, { "api/description.lua": text });
    assertRefused(await service.get("/openapi.json"), 500, "policy_error");
    assert.equal((await service.post("/hello/x", {})).status, 200);
    assert.ok(await service.draft());
    const event = await service.event((e) => e.message === "policy error");
    assert.match(event.error, /description\.lua|there is no code 'nonsense'/);
  });
}
