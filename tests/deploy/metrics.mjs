// What /metrics has, as docs/observability.md says, which is held against the program
// (e2e/observability.test.mjs): names, and their labels with their values where these are a closed set.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { codes, tableOf } from "../e2e/lib/document.mjs";
import { ROOT } from "./cloudrun.mjs";

const page = await readFile(join(ROOT, "docs/observability.md"), "utf8");
const rows = tableOf(page, "metric").map(([name, type, labels]) => ({ name: codes(name)[0], type, labels }));

// What the collector adds, and histograms have.
const ADDED = { namespace: null, job: null, instance: null, le: null };

// "`api`: `gmail`, `iam`; `code`": { api: Set of its values, code: null }
function labelsOf(cell) {
  const sets = cell.split("; ").map((label) => codes(label)).filter(([name]) => name)
    .map(([name, ...values]) => [name, values.length > 0 ? new Set(values) : null]);
  return { ...Object.fromEntries(sets), ...ADDED };
}

// { name: { label: Set of values, or null: any } }, histograms by the names of their series.
export const metrics = Object.fromEntries(rows.flatMap(({ name, type, labels }) =>
  (type === "histogram" ? ["_bucket", "_sum", "_count"] : [""])
    .map((suffix) => [name + suffix, labelsOf(labels)])));

export const names = rows.map(({ name }) => name);
