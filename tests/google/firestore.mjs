// Firestore: documents, commits with preconditions and transforms, transactions, queries.

import { randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { discovery } from "./discovery.mjs";
import { absent, ApiError, CODES, invalid, parseJson, rpcEnvelope } from "./rpc.mjs";
import { byName, runQuery } from "./firestore_query.mjs";
import {
  appendMissing, checkId, extreme, formatTime, getAt, increment, masked, MAX_DOCUMENT_BYTES,
  parseDocumentName, parsePath, parseTime, removeAll, setAt, sizeOfDocument, storedFields,
  storedValue,
} from "./firestore_value.mjs";
import { symptomError } from "./symptoms.mjs";

const MAX_REQUEST_BYTES = 10 * 1024 * 1024;
const MAX_TRANSFORMS = 500;
const STREAMS = ["batchGet", "runQuery", "runAggregationQuery"];
const EXPIRED = "The referenced transaction has expired or is no longer valid.";
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

const newId = () => [...randomBytes(20)].map((byte) => ALPHABET[byte % ALPHABET.length]).join("");
const wordOf = (call) => call.method.split(".").at(-1);

// Counts its changes.
class Documents extends Map {
  changes = 0;
  set(name, document) { this.changes++; return super.set(name, document); }
  delete(name) { this.changes++; return super.delete(name); }
  clear() { this.changes++; super.clear(); }
}

export class Firestore {
  name = "firestore";
  discovery = discovery("firestore.v1");
  #orders = new Map(); // of the documents, as the queries since the last change needed them
  documents = new Documents(); // name → { name, fields, createTime, updateTime }
  #transactions = new Map(); // id → { reads: Map(name → updateTime or 0), readOnly }
  #world;
  #lastTime = 0;

  constructor(world) {
    this.#world = world;
  }

  reset() {
    this.documents.clear();
    this.#transactions.clear();
  }

  // --- one call ---------------------------------------------------------------------------------

  // documents/c/a is a document, documents/c and documents/c/a/d are collections: templates alone
  // do not tell.
  route(call) {
    const path = call.decodedPath();
    const depth = /\/documents((?:\/[^/]+)*)$/.exec(path)?.[1].split("/").length - 1;
    const isCollection = depth % 2 === 1;
    const hit = this.discovery.match(call.http, path).find(({ method: { id, path: template } }) => {
      if (!/\/documents/.test(path) || /:\w+$/.test(template)) return true;
      if (id.endsWith(".list") && depth === 1) return false; // of the root it is listDocuments
      return /\{collectionId\}$/.test(template) === isCollection;
    });
    if (!hit) throw new ApiError("NOT_FOUND", "Method not found.");
    call.matched = hit;
    call.method = hit.method.id;
  }

  answer(call) {
    const { method, variables } = call.matched;
    const serve = call.method.startsWith("firestore.projects.databases.documents.") &&
      this.#methods[wordOf(call)];
    if (!serve) throw absent(call.method);
    if (call.body.length > MAX_REQUEST_BYTES) {
      throw invalid(`Request payload size exceeds the limit: ${MAX_REQUEST_BYTES} bytes.`);
    }
    const query = this.discovery.checkQuery(method, call.query);
    this.#authorize(call, method);
    let body = {};
    if (method.request) {
      body = parseJson(call);
      this.discovery.checkBody(method, body);
    } else if (call.body.length > 0) {
      throw invalid(`${call.method} takes no body.`);
    }
    this.#checkDatabase(variables.name ?? variables.parent ?? variables.database);
    return { json: serve.call(this, { ...variables, query, body }) };
  }

  #authorize(call, method) {
    const { settings, tokens } = this.#world;
    if (settings.emulator && call.headers.authorization === "Bearer owner") return;
    const token = tokens.check(call, method.scopes);
    if (token.kind === "mailbox") throw symptomError("firestore_permission_denied");
    const project = call.headers["x-goog-user-project"];
    if (project && (project !== settings.project || !settings.laptop.mayUseProject)) {
      throw symptomError("iam_user_project_denied", settings);
    }
  }

  #checkDatabase(name) {
    const { settings } = this.#world;
    const [, project, , database] = name.split("/");
    if (project !== settings.project) throw symptomError("firestore_permission_denied");
    if (database !== settings.database) {
      throw symptomError("firestore_no_database", { ...settings, database });
    }
  }

  // The streaming methods answer arrays, and wrap an error in one.
  refuse(error, call) {
    const json = rpcEnvelope(error);
    const isStream = call.matched && STREAMS.includes(wordOf(call));
    return { status: error.http, json: isStream ? [json] : json, headers: error.headers };
  }

  // --- reading ----------------------------------------------------------------------------------

  // Microseconds, never the same twice, and never whole milliseconds: those lose their last digits.
  #time() {
    const micros = this.#world.now() * 1000 + Math.floor(performance.now() * 1000) % 1000;
    this.#lastTime = Math.max(this.#lastTime + 1, micros);
    if (this.#lastTime % 1000 === 0) this.#lastTime++;
    return this.#lastTime;
  }

  #shown({ name, fields, createTime, updateTime }, paths) {
    const seen = paths ? masked(fields, paths) : fields;
    return {
      name, ...(Object.keys(seen).length && { fields: seen }),
      ...(createTime && { createTime: formatTime(createTime), updateTime: formatTime(updateTime) }),
    };
  }

  #find(name) {
    const { project, database } = parseDocumentName(name);
    const { settings } = this.#world;
    if (project !== settings.project || database !== settings.database) {
      throw invalid(`The document ${name} is not in the database of the request.`);
    }
    return this.documents.get(name);
  }

  #read(name, transaction) {
    const document = this.#find(name);
    transaction?.reads.set(name, document?.updateTime ?? 0);
    return document;
  }

  #transaction(id) {
    if (!id) return undefined;
    const transaction = this.#transactions.get(id);
    if (!transaction) throw invalid(EXPIRED);
    return transaction;
  }

  #begin(options = {}) {
    const id = Buffer.concat([Buffer.from([0x11]), randomBytes(8)]).toString("base64");
    this.#transactions.set(id, { reads: new Map(), readOnly: Boolean(options.readOnly) });
    return id;
  }

  // A stream's answers, those of a new transaction headed by its id.
  #stream({ transaction, newTransaction, readTime, explainOptions }, read) {
    if (readTime || explainOptions) throw absent("readTime and explainOptions");
    if (transaction && newTransaction) throw invalid("Two transactions in one request.");
    const begun = newTransaction && this.#begin(newTransaction);
    const answers = read(this.#transaction(begun ?? transaction), formatTime(this.#time()));
    return begun ? [{ transaction: begun }, ...answers] : answers;
  }

  // --- writing ----------------------------------------------------------------------------------

  // Applies a write to `documents` (a scratch copy); returns the write's result.
  #write(documents, write, time) {
    const kinds = ["update", "delete", "transform"].filter((kind) => write[kind] !== undefined);
    if (kinds.length === 0) throw invalid("empty write operation");
    if (kinds.length > 1) throw invalid(`A Write is one of ${kinds.join(", ")}, not all of them.`);
    const { update, transform, updateMask, currentDocument, updateTransforms = [] } = write;
    const name = update?.name ?? transform?.document ?? write.delete;
    if (!name) throw invalid("A write needs the name of a document.");
    this.#find(name);
    const stored = documents.get(name);
    this.#checkPrecondition(name, stored, currentDocument);
    if (kinds[0] === "delete") {
      if (updateTransforms.length) throw invalid("a delete must not specify a update transform.");
      documents.set(name, undefined);
      return {};
    }
    const transforms = transform?.fieldTransforms ?? updateTransforms;
    const base = update ? this.#updated(stored?.fields, update, updateMask) : stored?.fields ?? {};
    const { fields, results } = this.#transformed(base, transforms, time);
    const changed = !stored || !isDeepStrictEqual(stored.fields, fields);
    const document = {
      name, fields, createTime: stored?.createTime ?? time,
      updateTime: changed ? time : stored.updateTime,
    };
    if (sizeOfDocument(document) > MAX_DOCUMENT_BYTES) {
      throw invalid(`Document '${name}' cannot be written because its size exceeds the maximum ` +
        `allowed size of ${MAX_DOCUMENT_BYTES.toLocaleString("en")} bytes.`);
    }
    documents.set(name, document);
    return {
      updateTime: formatTime(document.updateTime),
      ...(results.length && { transformResults: results }),
    };
  }

  #checkPrecondition(name, stored, { exists, updateTime } = {}) {
    if (exists !== undefined && updateTime !== undefined) {
      throw invalid("A precondition is exists or updateTime, not both.");
    }
    if (exists === false && stored) {
      throw new ApiError("ALREADY_EXISTS", `Document already exists: ${name}`);
    }
    if (exists === true && !stored) {
      throw new ApiError("NOT_FOUND", `No document to update: ${name}`);
    }
    if (updateTime === undefined) return;
    if (/\.\d{6}\d*[1-9]/.test(updateTime)) {
      throw invalid("timestamp cannot have more than microseconds precision");
    }
    const [has, wants] = [stored?.updateTime ?? 0, parseTime(updateTime)];
    if (has !== wants) {
      throw new ApiError("FAILED_PRECONDITION", `the stored version (${has}) does not match the ` +
        `required base version (${wants})`);
    }
  }

  #updated(before = {}, update, mask) {
    if (update.createTime || update.updateTime) {
      throw invalid("createTime and updateTime are not the caller's to write.");
    }
    const given = storedFields(update.fields ?? {});
    if (!mask) return given;
    let fields = before;
    for (const path of (mask.fieldPaths ?? []).map(parsePath)) {
      fields = setAt(fields, path, getAt(given, path));
    }
    return fields;
  }

  #transformed(fields, transforms, time) {
    const results = [];
    for (const { fieldPath, ...transform } of transforms) {
      const kinds = Object.keys(transform);
      if (kinds.length !== 1) throw invalid("A FieldTransform has exactly one transformation.");
      const [kind] = kinds;
      const path = parsePath(fieldPath ?? "");
      const base = getAt(fields, path);
      const list = () => (transform[kind].values ?? []).map(storedValue);
      const value = {
        increment: () => increment(base, storedValue(transform.increment)),
        maximum: () => extreme(base, storedValue(transform.maximum), 1),
        minimum: () => extreme(base, storedValue(transform.minimum), -1),
        appendMissingElements: () => appendMissing(base, list()),
        removeAllFromArray: () => removeAll(base, list()),
        setToServerValue: () => {
          if (transform[kind] !== "REQUEST_TIME") throw invalid("Unknown server value.");
          return { timestampValue: formatTime(Math.floor(time / 1000) * 1000) };
        },
      }[kind]();
      fields = setAt(fields, path, value);
      results.push("arrayValue" in value ? { nullValue: null } : value);
    }
    return { fields, results };
  }

  // All writes, or none. A transaction is over, whatever comes of it.
  #commit({ writes = [], transaction: id }) {
    const transaction = this.#transaction(id);
    this.#transactions.delete(id);
    if (transaction?.readOnly && writes.length) {
      throw invalid("Cannot modify entities in a read-only transaction.");
    }
    for (const [name, updateTime] of transaction?.reads ?? []) {
      if ((this.documents.get(name)?.updateTime ?? 0) !== updateTime) {
        throw symptomError("firestore_aborted");
      }
    }
    const counts = new Map();
    for (const write of writes) {
      const name = write.update?.name ?? write.transform?.document;
      const more = write.updateTransforms?.length ?? write.transform?.fieldTransforms?.length ?? 0;
      counts.set(name, (counts.get(name) ?? 0) + more);
      if (counts.get(name) > MAX_TRANSFORMS) {
        throw invalid(`At most ${MAX_TRANSFORMS} transforms of a document in one commit.`);
      }
    }
    const time = this.#time();
    const scratch = new Scratch(this.documents);
    const writeResults = writes.map((write) => this.#write(scratch, write, time));
    scratch.apply();
    return { ...(writes.length && { writeResults }), commitTime: formatTime(time) };
  }

  #paths(list) {
    return list?.length ? list.map(parsePath) : null;
  }

  // --- methods ----------------------------------------------------------------------------------

  #list({ parent, collectionId, query }) {
    const { pageSize = "300", pageToken, orderBy, showMissing, readTime } = query;
    if (readTime) throw absent("readTime");
    checkId(collectionId);
    const order = orderBy?.split(",").map((one) => {
      const [fieldPath, direction = "asc"] = one.trim().split(/ +/);
      return { field: { fieldPath }, direction: direction === "desc" ? "DESCENDING" : "ASCENDING" };
    });
    const structured = { from: [{ collectionId }], orderBy: order };
    let { documents } = this.#run(structured, parent);
    if (showMissing === "true") documents = this.#withMissing(documents, `${parent}/${collectionId}/`);
    const token = pageToken && Buffer.from(pageToken, "base64url").toString();
    const from = token ? documents.findIndex(({ name }) => name === token) + 1 : 0;
    if (token && from === 0) throw invalid("Invalid page token.");
    const size = Number(pageSize) || 300;
    const page = documents.slice(from, from + size);
    const paths = this.#paths(query["mask.fieldPaths"]);
    return {
      ...(page.length && { documents: page.map((document) => this.#shown(document, paths)) }),
      ...(from + size < documents.length &&
        { nextPageToken: Buffer.from(page.at(-1).name).toString("base64url") }),
    };
  }

  // And those that are not there, but have collections below them.
  #withMissing(documents, prefix) {
    const depth = prefix.split("/").length;
    const names = [...this.documents.keys()].filter((name) => name.startsWith(prefix))
      .map((name) => name.split("/").slice(0, depth).join("/"));
    const missing = [...new Set(names)].filter((name) => !this.documents.has(name));
    return [...documents, ...missing.map((name) => ({ name, fields: {} }))].sort(byName);
  }

  #all() {
    return [...this.documents.values()].sort(byName);
  }

  #run(query, parent) {
    if (this.#orders.of !== this.documents.changes) {
      this.#orders = Object.assign(new Map(), { of: this.documents.changes });
    }
    return runQuery(query, parent, () => [...this.documents.values()], this.#world.settings,
      this.#orders);
  }

  #precondition(query) {
    const exists = query["currentDocument.exists"];
    const updateTime = query["currentDocument.updateTime"];
    if (exists === undefined && updateTime === undefined) return {};
    return {
      currentDocument: {
        ...(exists !== undefined && { exists: exists === "true" }),
        ...(updateTime !== undefined && { updateTime }),
      },
    };
  }

  #methods = {
    get({ name, query }) {
      if (query.readTime) throw absent("readTime");
      const document = this.#read(name, this.#transaction(query.transaction));
      if (!document) throw new ApiError("NOT_FOUND", `Document "${name}" not found.`);
      return this.#shown(document, this.#paths(query["mask.fieldPaths"]));
    },

    list(call) {
      return this.#list(call);
    },

    listDocuments(call) {
      return this.#list(call);
    },

    createDocument({ parent, collectionId, query, body }) {
      if (body.name) throw invalid("document.name must not be set");
      const name = `${parent}/${collectionId}/${query.documentId || newId()}`;
      this.#commit({ writes: [{ update: { ...body, name }, currentDocument: { exists: false } }] });
      return this.#shown(this.documents.get(name), this.#paths(query["mask.fieldPaths"]));
    },

    patch({ name, query, body }) {
      if (body.name && body.name !== name) throw invalid("The names in path and body differ.");
      const fieldPaths = query["updateMask.fieldPaths"];
      this.#commit({
        writes: [{
          update: { ...body, name }, ...(fieldPaths && { updateMask: { fieldPaths } }),
          ...this.#precondition(query),
        }],
      });
      return this.#shown(this.documents.get(name), this.#paths(query["mask.fieldPaths"]));
    },

    delete({ name, query }) {
      this.#commit({ writes: [{ delete: name, ...this.#precondition(query) }] });
      return {};
    },

    commit({ body }) {
      return this.#commit(body);
    },

    batchWrite({ body }) {
      const outcomes = (body.writes ?? []).map((write) => {
        try {
          return [this.#commit({ writes: [write] }).writeResults[0], {}];
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          return [{}, { code: CODES[error.code][0], message: error.message }];
        }
      });
      return {
        writeResults: outcomes.map(([result]) => result), status: outcomes.map(([, one]) => one),
      };
    },

    batchGet({ body }) {
      const paths = this.#paths(body.mask?.fieldPaths);
      return this.#stream(body, (transaction, readTime) =>
        [...new Set(body.documents ?? [])].map((name) => {
          const document = this.#read(name, transaction);
          return document ? { found: this.#shown(document, paths), readTime } : { missing: name, readTime };
        }));
    },

    beginTransaction({ body }) {
      return { transaction: this.#begin(body.options) };
    },

    rollback({ body }) {
      this.#transaction(body.transaction ?? " ");
      this.#transactions.delete(body.transaction);
      return {};
    },

    runQuery({ parent, body }) {
      return this.#stream(body, (transaction, readTime) => {
        const { documents, skipped } = this.#query(parent, body.structuredQuery);
        for (const { name } of documents) this.#read(name, transaction);
        if (documents.length === 0) return [{ readTime, ...(skipped && { skippedResults: skipped }) }];
        return documents.map((document, i) => ({
          document: this.#shown(document), readTime, ...(i === 0 && skipped && { skippedResults: skipped }),
        }));
      });
    },

    runAggregationQuery({ parent, body }) {
      return this.#stream(body, (transaction, readTime) => {
        const { structuredQuery, aggregations = [] } = body.structuredAggregationQuery ?? {};
        if (aggregations.length < 1 || aggregations.length > 5) {
          throw invalid("An aggregation query has 1 to 5 aggregations.");
        }
        const { documents } = this.#query(parent, structuredQuery);
        const aggregateFields = {};
        aggregations.forEach(({ alias, count }, i) => {
          if (!count) throw absent("aggregations other than count");
          const most = Number(count.upTo ?? Infinity);
          if (!(most > 0)) throw invalid("upTo must be greater than zero.");
          aggregateFields[alias ?? `field_${i + 1}`] =
            { integerValue: String(Math.min(documents.length, most)) };
        });
        return [{ result: { aggregateFields }, readTime }];
      });
    },

    listCollectionIds({ parent }) {
      const ids = this.#all().filter(({ name }) => name.startsWith(`${parent}/`))
        .map(({ name }) => name.slice(parent.length + 1).split("/")[0]);
      return ids.length ? { collectionIds: [...new Set(ids)] } : {};
    },
  };

  #query(parent, query) {
    if (!query) throw invalid("A query is missing.");
    if (!/\/documents$/.test(parent)) parseDocumentName(parent);
    return this.#run(query, parent);
  }
}

// Documents as a commit would leave them, until it has come through.
class Scratch {
  #base;
  #changes = new Map();

  constructor(base) {
    this.#base = base;
  }

  get(name) {
    return this.#changes.has(name) ? this.#changes.get(name) : this.#base.get(name);
  }

  set(name, document) {
    this.#changes.set(name, document);
  }

  apply() {
    for (const [name, document] of this.#changes) {
      if (document) this.#base.set(name, document);
      else this.#base.delete(name);
    }
  }
}
