// What the service answers, held against what it says of itself at /openapi.json: each JSON answer
// to a test must be described, with its route, status, headers and members, and so must the request
// of one that succeeded.
//
// The description is that of the scripts as they are shipped, asked for once of a service that is
// there for nothing else. What routes of a test's own answer is not held against it, nor are the
// pages.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const PAGES = /^\/(review|assets|sign-in|sign-out)([/?]|$)/;

// Of HTTP itself, and what core/reply.c adds for browsers.
const EVERYWHERE = new Set(["connection", "content-length", "content-type", "date", "keep-alive",
  "transfer-encoding", "x-content-type-options", "content-security-policy", "referrer-policy",
  "x-frame-options", "cross-origin-resource-policy", "cache-control", "strict-transport-security"]);

// What libmicrohttpd refuses by itself, since it is no HTTP, or does not fit.
const REFUSED_BELOW = new Set([400, 408, 413, 414, 431, 505]);

const pointer = (...names) =>
  names.map((name) => "/" + encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1")))
    .join("");

// Answers may gain members for others, but none that is not described: as if each object were
// closed.
function close(schema) {
  if (schema === null || typeof schema !== "object") return;
  Object.values(schema).forEach(close);
  if (!Array.isArray(schema) && schema.properties && !("additionalProperties" in schema)) {
    schema.unevaluatedProperties = false;
  }
}

function closeAnswers(doc) {
  Object.values(doc.components.schemas).forEach(close);
  for (const operations of Object.values(doc.paths)) {
    for (const { responses } of Object.values(operations)) {
      for (const { content = {} } of Object.values(responses)) {
        Object.values(content).forEach(({ schema }) => close(schema));
      }
    }
  }
  for (const { post } of Object.values(doc.webhooks)) {
    close(post.requestBody.content["application/json"].schema);
  }
}

// "/drafts/{id}" → whether a path is one of it.
const matcher = (pattern) =>
  new RegExp(`^${pattern.split(/\{[^}]*\}/).map((part) => part.replace(/[.]/g, "\\$&"))
    .join("[^/]+")}$`);

export class Description {
  #ajv = new Ajv({ strict: false, allErrors: false });
  #paths;

  constructor(text) {
    this.doc = JSON.parse(text);
    addFormats(this.#ajv);
    const closed = JSON.parse(text);
    closeAnswers(closed);
    this.#ajv.addSchema(closed, "doc", false, false);
    this.#paths = Object.keys(closed.paths)
      .map((pattern) => ({ pattern, matches: matcher(pattern) }));
  }

  // A check of what stands at these names in the description.
  schema(...names) {
    return this.#ajv.getSchema(`doc#${pointer(...names)}`);
  }

  #assertFits(value, names, what) {
    const check = this.schema(...names);
    assert.ok(check, `${what}: there is no ${names.join(" > ")}`);
    assert.ok(check(value), `${what} is not as described: ` +
      `${this.#ajv.errorsText(check.errors)}\n${JSON.stringify(check.errors)}\n` +
      JSON.stringify(value)?.slice(0, 2000));
  }

  // What was posted to an endpoint: { type, body }.
  assertEvent({ type, body }) {
    this.#assertFits(JSON.parse(body), ["webhooks", type, "post", "requestBody", "content",
      "application/json", "schema"], `the event ${type}`);
  }

  // The pattern of a path, as the request had it; undefined: none.
  find(path) {
    let decoded;
    try {
      decoded = decodeURIComponent(path.replace(/\?.*$/s, ""));
    } catch {
      return undefined;
    }
    return this.#paths.find(({ matches }) => matches.test(decoded))?.pattern;
  }

  // The answer { status, headers, json } to a request.
  assertAnswer(method, path, answer, request) {
    if (REFUSED_BELOW.has(answer.status) && !answer.headers.has("x-request-id")) return;
    const what = `${method} ${path} → ${answer.status}`;
    const verb = method === "HEAD" ? "get" : method.toLowerCase();
    const pattern = this.find(path);
    const operation = this.doc.paths[pattern]?.[verb];
    if (!operation) {
      this.#assertUndescribed(path, pattern, answer, what);
      return;
    }
    // A browser that is not signed in is led to where it can, whatever it asks for.
    if (answer.status === 303 && answer.headers.get("location")?.startsWith("/sign-in?")) return;
    const response = operation.responses[answer.status];
    assert.ok(response, `${what}: this status is not described: ${answer.text}`);
    this.#assertHeaders(response, answer.headers, what);
    if (method === "HEAD" || answer.bytes.length === 0) return;
    const type = answer.headers.get("content-type").replace(/;.*/s, "");
    assert.ok(response.content?.[type], `${what}: ${type} is not described`);
    if (answer.json === undefined) return;
    const at = ["paths", pattern, verb];
    this.#assertFits(answer.json, [...at, "responses", String(answer.status), "content", type,
      "schema"], what);
    if (answer.status === 200 && request !== undefined && operation.requestBody) {
      this.#assertFits(request, [...at, "requestBody", "content", "application/json", "schema"],
        `the request of ${what}`);
    }
  }

  // Where there is nothing under the path, or not for this method: an error, or a page.
  #assertUndescribed(path, pattern, answer, what) {
    if (pattern === undefined && PAGES.test(path)) return;
    assert.ok(answer.status >= 400, `${what}: the route is not described`);
    if (answer.json !== undefined) {
      this.#assertFits(answer.json, ["components", "schemas", "Error"], what);
    }
    if (answer.status === 405) assert.ok(answer.headers.get("allow"), `${what}: no Allow`);
  }

  #assertHeaders(response, headers, what) {
    const described = new Map(Object.entries(response.headers ?? {}).map(([name, header]) =>
      [name.toLowerCase(), this.doc.components.headers[header.$ref?.split("/").pop()] ?? header]));
    for (const [name] of headers) {
      assert.ok(described.has(name) || EVERYWHERE.has(name), `${what}: ${name} is not described`);
    }
    for (const [name, { required }] of described) {
      assert.ok(!required || headers.has(name), `${what}: without ${name}`);
    }
  }
}

// Is it an answer of the scripts that are shipped, to what this ROLE serves?
export function isDescribed({ SCRIPTS_DIR, ROLE = "all" }, answer) {
  const own = SCRIPTS_DIR !== undefined &&
    ["routes.lua", "api", "pages"].some((name) => existsSync(join(SCRIPTS_DIR, name)));
  return !own && (ROLE === "all" || answer.json?.code !== "not_found");
}

// What was sent, if it was JSON.
export function requestOf(json, body) {
  if (json !== undefined) return JSON.parse(JSON.stringify(json));
  try {
    return typeof body === "string" ? JSON.parse(body) : undefined;
  } catch {
    return undefined;
  }
}
