// Scenes of Firestore over REST, to be played by the stand-in and by Google's emulator: what they
// answer must be the same, times and texts of errors aside.

import assert from "node:assert/strict";

const PROJECT = "test-project";
const TIMEOUT_MS = 20_000;
export const ROOT = `projects/${PROJECT}/databases/(default)/documents`;

const int = (value) => ({ integerValue: String(value) });
const text = (stringValue) => ({ stringValue });
const none = { nullValue: null };
const list = (...values) => ({ arrayValue: values.length ? { values } : {} });
const map = (fields) => ({ mapValue: Object.keys(fields).length ? { fields } : {} });
const ref = (path) => ({ referenceValue: `${ROOT}/${path}` });
const nested = (depth) => (depth === 0 ? int(1) : map({ k: nested(depth - 1) }));

// One backend, as a scene sees it; what it answered is kept in `transcript`.
export class Stage {
  transcript = [];
  #base;
  #headers;

  constructor(base, token) {
    this.#base = base;
    this.#headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  }

  async ask(method, path, body) {
    const { "Content-Type": type, Authorization } = this.#headers;
    const response = await fetch(`${this.#base}/v1/${ROOT}${path}`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      method, headers: { Authorization, ...(body && { "Content-Type": type }) },
      body: body && JSON.stringify(body),
    });
    let json = await response.json();
    // The emulator does not wrap an error in an array where production does.
    if (json.error) json = { error: json.error };
    else if (Array.isArray(json) && json[0]?.error) [json] = json;
    const answer = { status: response.status, json, word: json.error?.status };
    this.transcript.push({ request: `${method} ${path} ${JSON.stringify(body) ?? ""}`, answer });
    return answer;
  }

  commit(...writes) {
    return this.ask("POST", ":commit", { writes });
  }

  set(path, fields, more) {
    return this.commit(update(path, fields, more));
  }

  get(path) {
    return this.ask("GET", `/${path}`);
  }

  async fields(path) {
    return (await this.get(path)).json.fields;
  }

  query(structuredQuery) {
    return this.ask("POST", ":runQuery", { structuredQuery });
  }

  // The ids that a query finds.
  async ids(collectionId, query) {
    const { json } = await this.query({ from: [{ collectionId }], ...query });
    assert.ok(Array.isArray(json), JSON.stringify(json));
    return json.filter(({ document }) => document).map(({ document }) => document.name.split("/").pop());
  }
}

const update = (path, fields, more) => ({ update: { name: `${ROOT}/${path}`, fields }, ...more });
const remove = (path, more) => ({ delete: `${ROOT}/${path}`, ...more });
const where = (fieldPath, op, value) =>
  ({ where: { fieldFilter: { field: { fieldPath }, op, value } } });
const unary = (fieldPath, op) => ({ where: { unaryFilter: { field: { fieldPath }, op } } });
const both = (op, ...filters) =>
  ({ where: { compositeFilter: { op, filters: filters.map((one) => one.where) } } });
const by = (...fields) => ({
  orderBy: fields.map((name) => ({
    field: { fieldPath: name.replace("-", "") }, direction: name[0] === "-" ? "DESCENDING" : "ASCENDING",
  })),
});

function refused(answer, status, word) {
  assert.equal(`${answer.status} ${answer.word}`, `${status} ${word}`, JSON.stringify(answer.json));
}

export const scenes = {
  "every type of value comes back as it is stored": async (stage) => {
    const fields = {
      z: none, t: { booleanValue: true }, i: { integerValue: 5 }, d: { doubleValue: 2.5 },
      nan: { doubleValue: "NaN" }, inf: { doubleValue: "-Infinity" }, s: text("hé 🦊"),
      at: { timestampValue: "2026-10-06T12:34:56.123456789+02:00" },
      first: { timestampValue: "0001-01-01T00:00:00Z" },
      last: { timestampValue: "9999-12-31T23:59:59.999999999Z" }, b: { bytesValue: "aGk_" },
      r: ref("c/x"), g: { geoPointValue: { latitude: 0, longitude: 1.5 } }, e: list(), m: map({}),
      l: list(int(1), map({ k: list(none) })), "a b": map({ "x.y": int(1) }),
    };
    await stage.set("types/a", fields);
    const stored = await stage.fields("types/a");
    assert.deepEqual(stored.i, int(5));
    assert.deepEqual(stored.at, { timestampValue: "2026-10-06T10:34:56.123456Z" });
    assert.deepEqual(stored.b, { bytesValue: "aGk/" });
    assert.deepEqual(stored.g, { geoPointValue: { longitude: 1.5 } });
    await stage.set("types/empty", {});
    assert.equal(await stage.fields("types/empty"), undefined);
    for (const mask of ["i", "l", "m", "nope", "`a b`", "`a b`.`x.y`", "`a b`.x"]) {
      await stage.get(`types/a?mask.fieldPaths=${encodeURIComponent(mask)}&mask.fieldPaths=s`);
    }
    refused(await stage.get("types/a?mask.fieldPaths=a..b"), 400, "INVALID_ARGUMENT");
    refused(await stage.get("types/nope"), 404, "NOT_FOUND");
  },

  "what is no value is refused": async (stage) => {
    const cases = [
      {}, { integerValue: "9223372036854775808" }, { integerValue: "1.5" }, { fooValue: 1 },
      { timestampValue: "yesterday" }, { referenceValue: "x" }, list(list()), nested(21),
      { geoPointValue: { latitude: 91 } }, { bytesValue: "%" }, { booleanValue: "true?" },
      text("x".repeat(1_048_488)), { integerValue: "1", stringValue: "1" },
    ];
    for (const value of cases) {
      refused(await stage.set("bad/a", { v: value }), 400, "INVALID_ARGUMENT");
    }
    for (const name of ["", "__v__"]) {
      refused(await stage.set("bad/a", { [name]: int(1) }), 400, "INVALID_ARGUMENT");
    }
    for (const path of ["bad/__a__", "bad/.", "bad", "bad/a/b"]) {
      refused(await stage.set(path, {}), 400, "INVALID_ARGUMENT");
    }
    refused(await stage.ask("POST", ":commit", { writez: [] }), 400, "INVALID_ARGUMENT");
    refused(await stage.ask("POST", ":commit", { writes: {} }), 400, "INVALID_ARGUMENT");
    refused(await stage.commit({}), 400, "INVALID_ARGUMENT");
    refused(await stage.commit({ ...update("bad/a", {}), ...remove("bad/a") }), 400, "INVALID_ARGUMENT");
    assert.equal((await stage.set("bad/deep", { v: nested(20) })).status, 200);
    assert.equal((await stage.set("bad/long", { v: text("x".repeat(1_048_487)) })).status, 200);
    const half = text("x".repeat(600_000));
    refused(await stage.set("bad/big", { a: half, b: half }), 400, "INVALID_ARGUMENT");
  },

  "documents are created once": async (stage) => {
    const create = (id, body) => stage.ask("POST", `/made?documentId=${id}`, body);
    const { json } = await create("a", { fields: { n: int(1) } });
    assert.equal(json.createTime, json.updateTime);
    refused(await create("a", {}), 409, "ALREADY_EXISTS");
    refused(await create("b", { name: "x" }), 400, "INVALID_ARGUMENT");
    refused(await create("__x__", {}), 400, "INVALID_ARGUMENT");
    const first = { currentDocument: { exists: false } };
    refused(await stage.set("made/a", {}, first), 409, "ALREADY_EXISTS");
    assert.equal((await stage.set("made/c", {}, first)).status, 200);
  },

  "preconditions": async (stage) => {
    const must = { currentDocument: { exists: true } };
    refused(await stage.set("pre/a", {}, must), 404, "NOT_FOUND");
    refused(await stage.commit(remove("pre/a", must)), 404, "NOT_FOUND");
    const { json: { writeResults: [{ updateTime }] } } = await stage.set("pre/a", { n: int(1) });
    const then = { currentDocument: { updateTime } };
    assert.equal((await stage.set("pre/a", { n: int(2) }, then)).status, 200);
    const late = await stage.set("pre/a", { n: int(3) }, then);
    refused(late, 400, "FAILED_PRECONDITION");
    assert.match(late.json.error.message,
      /the stored version \(\d+\) does not match the required base version \(\d+\)/);
    refused(await stage.set("pre/none", {}, then), 400, "FAILED_PRECONDITION");
    refused(await stage.commit(remove("pre/a", then)), 400, "FAILED_PRECONDITION");
    const odd = { currentDocument: { updateTime: "2020-01-01T00:00:00.000000001Z" } };
    refused(await stage.set("pre/a", {}, odd), 400, "INVALID_ARGUMENT");
    assert.equal((await stage.commit(remove("pre/a", must))).status, 200);
    assert.equal((await stage.commit(remove("pre/a"))).status, 200);
    assert.equal((await stage.set("pre/a", {}, { currentDocument: {} })).status, 200);
  },

  "a commit is all or nothing, in order": async (stage) => {
    const first = { currentDocument: { exists: false } };
    await stage.set("atom/a", {});
    refused(await stage.commit(update("atom/b", {}, first), update("atom/a", {}, first)), 409,
      "ALREADY_EXISTS");
    refused(await stage.get("atom/b"), 404, "NOT_FOUND");
    await stage.commit(update("atom/c", { n: int(1) }, first),
      update("atom/c", { n: int(2) }, { currentDocument: { exists: true } }));
    assert.deepEqual(await stage.fields("atom/c"), { n: int(2) });
    await stage.commit(remove("atom/c"), remove("atom/a"));
    refused(await stage.get("atom/c"), 404, "NOT_FOUND");
  },

  "masks": async (stage) => {
    await stage.set("mask/a", { n: int(1), s: text("x"), m: map({ a: int(1), b: int(2) }) });
    const mask = (...fieldPaths) => ({ updateMask: { fieldPaths } });
    await stage.set("mask/a", { n: int(2), ignored: int(1) }, mask("n", "s", "m.a"));
    assert.deepEqual(await stage.fields("mask/a"), { n: int(2), m: map({ b: int(2) }) });
    await stage.set("mask/a", { m: map({ c: map({ d: int(4) }) }) }, mask("m.c.d", "x.y"));
    await stage.fields("mask/a");
    await stage.set("mask/a", { "a@b": int(1) }, mask("`a@b`"));
    refused(await stage.set("mask/a", {}, mask("a@b")), 400, "INVALID_ARGUMENT");
    const { json: before } = await stage.get("mask/a");
    const { json } = await stage.set("mask/a", {}, { updateMask: {} });
    assert.equal(json.writeResults[0].updateTime, before.updateTime, "nothing changed");
    await stage.set("mask/a", { only: int(1) });
    assert.deepEqual(await stage.fields("mask/a"), { only: int(1) });
  },

  "transforms": async (stage) => {
    const transform = (path, ...updateTransforms) =>
      stage.commit({ ...update(path), updateMask: {}, updateTransforms });
    const { json } = await transform("trans/a",
      { fieldPath: "opens", increment: int(1) }, { fieldPath: "at", setToServerValue: "REQUEST_TIME" },
      { fieldPath: "l", appendMissingElements: { values: [int(1), { doubleValue: 1 }, text("a")] } },
      { fieldPath: "l", removeAllFromArray: { values: [text("a")] } },
      { fieldPath: "most", maximum: { doubleValue: 2.5 } }, { fieldPath: "m.least", minimum: int(3) });
    assert.equal(json.writeResults[0].transformResults.length, 6);
    const { opens, at, l } = await stage.fields("trans/a");
    assert.deepEqual([opens, l], [int(1), list(int(1))]);
    assert.match(at.timestampValue, /\.\d{3}Z$|:\d\dZ$/, "milliseconds");
    await transform("trans/a", { fieldPath: "opens", increment: int(41) },
      { fieldPath: "most", maximum: int(2) }, { fieldPath: "m.least", minimum: int(-1) },
      { fieldPath: "opens", increment: { doubleValue: 0.5 } });
    await stage.fields("trans/a");
    await stage.set("trans/b", { n: text("x"), big: { integerValue: "9223372036854775807" } }, {
      updateTransforms: [{ fieldPath: "n", increment: int(2) }, { fieldPath: "big", increment: int(2) }],
    });
    assert.deepEqual((await stage.fields("trans/b")).big, { integerValue: "9223372036854775807" });
    refused(await transform("trans/b", { fieldPath: "n", increment: text("x") }), 400,
      "INVALID_ARGUMENT");
    refused(await stage.commit(remove("trans/b", {
      updateTransforms: [{ fieldPath: "n", increment: int(1) }],
    })), 400, "INVALID_ARGUMENT");
    refused(await stage.commit({
      ...update("trans/none"), updateMask: {}, updateTransforms: [{ fieldPath: "n", increment: int(1) }],
      currentDocument: { exists: true },
    }), 404, "NOT_FOUND");
    await stage.commit({ transform: {
      document: `${ROOT}/trans/old`, fieldTransforms: [{ fieldPath: "a", increment: int(1) }],
    } });
    await stage.fields("trans/old");
  },

  "an open that is counted once": async (stage) => {
    await stage.set("opens/p", { open_count: int(0) });
    const open = () => stage.commit(
      update("opens/p/events/e1", {}, { currentDocument: { exists: false } }),
      { ...update("opens/p"), updateMask: {}, currentDocument: { exists: true },
        updateTransforms: [{ fieldPath: "open_count", increment: int(1) }] });
    assert.equal((await open()).status, 200);
    refused(await open(), 409, "ALREADY_EXISTS");
    assert.deepEqual(await stage.fields("opens/p"), { open_count: int(1) });
  },

  "batchGet": async (stage) => {
    await stage.set("batch/a", { n: int(1), s: text("x") });
    const names = ["a", "nope", "a"].map((id) => `${ROOT}/batch/${id}`);
    await stage.ask("POST", ":batchGet", { documents: names, mask: { fieldPaths: ["n"] } });
    refused(await stage.ask("POST", ":batchGet", { documents: [`${ROOT}/batch`] }), 400,
      "INVALID_ARGUMENT");
  },

  "patch and delete": async (stage) => {
    const patch = (query, fields) => stage.ask("PATCH", `/patch/a${query}`, { fields });
    refused(await patch("?currentDocument.exists=true", {}), 404, "NOT_FOUND");
    await patch("", { a: int(1), b: int(2) });
    await patch("?updateMask.fieldPaths=a&updateMask.fieldPaths=b", { a: int(3) });
    await patch("?updateMask.fieldPaths=c&mask.fieldPaths=c&currentDocument.exists=true", { c: int(1) });
    assert.deepEqual(await stage.fields("patch/a"), { a: int(3), c: int(1) });
    await stage.ask("DELETE", "/patch/a");
    await stage.ask("DELETE", "/patch/a");
    refused(await stage.ask("DELETE", "/patch/a?currentDocument.exists=true"), 404, "NOT_FOUND");
  },

  "lists": async (stage) => {
    for (const id of ["b", "a", "ä", "c"]) await stage.set(`lists/${id}`, { n: text(id) });
    await stage.set("lists/a/below/x", {});
    await stage.ask("GET", "/lists");
    await stage.ask("GET", "/lists/a/below");
    await stage.ask("GET", "/lists-none");
    const { json } = await stage.ask("GET", "/lists?pageSize=3&mask.fieldPaths=n");
    assert.equal(json.documents.length, 3);
    const token = encodeURIComponent(json.nextPageToken);
    const { json: rest } = await stage.ask("GET", `/lists?pageSize=3&pageToken=${token}`);
    assert.deepEqual(rest.documents.map(({ name }) => name.slice(-1)), ["ä"]);
  },

  "queries in the order of values": async (stage) => {
    const values = [none, { booleanValue: true }, { doubleValue: "NaN" }, int(-1), { doubleValue: 1 },
      int(2), { timestampValue: "2026-01-01T00:00:00Z" }, text("Z"), text("a"), text("é"),
      { bytesValue: "AA==" }, ref("c/a"), { geoPointValue: { latitude: 1 } }, list(int(1)),
      list(int(1), int(2)), list(int(2)), map({ a: int(1) }), map({ b: int(0) })];
    await stage.commit(...values.map((v, i) => update(`order/${String(i).padStart(2, "0")}`, { v })),
      update("order/without", { w: int(1) }));
    const all = values.map((_, i) => String(i).padStart(2, "0"));
    assert.deepEqual(await stage.ids("order", by("v")), all);
    assert.deepEqual(await stage.ids("order", by("-v")), [...all].reverse());
    for (const value of [int(1), text("a"), none, { doubleValue: "NaN" }, list(int(1)), { booleanValue: false }]) {
      for (const op of ["EQUAL", "NOT_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL", "GREATER_THAN",
        "GREATER_THAN_OR_EQUAL", "ARRAY_CONTAINS"]) {
        await stage.query({ from: [{ collectionId: "order" }], ...where("v", op, value) });
      }
    }
    for (const op of ["IS_NULL", "IS_NOT_NULL", "IS_NAN", "IS_NOT_NAN"]) {
      await stage.query({ from: [{ collectionId: "order" }], ...unary("v", op) });
    }
    for (const op of ["IN", "NOT_IN", "ARRAY_CONTAINS_ANY"]) {
      for (const values of [[int(1), text("a")], [none, int(2)], []]) {
        await stage.query({ from: [{ collectionId: "order" }], ...where("v", op, list(...values)) });
      }
    }
  },

  "pages, newest first": async (stage) => {
    const at = (n) => ({ timestampValue: `2026-01-01T00:00:0${n}Z` });
    const drafts = { a: 1, b: 2, c: 2, d: 2, e: 3, f: 4 };
    await stage.commit(...Object.entries(drafts).map(([id, n]) =>
      update(`pages/${id}`, { at: at(n), status: text(n === 3 ? "sent" : "pending") })));
    const order = by("-at", "-__name__");
    const after = (n, id, before) =>
      ({ startAt: { values: [at(n), ref(`pages/${id}`)], ...(before && { before }) } });
    assert.deepEqual(await stage.ids("pages", { ...order, limit: 3 }), ["f", "e", "d"]);
    assert.deepEqual(await stage.ids("pages", { ...order, limit: 2, ...after(2, "d") }), ["c", "b"]);
    assert.deepEqual(await stage.ids("pages", { ...order, ...after(2, "d", true) }), ["d", "c", "b", "a"]);
    const pending = where("status", "EQUAL", text("pending"));
    assert.deepEqual(await stage.ids("pages", { ...pending, ...order, limit: 9 }), ["f", "d", "c", "b", "a"]);
    await stage.ids("pages", { ...order, endAt: { values: [at(2)], before: true } });
    await stage.ids("pages", { ...order, endAt: { values: [at(2)] }, offset: 1, limit: 1 });
    await stage.ids("pages", { ...by("at"), startAt: { values: [at(2)], before: true } });
    await stage.ids("pages", { ...order, limit: 0 });
    await stage.ids("pages", { ...order, select: { fields: [{ fieldPath: "__name__" }] } });
    await stage.ids("pages", { ...order, select: { fields: [{ fieldPath: "status" }] } });
    await stage.ids("pages-none", order);
    await stage.ids("pages", where("__name__", "GREATER_THAN", ref("pages/c")));
    await stage.ids("pages", both("AND", pending, where("at", "LESS_THAN_OR_EQUAL", at(2))));
    await stage.ids("pages", both("OR", where("at", "EQUAL", at(1)), where("at", "EQUAL", at(4))));
    await stage.ids("pages", { ...where("at", "LESS_THAN", at(3)), ...by("-at") });
    const bad = [{ limit: -1 }, { startAt: { values: [at(1), ref("pages/a"), int(1)] }, ...order },
      { ...by("__name__"), startAt: { values: [text("a")] } }, where("a@b", "EQUAL", int(1)),
      where("at", "FOO", int(1)), { orderBy: [{}] }, where("", "EQUAL", int(1))];
    for (const query of bad) {
      refused(await stage.query({ from: [{ collectionId: "pages" }], ...query }), 400,
        "INVALID_ARGUMENT");
    }
    refused(await stage.query({ from: [{ collectionId: "pages" }], ...by("-__name__") }), 400,
      "FAILED_PRECONDITION");
    const count = (query, ...counts) => stage.ask("POST", ":runAggregationQuery", {
      structuredAggregationQuery: {
        structuredQuery: { from: [{ collectionId: "pages" }], ...query },
        aggregations: counts.map((one, i) => ({ alias: `n${i}`, count: one })),
      },
    });
    await count({}, {});
    await count(pending, { upTo: "1" }, { upTo: "2" }, { upTo: "1000" }, {});
    await count({ limit: 2 }, {}, { upTo: "1" });
    await count(where("at", "LESS_THAN", at(3)), { upTo: "2" });
    await count({ from: [{ collectionId: "pages-none" }] }, { upTo: "2" });
  },

  "collection groups": async (stage) => {
    await stage.commit(update("groups/a/parts/1", {}), update("groups/b/parts/2", {}),
      update("groups/b/parts/2/parts/3", {}));
    const group = { from: [{ collectionId: "parts", allDescendants: true }] };
    assert.deepEqual(await stage.ids("", group), ["1", "2", "3"]);
    await stage.ask("POST", "/groups/b:runQuery", { structuredQuery: { from: [{ collectionId: "parts" }] } });
    await stage.ask("POST", "/groups/b:runQuery", { structuredQuery: group });
  },

  "transactions": async (stage) => {
    await stage.set("tx/a", { n: int(1) });
    const begin = await stage.ask("POST", ":beginTransaction", {});
    const { transaction } = begin.json;
    // By batchGet: the emulator never answers a GET with ?transaction=.
    await stage.ask("POST", ":batchGet", { documents: [`${ROOT}/tx/a`], transaction });
    const commit = { writes: [update("tx/a", { n: int(2) })], transaction };
    assert.equal((await stage.ask("POST", ":commit", commit)).status, 200);
    refused(await stage.ask("POST", ":commit", commit), 400, "INVALID_ARGUMENT");
    const names = [`${ROOT}/tx/a`, `${ROOT}/tx/none`];
    const { json } = await stage.ask("POST", ":batchGet",
      { documents: names, newTransaction: { readWrite: {} } });
    await stage.ask("POST", ":rollback", { transaction: json[0].transaction });
    refused(await stage.ask("POST", ":commit", { transaction: "AAAA" }), 400, "INVALID_ARGUMENT");
  },

  "batchWrite": async (stage) => {
    const { json } = await stage.ask("POST", ":batchWrite", { writes: [
      update("bulk/a", {}), update("bulk/b", {}, { currentDocument: { exists: true } }), remove("bulk/c"),
    ] });
    assert.deepEqual(json.status.map(({ code = 0 }) => code), [0, 5, 0]);
  },
};

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const TIMES = ["createTime", "updateTime", "readTime", "commitTime"];

// Not compared: texts; `done`, which production seldom sends; `skippedResults`, which the emulator
// now leaves out, now says with every document.
const IGNORED = ["message", "details", "done", "skippedResults"];

// What two backends must agree on: times by their order of appearance, errors by their word.
export function comparable(transcript, started) {
  const times = new Map();
  const tokens = new Map();
  const named = (seen, prefix, value) => {
    if (!seen.has(value)) seen.set(value, `${prefix}${seen.size + 1}`);
    return seen.get(value);
  };
  const isRecent = (value) => TIME.test(value) && Date.parse(value) >= started - 1000;
  const plain = (value, key) => {
    if (TIMES.includes(key) || (key === "timestampValue" && isRecent(value))) {
      return named(times, "time", value);
    }
    if (key === "transaction" || key === "nextPageToken") return named(tokens, "token", value);
    if (Array.isArray(value)) return value.map((item) => plain(item));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value)
      .filter(([name, one]) => !IGNORED.includes(name) && one !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, one]) => [name, plain(one, name)]));
  };
  return transcript.map(({ request, answer }) => {
    let shown = request;
    for (const [value, name] of [...times, ...tokens]) {
      shown = shown.replaceAll(value, name).replaceAll(encodeURIComponent(value), name);
    }
    return { request: shown, status: answer.status, json: plain(answer.json) };
  });
}
