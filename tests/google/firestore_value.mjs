// Firestore's values: what is valid, how it is stored, compared and measured; and paths of fields.

import { invalid } from "./rpc.mjs";

export const MAX_DOCUMENT_BYTES = 1_048_576;
const MAX_VALUE_BYTES = 1_048_487;
const MAX_DEPTH = 20;
const MAX_NAME_BYTES = 1500;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

const bytesOf = (text) => Buffer.byteLength(text, "utf8");

// --- times: whole microseconds since 1970 ---------------------------------------------------------

export function parseTime(text) {
  const [, seconds, fraction = "", zone] = /^(.{19})(?:\.(\d+))?(.*)$/.exec(text);
  const micros = Number(fraction.padEnd(6, "0").slice(0, 6)); // further digits: rounded down
  return Date.parse(seconds + zone) * 1000 + micros;
}

function timeText(seconds, micros) {
  const digits = micros.replace(/^000000$|000$/, "");
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}${digits && "."}${digits}Z`;
}

export function formatTime(micros) {
  const seconds = Math.floor(micros / 1_000_000);
  return timeText(seconds, String(micros - seconds * 1_000_000).padStart(6, "0"));
}

// Of any year, where a number of microseconds would not be exact.
function storedTime(text) {
  const [, whole, fraction = "", zone] = /^(.{19})(?:\.(\d+))?(.*)$/.exec(text);
  return timeText(Date.parse(whole + zone) / 1000, fraction.padEnd(6, "0").slice(0, 6));
}

const sortable = (text) => text.slice(0, -1).padEnd(20, ".").padEnd(26, "0");

// --- validity and stored form ---------------------------------------------------------------------

const KINDS = {
  nullValue: () => null,
  booleanValue: (value) => value,
  integerValue: (value) => String(BigInt(value)),
  doubleValue: (value) => (Number.isFinite(Number(value)) ? Number(value) : String(value)),
  timestampValue: storedTime,
  stringValue: (value, at) => limited(value, bytesOf(value), at),
  bytesValue(value, at) {
    const bytes = Buffer.from(value, "base64");
    return limited(bytes.toString("base64"), bytes.length, at);
  },
  referenceValue(value) {
    parseDocumentName(value);
    return value;
  },
  geoPointValue({ latitude = 0, longitude = 0 }) {
    if (Math.abs(latitude) > 90 || Math.abs(longitude) > 180) {
      throw invalid(`Geo point '${latitude},${longitude}' outside permitted range.`);
    }
    return { ...(latitude && { latitude }), ...(longitude && { longitude }) };
  },
  arrayValue({ values = [] }, at, depth) {
    if (values.some((value) => "arrayValue" in value)) {
      throw invalid("Cannot convert an array value in an array value.");
    }
    return values.length ? { values: values.map((value) => stored(value, at, depth + 1)) } : {};
  },
  mapValue({ fields = {} }, at, depth) {
    const kept = storedFields(fields, at, depth + 1);
    return Object.keys(kept).length ? { fields: kept } : {};
  },
};

function limited(value, size, at) {
  if (size > MAX_VALUE_BYTES) {
    throw invalid(`The value of property "${at}" is longer than ${MAX_VALUE_BYTES} bytes.`);
  }
  return value;
}

function stored(value, at, depth) {
  const kinds = Object.keys(value).filter((kind) => kind === "nullValue" || value[kind] !== null);
  if (kinds.length === 0) throw invalid("Cannot convert firestore.v1.Value with type unset.");
  if (kinds.length > 1) throw invalid(`A Value is one of ${kinds.join(", ")}, not all of them.`);
  const [kind] = kinds;
  if (!KINDS[kind]) throw invalid(`A ${kind} cannot be stored.`);
  if (depth > MAX_DEPTH) throw invalid(`Property ${at} contains an invalid nested entity.`);
  return { [kind]: KINDS[kind](value[kind], at, depth) };
}

export const storedValue = (value) => stored(value, "value", 0);

export function storedFields(fields, at = "", depth = 0) {
  const kept = {};
  for (const [name, value] of Object.entries(fields)) {
    checkFieldName(name);
    kept[name] = stored(value, at || name, depth);
  }
  return kept;
}

function checkFieldName(name) {
  if (name === "") throw invalid("The property.name is the empty string.");
  if (/^__.*__$/s.test(name)) throw invalid(`field name ${name} is reserved`);
  if (bytesOf(name) > MAX_NAME_BYTES) {
    throw invalid(`Property name is longer than ${MAX_NAME_BYTES} bytes.`);
  }
}

// --- order (cloud.google.com/firestore/docs/concepts/data-types) ------------------------------------

const RANK = {
  nullValue: 0, booleanValue: 1, integerValue: 2, doubleValue: 2, timestampValue: 3, stringValue: 4,
  bytesValue: 5, referenceValue: 6, geoPointValue: 7, arrayValue: 8, mapValue: 9,
};

export const kindOf = (value) => Object.keys(value)[0];
export const rankOf = (value) => RANK[kindOf(value)];
const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const bytewise = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));

function compareNumbers(a, b) {
  const [x, y] = [a, b].map((value) => "integerValue" in value
    ? BigInt(value.integerValue) : Number(value.doubleValue));
  const [noX, noY] = [Number.isNaN(x), Number.isNaN(y)];
  return noX || noY ? order(noY, noX) : order(x, y); // JavaScript compares BigInt and Number exactly
}

function compareLists(a, b, compareItems) {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const by = compareItems(a[i], b[i]);
    if (by !== 0) return by;
  }
  return order(a.length, b.length);
}

const sorted = (fields = {}) => Object.entries(fields).sort(([a], [b]) => bytewise(a, b));

export function compareNames(a, b) {
  return compareLists(a.split("/"), b.split("/"), bytewise);
}

const COMPARE = [
  () => 0,
  (a, b) => order(a.booleanValue, b.booleanValue),
  compareNumbers,
  (a, b) => bytewise(sortable(a.timestampValue), sortable(b.timestampValue)),
  (a, b) => bytewise(a.stringValue, b.stringValue),
  (a, b) => Buffer.compare(Buffer.from(a.bytesValue, "base64"), Buffer.from(b.bytesValue, "base64")),
  (a, b) => compareNames(a.referenceValue, b.referenceValue),
  ({ geoPointValue: a }, { geoPointValue: b }) =>
    order(a.latitude ?? 0, b.latitude ?? 0) || order(a.longitude ?? 0, b.longitude ?? 0),
  (a, b) => compareLists(a.arrayValue.values ?? [], b.arrayValue.values ?? [], compareValues),
  (a, b) => compareLists(sorted(a.mapValue.fields), sorted(b.mapValue.fields),
    ([nameA, valueA], [nameB, valueB]) => bytewise(nameA, nameB) || compareValues(valueA, valueB)),
];

export function compareValues(a, b) {
  return order(rankOf(a), rankOf(b)) || COMPARE[rankOf(a)](a, b);
}

// --- size (cloud.google.com/firestore/docs/storage-size) --------------------------------------------

function sizeOfValue(value) {
  const kind = kindOf(value);
  const inner = value[kind];
  switch (kind) {
    case "nullValue": case "booleanValue": return 1;
    case "stringValue": return bytesOf(inner) + 1;
    case "bytesValue": return Buffer.from(inner, "base64").length;
    case "geoPointValue": return 16;
    case "referenceValue": return sizeOfName(inner);
    case "arrayValue": return (inner.values ?? []).reduce((sum, item) => sum + sizeOfValue(item), 0);
    case "mapValue": return sizeOfFields(inner.fields);
    default: return 8;
  }
}

function sizeOfFields(fields = {}) {
  return Object.entries(fields)
    .reduce((sum, [name, value]) => sum + bytesOf(name) + 1 + sizeOfValue(value), 32);
}

function sizeOfName(name) {
  return name.split("/").slice(5).reduce((sum, part) => sum + bytesOf(part) + 1, 16);
}

export const sizeOfDocument = ({ name, fields }) => sizeOfName(name) + sizeOfFields(fields);

// --- names ------------------------------------------------------------------------------------------

const NAME = /^projects\/([^/]+)\/databases\/([^/]+)\/documents\/(.+)$/s;

export function parseDocumentName(name) {
  const hit = NAME.exec(name);
  if (!hit) throw invalid(`Resource name "${name}" is not that of a document.`);
  const parts = hit[3].split("/");
  if (parts.length % 2 !== 0) {
    throw invalid(`Document name "${name}" lacks "/" at index ${name.length}.`);
  }
  if (bytesOf(name) > 6144) throw invalid("The name of a document is at most 6 KiB.");
  parts.forEach(checkId);
  return { project: hit[1], database: hit[2], parts };
}

export function checkId(id) {
  if (id === "" || id === "." || id === ".." || /^__.*__$/s.test(id) || id.includes("/")) {
    throw invalid(`Resource id "${id}" is invalid because it is reserved.`);
  }
  if (bytesOf(id) > MAX_NAME_BYTES) throw invalid(`Resource id is longer than ${MAX_NAME_BYTES} bytes.`);
}

// --- paths of fields --------------------------------------------------------------------------------

export function parsePath(path) {
  const parts = [];
  const part = /(?:([A-Za-z_]\w*)|`((?:[^`\\]|\\.)+)`)(\.|$)/sy;
  for (let ends = false; !ends;) {
    const hit = part.exec(path);
    if (!hit) {
      throw invalid(`Invalid property path "${path}". Unquoted property paths must match regex ` +
        "([a-zA-Z_][a-zA-Z_0-9]*), and quoted property paths must match regex " +
        "(`(?:[^`\\\\]|(?:\\\\.))+`)");
    }
    parts.push(hit[1] ?? hit[2].replace(/\\(.)/gs, "$1"));
    ends = hit[3] === "";
  }
  if (parts[0] !== "__name__") parts.forEach(checkFieldName);
  return parts;
}

export function getAt(fields, path) {
  let value;
  for (const name of path) {
    value = fields && Object.hasOwn(fields, name) ? fields[name] : undefined;
    fields = value?.mapValue?.fields;
  }
  return value;
}

// Returns new fields; maps on the way are made, or with `value` undefined left alone.
export function setAt(fields = {}, [name, ...rest], value) {
  const copy = { ...fields };
  if (rest.length > 0) {
    const inner = copy[name]?.mapValue;
    if (!inner && value === undefined) return copy;
    const changed = setAt(inner?.fields, rest, value);
    copy[name] = { mapValue: Object.keys(changed).length ? { fields: changed } : {} };
  } else if (value === undefined) {
    delete copy[name];
  } else {
    copy[name] = value;
  }
  return copy;
}

// What of the fields a mask shows.
export function masked(fields, paths) {
  let shown = {};
  for (const path of paths) {
    const value = getAt(fields, path);
    if (value !== undefined) shown = setAt(shown, path, value);
  }
  return shown;
}

// --- transforms ------------------------------------------------------------------------------------

const isNumber = (value) => value !== undefined && rankOf(value) === RANK.integerValue;

export function increment(base, operand) {
  if (!isNumber(operand)) throw invalid("Input must be int64 or double.");
  if (!isNumber(base)) return operand;
  if ("integerValue" in base && "integerValue" in operand) {
    const sum = BigInt(base.integerValue) + BigInt(operand.integerValue);
    const kept = sum > INT64_MAX ? INT64_MAX : sum < INT64_MIN ? INT64_MIN : sum;
    return { integerValue: String(kept) };
  }
  const sum = Number(base[kindOf(base)]) + Number(operand[kindOf(operand)]);
  return { doubleValue: Number.isFinite(sum) ? sum : String(sum) };
}

// sign 1: maximum, -1: minimum. Of equals the stored one stays.
export function extreme(base, operand, sign) {
  if (!isNumber(operand)) throw invalid("Input must be int64 or double.");
  if (!isNumber(base)) return operand;
  if (sign < 0 && [base, operand].some(({ doubleValue }) => doubleValue === "NaN")) {
    return { doubleValue: "NaN" };
  }
  return compareValues(operand, base) * sign > 0 ? operand : base;
}

const isIn = (values, value) => values.some((other) => compareValues(other, value) === 0);

export function appendMissing(base, added) {
  const values = [...(base?.arrayValue?.values ?? [])];
  for (const value of added) if (!isIn(values, value)) values.push(value);
  return { arrayValue: values.length ? { values } : {} };
}

export function removeAll(base, removed) {
  const values = (base?.arrayValue?.values ?? []).filter((value) => !isIn(removed, value));
  return { arrayValue: values.length ? { values } : {} };
}
