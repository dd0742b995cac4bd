// What is refused, and how: statuses, codes, and the shape of every error.

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { assertRefused, file, overlay, start, UUID } from "./lib/service.mjs";

const letter = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!", mode: "draft" };
const JSON_TYPE = { "Content-Type": "application/json" };

const service = await start(file, { MAX_BODY_BYTES: "100000" });

test("malformed JSON", async () => {
  const cases = ["{", "", "nonsense", "{'to': 1}", '{"to":"a",}', '{"to":"a"} x', "[1,2",
    '{"to":"\\ud800"}', '{"to":NaN}', '{"a":01}', "\ufeff{}", '{"to":"a\nb"}', "[".repeat(5000),
    '{"a":'.repeat(5000), '{"to":"a","to":"b"}'];
  for (const body of cases) {
    const reply = await service.request("POST", "/", { body, headers: JSON_TYPE });
    assertRefused(reply, 400, "malformed_json");
  }
});

test("text that is not UTF-8", async () => {
  for (const bytes of ["ff", "c080", "eda080", "f4908080", "80"]) {
    const body = Buffer.concat([Buffer.from('{"to":"a@example.com","message":"m","subject":"'),
      Buffer.from(bytes, "hex"), Buffer.from('"}')]);
    const reply = await service.request("POST", "/", { body, headers: JSON_TYPE });
    assertRefused(reply, 400, "malformed_json");
  }
});

test("a body that is JSON, but no object", async () => {
  for (const body of ["[]", "7", '"x"', "null", "true"]) {
    const reply = await service.request("POST", "/", { body, headers: JSON_TYPE });
    assertRefused(reply, 400, reply.json.code);
    assert.match(reply.json.code, /^(invalid_field|malformed_json)$/);
  }
});

test("what is missing is named", async () => {
  for (const name of ["to", "subject", "message"]) {
    const { [name]: gone, ...rest } = letter;
    assertRefused(await service.post("/", rest), 400, "invalid_field", name);
  }
});

test("what nobody knows is named", async () => {
  for (const name of ["To", "body", "html", "__proto__x", "status", "draft_id", "ü"]) {
    const reply = await service.post("/", { ...letter, [name]: "x" });
    assertRefused(reply, 400, "unknown_field", name);
  }
});

test("values of the wrong kind are named", async () => {
  const wrong = {
    to: [7, null, {}, true, [7], [["a@example.com"]]],
    cc: [7, {}, [null]], bcc: [7, {}], reply_to: [7, {}],
    subject: [7, null, [], {}, true, ""],
    message: [7, null, [], {}, ""],
    mode: [7, "", "later", "SEND"],
    format: [7, "HTML", "rtf"],
    from: [7, {}], from_name: [7, {}],
    vars: [7, [], "x"],
    tracking: ["true", 1], metadata: [7, "x", []],
    thread_id: [7, {}], in_reply_to: [7, {}], attachments: [7, {}, "x"],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const reply = await service.post("/", { ...letter, [name]: value });
      assertRefused(reply, 400, "invalid_field");
      assert.ok(reply.json.field === name || reply.json.field.startsWith(`${name}[`),
        `${name} = ${JSON.stringify(value)}: ${reply.text}`);
    }
  }
});

test("recipients that are none", async () => {
  const bad = ["bob@", "@example.com", "bob", "bob@@example.com", "a b@example.com", "", " ", ",",
    "bob@example..com", "bob@-example.com", "bob@[127.0.0.1]", "bob@exa mple.com",
    "<bob@example.com", "bob@example.com>", "a@example.com b@example.com",
    `${"a".repeat(65)}@example.com`, `a@${"b".repeat(64)}.com`, `a@${"b.".repeat(130)}com`, ".bob@example.com", "bob.@example.com",
    "b..ob@example.com", "Group:;", "bob@exam\u0000ple.com", "bob@\u2028x.com"];
  for (const to of bad) {
    for (const value of [to, ["ann@example.com", to]]) {
      const reply = await service.post("/", { ...letter, to: value });
      assertRefused(reply, 400, reply.json.code, reply.json.field);
      assert.match(reply.json.code, /^invalid_(recipient|field)$/);
      assert.match(reply.json.field, /^to(\[\d+\])?$/, JSON.stringify(value));
    }
  }
  for (const name of ["cc", "bcc", "reply_to"]) {
    assertRefused(await service.post("/", { ...letter, [name]: "bob@" }), 400, "invalid_recipient",
      name);
  }
  const reply = await service.post("/", { ...letter, to: "ann@example.com, bob@" });
  assertRefused(reply, 400, "invalid_recipient", "to");
  assert.match(reply.json.error, /bob@/);
});

test("headers cannot be injected", async () => {
  const breaks = ["\r\n", "\n", "\r", "\0", "\u0085", "\u2028", "\u000b", "\u001b"];
  for (const end of breaks) {
    const value = `x${end}Bcc: eve@example.com`;
    for (const name of ["subject", "from_name", "from", "thread_id", "in_reply_to"]) {
      const reply = await service.post("/", { ...letter, [name]: value });
      assertRefused(reply, 400, "invalid_field", name);
    }
    for (const name of ["to", "cc", "bcc", "reply_to"]) {
      for (const address of [`ann@example.com${end}Bcc: eve@example.com`,
        `"x${end}Bcc: eve@example.com" <ann@example.com>`, `"a${end}b"@example.com`]) {
        const reply = await service.post("/", { ...letter, [name]: address });
        // White space may stand between the parts of an address; a fold is white space too.
        if (reply.status === 200) {
          const { text } = await service.get(`/drafts/${reply.json.draft_id}/message`);
          assert.ok(!/^Bcc: eve/im.test(text), text);
          assert.fail(`${JSON.stringify(address)} was taken`);
        }
        assert.equal(reply.status, 400, reply.text);
        assert.match(reply.json.code, /^invalid_(recipient|field)$/);
      }
    }
  }
});

test("a body that is not JSON", async () => {
  const body = JSON.stringify(letter);
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonx",
    "multipart/form-data; boundary=x", "nonsense"]) {
    const reply = await service.request("POST", "/", { body, headers: { "Content-Type": type } });
    assertRefused(reply, 415, "unsupported_media_type");
  }
  const zipped = { ...JSON_TYPE, "Content-Encoding": "gzip" };
  assertRefused(await service.request("POST", "/", { body: gzipSync(body), headers: zipped }), 415,
    "unsupported_media_type");
  for (const type of ["application/json; charset=utf-8", "Application/JSON"]) {
    const reply = await service.request("POST", "/", { body, headers: { "Content-Type": type } });
    assert.equal(reply.status, 200, reply.text);
  }
});

test("too large", async () => {
  const message = "x".repeat(100001);
  assertRefused(await service.post("/", { ...letter, message }), 413, "payload_too_large");
  // More than the buffers of a connection hold: refused before it is read, it would break the pipe.
  const flood = "x".repeat(30 << 20);
  assertRefused(await service.post("/", { ...letter, message: flood }), 413, "payload_too_large");
  // Chunked, so that the length is not known beforehand.
  const body = new ReadableStream({
    start(controller) {
      for (let i = 0; i < 20; i++) controller.enqueue(Buffer.alloc(10000, "x"));
      controller.close();
    },
  });
  const reply = await service.request("POST", "/", { body, headers: JSON_TYPE, duplex: "half" });
  assertRefused(reply, 413, "payload_too_large");
  const fits = "x".repeat(99000);
  assert.equal((await service.post("/", { ...letter, message: fits })).status, 200);
});

test("the wrong method says which are right", async () => {
  const cases = {
    "/": ["POST"], "/send-draft": ["POST"], "/drafts": ["GET"], "/health": ["GET"],
    "/ready": ["GET"], "/pixel": ["GET"], "/drafts/x": ["GET", "PATCH"],
    "/drafts/x/reject": ["POST"], "/drafts/x/message": ["GET"], "/drafts/x/test": ["POST"],
  };
  for (const [path, allowed] of Object.entries(cases)) {
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
      if (allowed.includes(method)) continue;
      const reply = await service.request(method, path);
      assertRefused(reply, 405, "method_not_allowed");
      const allow = reply.headers.get("allow").split(/,\s*/);
      for (const one of allowed) assert.ok(allow.includes(one), `${path}: ${allow}`);
      assert.ok(!allow.includes(method));
    }
  }
});

test("paths that are none", async () => {
  for (const path of ["/nonsense", "/drafts/x/y", "/send-draft/", "/pixel/x", "//",
    "/Drafts", "/healthz", "/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/scripts/routes.lua"]) {
    const reply = await service.get(path);
    assertRefused(reply, 404, "not_found");
  }
  for (const path of ["/drafts/", "/drafts/%00", "/drafts/..%2f..%2fx", "/%zz", "/drafts/%ff"]) {
    const reply = await service.get(path);
    assert.ok([400, 404].includes(reply.status), `${path}: ${reply.status}`);
    assertRefused(reply, reply.status, reply.json.code);
  }
});

test("HEAD for every GET", async () => {
  const id = await service.draft();
  for (const path of ["/drafts", `/drafts/${id}`, `/drafts/${id}/message`, "/health", "/ready",
    "/pixel?id=x", "/drafts/nonsense", "/nonsense"]) {
    const get = await service.get(path);
    const head = await service.head(path);
    assert.equal(head.status, get.status, path);
    assert.equal(head.bytes.length, 0, path);
    assert.equal(head.headers.get("content-type"), get.headers.get("content-type"), path);
    if (get.status === 200) {
      assert.equal(head.headers.get("content-length"), get.headers.get("content-length"), path);
    }
  }
});

test("GET changes nothing", async () => {
  const id = await service.draft();
  const kept = await service.document(id);
  for (const path of [`/drafts/${id}`, `/drafts/${id}/message`, "/drafts"]) {
    await service.get(path);
    await service.head(path);
  }
  assert.deepEqual(await service.document(id), kept);
});

test("X-Request-Id is the caller's if it is sane, and ours otherwise", async () => {
  for (const id of ["abc", "A-1_2.3:4", "0af7651916cd43dd8448", "Root=1-67a/b+c==",
    "x".repeat(128)]) {
    const reply = await service.get("/health", { headers: { "X-Request-Id": id } });
    assert.equal(reply.headers.get("x-request-id"), id);
  }
  const seen = new Set();
  for (const id of [undefined, "", "x".repeat(129), "a b<script>", "zoë"]) {
    const headers = id === undefined ? {} : { "X-Request-Id": id };
    const reply = await service.get("/nonsense", { headers });
    const given = reply.headers.get("x-request-id");
    assert.match(given, UUID, id);
    assertRefused(reply, 404, "not_found");
    seen.add(given);
  }
  assert.equal(seen.size, 5);
});

test("nothing that was refused has left a trace", async () => {
  const { drafts } = (await service.get("/drafts?limit=200")).json;
  assert.deepEqual(drafts.filter((draft) => draft.subject !== "Hello"), []);
  assert.deepEqual(await service.outbox(), []);
});

test("what no handler may return is 500, and the log says what it was", async (t) => {
  const answers = {
    number: ["{ body = 5 }", "the reply's body is neither a string nor a blob"],
    status: ['{ status = "nope" }', "the reply's status is no whole number"],
    large: ['{ headers = { X = ("a"):rep(2048) } }', "the reply's header 'X' cannot be sent"],
    lines: ['{ headers = { X = "a\\r\\nb" } }', "the reply's header 'X' cannot be sent"],
    code: ['nil, { code = "nope", message = "hey" }', "an error whose code there is not: nope"],
    nothing: ["", "neither a reply nor nil and an error"],
  };
  const routes = Object.entries(answers).map(([path, [value]]) =>
    `{ "GET", "/${path}", access = "public", serve = "all",
      handler = function() return ${value} end },`);
  const other = await start(t, { SCRIPTS_DIR: await overlay(t,
    { "routes.lua": `return { ${routes.join("\n")} }` }) });
  for (const [path, [value, says]] of Object.entries(answers)) {
    assert.equal((await other.get(`/${path}`)).status, 500, value);
    const event = await other.event((e) => e.route === `/${path}` && /fail|error/.test(e.message));
    assert.ok(event.error.includes(says), `${value}: ${event.error}`);
  }
});
