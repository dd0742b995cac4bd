// Structured queries: which documents, in which order, from which position.

import { ApiError, invalid } from "./rpc.mjs";
import {
  checkId, compareNames, compareValues, getAt, kindOf, masked, parsePath, rankOf, storedValue,
} from "./firestore_value.mjs";

const NAME = "__name__";
const MAX_DISJUNCTIONS = 30;
const MAX_NOT_IN = 10;
const INEQUALITIES = ["LESS_THAN", "LESS_THAN_OR_EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL",
  "NOT_EQUAL", "NOT_IN", "IS_NOT_NULL", "IS_NOT_NAN"];

const fieldOf = (document, path) =>
  path[0] === NAME ? { referenceValue: document.name } : getAt(document.fields, path);
const isNan = (value) => value.doubleValue === "NaN";
const isNull = (value) => kindOf(value) === "nullValue";
const equal = (a, b) => !isNull(b) && !isNan(b) && compareValues(a, b) === 0;

function inRange(accept) {
  return (value, operand) => rankOf(value) === rankOf(operand) && !isNull(value) && !isNan(value) &&
    !isNan(operand) && accept(compareValues(value, operand));
}

function listOf(operand, most) {
  const values = operand.arrayValue?.values ?? [];
  if (values.length === 0) throw invalid("'IN' requires an non-empty ArrayValue.");
  if (values.length > most) throw invalid(`'IN' supports up to ${most} comparison values.`);
  return values;
}

const FIELD_OPS = {
  LESS_THAN: inRange((by) => by < 0),
  LESS_THAN_OR_EQUAL: inRange((by) => by <= 0),
  GREATER_THAN: inRange((by) => by > 0),
  GREATER_THAN_OR_EQUAL: inRange((by) => by >= 0),
  EQUAL: equal,
  NOT_EQUAL: (value, operand) => !isNull(value) && !isNull(operand) && !equal(value, operand),
  ARRAY_CONTAINS: (value, operand) =>
    (value.arrayValue?.values ?? []).some((item) => equal(item, operand)),
  IN: (value, operand) => listOf(operand, MAX_DISJUNCTIONS).some((item) => equal(value, item)),
  ARRAY_CONTAINS_ANY: (value, operand) => {
    const wanted = listOf(operand, MAX_DISJUNCTIONS);
    return (value.arrayValue?.values ?? []).some((item) => wanted.some((one) => equal(item, one)));
  },
  NOT_IN: (value, operand) => {
    const unwanted = listOf(operand, MAX_NOT_IN);
    return !isNull(value) && !unwanted.some((item) => isNull(item) || equal(value, item));
  },
};

const UNARY_OPS = {
  IS_NULL: isNull, IS_NOT_NULL: (value) => !isNull(value),
  IS_NAN: isNan, IS_NOT_NAN: (value) => !isNull(value) && !isNan(value),
};

// The filter as a test; what it compares is collected in `used`: [path, op].
function compile(filter, used) {
  const kinds = Object.keys(filter);
  if (kinds.length !== 1) throw invalid("A Filter is exactly one of its kinds.");
  if (filter.compositeFilter) {
    const { op, filters = [] } = filter.compositeFilter;
    if (op !== "AND" && op !== "OR") throw invalid("A composite filter needs an operator.");
    const tests = filters.map((inner) => compile(inner, used));
    if (tests.length === 0) return () => true;
    return op === "AND"
      ? (document) => tests.every((test) => test(document))
      : (document) => tests.some((test) => test(document));
  }
  const { field, op, value } = filter.fieldFilter ?? filter.unaryFilter;
  if (!field?.fieldPath) throw invalid("A filter needs a field.");
  const path = parsePath(field.fieldPath);
  const test = (filter.fieldFilter ? FIELD_OPS : UNARY_OPS)[op];
  if (!test) throw invalid(`A filter cannot have the operator ${op}.`);
  used.push([field.fieldPath, op]);
  const operand = value === undefined ? undefined : storedValue(value);
  if (filter.fieldFilter && !operand) throw invalid("A field filter needs a value.");
  if (path[0] === NAME && ![operand, ...(operand?.arrayValue?.values ?? [])].some((one) =>
    one && "referenceValue" in one)) {
    throw invalid("__key__ filter value must be a Key");
  }
  if (/IN|ANY/.test(op) && filter.fieldFilter) test({ nullValue: null }, operand); // its limits
  return (document) => {
    const found = fieldOf(document, path);
    return found !== undefined && test(found, operand);
  };
}

// The order that was asked for, then the fields of inequalities, then the name.
function fullOrder(orderBy, used) {
  const order = orderBy.map(({ field, direction }) => {
    if (!field?.fieldPath) throw invalid("An order needs a field.");
    return { field: field.fieldPath, sign: direction === "DESCENDING" ? -1 : 1 };
  });
  const sign = order.at(-1)?.sign ?? 1;
  const unequal = [...new Set(used.filter(([, op]) => INEQUALITIES.includes(op)).map(([f]) => f))];
  for (const field of [...unequal.sort(), NAME]) {
    if (!order.some((one) => one.field === field)) order.push({ field, sign });
  }
  const end = order.findIndex(({ field }) => field === NAME) + 1;
  return order.slice(0, end).map((one) => ({ ...one, path: parsePath(one.field) }));
}

const keyOf = (document, order) => order.map(({ path }) => fieldOf(document, path));

function compareKeys(a, b, order) {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const by = compareValues(a[i], b[i]) * order[i].sign;
    if (by !== 0) return by;
  }
  return 0;
}

function cursor(position, order) {
  const values = (position.values ?? []).map(storedValue);
  if (values.length > order.length) throw invalid("Cursor has too many values.");
  values.forEach((value, i) => {
    if (order[i].field === NAME && !("referenceValue" in value)) {
      throw invalid("Cursor __key__ value is not a document reference.");
    }
  });
  return values;
}

// The composite index that a query needs, as indexes.json has it, or null: single fields are
// indexed of themselves, by ascending name with each value, and equalities are merged.
function neededIndex({ from, order, used }) {
  const ordered = order.filter(({ field }) => field !== NAME);
  const name = order.at(-1);
  const wide = from.allDescendants ? "COLLECTION_GROUP" : "COLLECTION";
  const equalities = [...new Set(used.filter(([, op]) => !INEQUALITIES.includes(op)).map(([f]) => f))]
    .filter((field) => field !== NAME && !ordered.some((one) => one.field === field));
  if (ordered.length === 0 && (name.sign === 1 || equalities.length > 0)) return null;
  if (ordered.length === 1 && equalities.length === 0 && ordered[0].sign === name.sign) return null;
  const fields = [
    ...equalities.map((fieldPath) => ({ fieldPath, order: "ASCENDING" })),
    ...(ordered.length ? ordered : [name]).map(({ field, sign }) =>
      ({ fieldPath: field, order: sign === 1 ? "ASCENDING" : "DESCENDING" })),
  ];
  const last = ordered.at(-1)?.sign ?? name.sign;
  if (ordered.length && name.sign !== last) {
    fields.push({ fieldPath: NAME, order: name.sign === 1 ? "ASCENDING" : "DESCENDING" });
  }
  return { collectionGroup: from.collectionId, queryScope: wide, fields };
}

// Equalities may stand in any order, the rest must be as it is, or all of it reversed.
function serves(index, needed, equalities) {
  const flip = { ASCENDING: "DESCENDING", DESCENDING: "ASCENDING" };
  const text = (fields, turn = (one) => one) =>
    fields.map(({ fieldPath, order }) => `${fieldPath} ${turn(order)}`).join();
  const names = (fields) => fields.map(({ fieldPath }) => fieldPath).sort().join();
  const has = index.fields.filter(({ fieldPath }, i) => fieldPath !== NAME ||
    i < index.fields.length - 1 || needed.fields.at(-1).fieldPath === NAME);
  const [tail, hasTail] = [needed.fields.slice(equalities), has.slice(equalities)];
  return index.collectionGroup === needed.collectionGroup &&
    (index.queryScope ?? "COLLECTION") === needed.queryScope &&
    names(needed.fields.slice(0, equalities)) === names(has.slice(0, equalities)) &&
    (text(hasTail) === text(tail) || text(hasTail) === text(tail, (order) => flip[order]));
}

function checkIndex(plan, { indexes, project }) {
  const needed = neededIndex(plan);
  if (!needed) return;
  // A scan of names backwards has no index until one is made; others matter where they are listed.
  const onlyName = needed.fields.length === 1;
  if (!indexes && !onlyName) return;
  const ordered = plan.order.filter(({ field }) => field !== NAME).map(({ field }) => field);
  const equalities = needed.fields.filter(({ fieldPath }) =>
    fieldPath !== NAME && !ordered.includes(fieldPath)).length;
  if (indexes?.some((index) => serves(index, needed, equalities))) return;
  const create = Buffer.from(JSON.stringify(needed)).toString("base64url");
  throw new ApiError("FAILED_PRECONDITION",
    "The query requires an index. You can create it here: https://console.firebase.google.com/v1/" +
    `r/project/${project}/firestore/indexes?create_composite=${create}`);
}

function isIn(name, parent, { collectionId, allDescendants }) {
  if (!name.startsWith(`${parent}/`)) return false;
  const parts = name.slice(parent.length + 1).split("/");
  if (!allDescendants && parts.length !== 2) return false;
  return !collectionId || parts.at(-2) === collectionId;
}

// The place of the first in an ordered list for which `test` is true, as it is for all behind it.
function firstIndex(list, test) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (test(list[middle])) high = middle; else low = middle + 1;
  }
  return low;
}

// { documents, skipped }: what the query finds among all() below `parent`. `orders` keeps what was
// put in order, as an index does: the caller forgets it with every write.
export function runQuery(query, parent, all, settings, orders) {
  const { from: sources = [], where, orderBy = [], startAt, endAt, offset = 0, select } = query;
  const { limit = Infinity } = query;
  if (sources.length !== 1) throw invalid("A query needs exactly one collection in 'from'.");
  if (sources[0].collectionId) checkId(sources[0].collectionId);
  if (limit < 0) throw invalid("limit is negative");
  if (offset < 0) throw invalid("offset is negative");
  if (query.findNearest) throw invalid("The stand-in does not have vector searches.");
  const used = [];
  const test = where ? compile(where, used) : () => true;
  const order = fullOrder(orderBy, used);
  checkIndex({ from: sources[0], order, used }, settings);

  const index = JSON.stringify([parent, sources, where, orderBy]);
  let found = orders.get(index) ?? all()
    .filter((document) => isIn(document.name, parent, sources[0]) && test(document))
    .map((document) => [keyOf(document, order), document])
    .filter(([key]) => key.every((value) => value !== undefined))
    .sort(([a], [b]) => compareKeys(a, b, order));
  orders.set(index, found);
  if (endAt) {
    const most = cursor(endAt, order);
    found = found.slice(0, firstIndex(found, ([key]) => {
      const by = compareKeys(key, most, order);
      return endAt.before ? by >= 0 : by > 0;
    }));
  }
  if (startAt) {
    const least = cursor(startAt, order);
    found = found.slice(firstIndex(found, ([key]) => {
      const by = compareKeys(key, least, order);
      return startAt.before ? by >= 0 : by > 0;
    }));
  }
  const skipped = Math.min(offset, found.length);
  const paths = select?.fields?.length ? select.fields.map(({ fieldPath }) => parsePath(fieldPath)) : null;
  const documents = found.slice(offset, offset + limit).map(([, document]) => (paths
    ? { ...document, fields: masked(document.fields, paths) } : document));
  return { documents, skipped };
}

export const byName = (a, b) => compareNames(a.name, b.name);
