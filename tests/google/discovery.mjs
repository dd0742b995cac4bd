// Google's discovery documents as judges: which methods there are, and whether a request (or an
// answer of ours) is one that they describe.

import { readFileSync } from "node:fs";
import { ApiError, invalid } from "./rpc.mjs";

const documents = new Map();

export function discovery(name) {
  if (!documents.has(name)) {
    const url = new URL(`discovery/${name}.json`, import.meta.url);
    documents.set(name, new Discovery(JSON.parse(readFileSync(url, "utf8"))));
  }
  return documents.get(name);
}

const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

// The pattern of a path's template. {+name} spans segments as its `pattern` says; where that says
// "documents/…", bare "documents" is a parent as well (the root, which the documents leave out).
function pathPattern(template, parameters) {
  const parts = template.split(/(\{\+?\w+\})/).map((part) => {
    const name = /^\{(\+?)(\w+)\}$/.exec(part);
    if (!name) return escape(part);
    const span = name[1] ? parameters[name[2]].pattern.slice(1, -1) : "[^/]+";
    return `(?<${name[2]}>${span.replace(/documents\/(\[\^\/\]\+\/)?\.\*$/, "documents(?:/.*)?")})`;
  });
  return new RegExp(`^/${parts.join("")}$`);
}

class Discovery {
  #methods = [];

  constructor(document) {
    this.schemas = document.schemas;
    this.scopes = Object.keys(document.auth.oauth2.scopes);
    this.#add(document, document.parameters);
    // The most definite template first: drafts/send before drafts/{id}, :commit before {id}.
    const weight = ({ path }) => path.replace(/\{[^}]*\}/g, "").length;
    this.#methods.sort((a, b) => weight(b) - weight(a));
  }

  #add({ methods = {}, resources = {} }, common) {
    for (const method of Object.values(methods)) {
      const parameters = method.parameters ?? {};
      const paths = [[method.path, false]];
      const upload = method.mediaUpload?.protocols.simple.path;
      if (upload) paths.push([upload.slice(1), true]);
      for (const [path, isUpload] of paths) {
        this.#methods.push({
          ...method, path, isUpload, pattern: pathPattern(path, parameters),
          query: { ...common, ...parameters },
        });
      }
    }
    for (const resource of Object.values(resources)) this.#add(resource, common);
  }

  // The methods that this may be, with the path's variables, best first.
  match(httpMethod, path) {
    const found = [];
    for (const method of this.#methods) {
      if (method.httpMethod !== httpMethod) continue;
      const hit = method.pattern.exec(path);
      if (hit) found.push({ method, variables: { ...hit.groups } });
    }
    return found;
  }

  // The query as an object: arrays for repeated parameters, all else one text.
  checkQuery(method, search) {
    const values = {};
    for (const [given, value] of search) {
      const name = given.replace(/^\$(?=alt$|fields$|prettyPrint$)/, ""); // as Google's clients say it
      const parameter = method.query[name];
      if (!parameter || parameter.location === "path") throw unknownName(name);
      const [plainValue] = name === "alt" ? value.split(";") : [value];
      if (!isScalar(parameter, parameter.type === "string" ? plainValue : plain(value))) {
        throw badValue(name, parameter, value);
      }
      if (parameter.repeated) (values[name] ??= []).push(value);
      else if (name in values) throw invalid(`The parameter ${name} was given twice.`);
      else values[name] = value;
    }
    return values;
  }

  // Throws where the body is not as described; makes words of enums' numbers.
  checkBody(method, body) {
    if (!method.request) throw invalid(`${method.id} takes no body.`);
    if (typeof body !== "object" || body === null || Array.isArray(body)) {
      throw invalid("Invalid JSON payload received. The root element must be an object.");
    }
    this.#check(method.request, body, "");
  }

  // What we answer must be described as well: a defect of ours otherwise.
  checkAnswer(method, answer) {
    this.#check(method.response, answer, "answer");
  }

  #check(schema, value, at) {
    if (schema.$ref) return this.#check(this.schemas[schema.$ref], value, at);
    if (value === null && !schema.enum?.includes("NULL_VALUE")) return; // proto3 JSON: absent
    if (schema.type === "any") return;
    if (schema.type === "array") {
      if (!Array.isArray(value)) throw badValue(at, schema, value);
      value.forEach((item, i) => this.#check(schema.items, item, `${at}[${i}]`));
    } else if (schema.type === "object") {
      if (typeof value !== "object" || Array.isArray(value)) throw badValue(at, schema, value);
      for (const name of Object.keys(value)) {
        const known = Object.hasOwn(schema.properties ?? {}, name);
        const inner = known ? schema.properties[name] : schema.additionalProperties;
        if (!inner) throw unknownName(name, at);
        if (inner.enum && Number.isInteger(value[name])) value[name] = enumWord(inner.enum, value[name]);
        this.#check(inner, value[name], at ? `${at}.${name}` : name);
      }
    } else if (!isScalar(schema, value)) {
      throw badValue(at, schema, value);
    }
  }
}

// Query values are text; what they stand for in JSON.
function plain(text) {
  if (text === "true" || text === "false") return text === "true";
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

// Google's own clients send the numbers of enums. The documents do not have them, but the words are
// in their order; of UnaryFilter.Operator the number 1 is left out (query.proto).
function enumWord(words, number) {
  const index = words[1] === "IS_NAN" && number > 0 ? number - 1 : number;
  return words[index] ?? number;
}

const INTEGER = /^-?(0|[1-9]\d*)$/;
const RANGES = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n], uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n], uint64: [0n, 2n ** 64n - 1n],
};

function inRange(format, value) {
  if (typeof value === "number" ? !Number.isSafeInteger(value) : !INTEGER.test(value)) return false;
  const [least, most] = RANGES[format];
  return BigInt(value) >= least && BigInt(value) <= most;
}

// proto3's JSON mapping of one scalar.
function isScalar({ type, format, enum: words }, value) {
  const isText = typeof value === "string";
  if (words) return (words.includes("NULL_VALUE") && value === null) || words.includes(value);
  if (RANGES[format]) return (isText || typeof value === "number") && inRange(format, value);
  if (type === "boolean") return typeof value === "boolean";
  if (type === "number") {
    return typeof value === "number" || (isText && /^(NaN|-?Infinity)$/.test(value));
  }
  if (type === "integer") return Number.isInteger(value);
  if (!isText) return false;
  if (format === "byte") return isBase64(value);
  if (format === "google-datetime") return isTimestamp(value);
  return !/\p{Cs}/u.test(value);
}

const isBase64 = (text) =>
  /^([A-Za-z0-9+/]*|[A-Za-z0-9_-]*)={0,2}$/.test(text) && text.replace(/=+$/, "").length % 4 !== 1;

const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
const isTimestamp = (text) => TIMESTAMP.test(text) && !Number.isNaN(Date.parse(text));

function violation(field, description) {
  return [{
    "@type": "type.googleapis.com/google.rpc.BadRequest",
    fieldViolations: [{ ...(field && { field }), description }],
  }];
}

function unknownName(name, at) {
  const text = at === undefined
    ? `Invalid JSON payload received. Unknown name "${name}": Cannot bind query parameter. ` +
      `Field '${name}' could not be found in request message.`
    : `Invalid JSON payload received. Unknown name "${name}"${at && ` at '${at}'`}: ` +
      "Cannot find field.";
  return new ApiError("INVALID_ARGUMENT", text, { reason: "badRequest", details: violation(at, text) });
}

function badValue(at, { $ref, type, format, enum: words }, value) {
  const kind = words ? "enum" : `TYPE_${(format ?? $ref ?? type).toUpperCase()}`;
  const shown = (JSON.stringify(value) ?? "nothing").slice(0, 80);
  const text = `Invalid value at '${at}' (${kind}), ${shown}`;
  return new ApiError("INVALID_ARGUMENT", text, { reason: "badRequest", details: violation(at, text) });
}
