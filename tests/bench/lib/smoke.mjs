// What ./dev bench --smoke holds its own run against: results, never times.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./programs.mjs";
import { markdown, middle } from "./table.mjs";

// Three passes of which we know what comes of them.
function checkTable() {
  const passes = [[300, 600], [100, 500], [200, 250]].map(([value, peer]) =>
    ({ name: "work", value, peers: { it: peer }, reach: 400 }));
  assert.equal(markdown([middle(passes)]).split("\n")[2],
    "| work | 200 /s | 100 to 300 |  | 0.50 of it (250) | 0.50 of 400 |  |");
}

// Well-formed, with a curve for each series and a circle for each of its points.
async function checkPicture(path, { series }) {
  await run("xmllint", ["--noout", path]);
  const svg = await readFile(path, "utf8");
  assert.equal(svg.match(/<polyline /g).length, series.length, path);
  assert.equal(svg.match(/<circle /g).length, series.flatMap(({ points }) => points).length, path);
  assert.doesNotMatch(svg, /NaN|Infinity|undefined/, path);
}

export async function check(rows, figures, dir, pictures) {
  checkTable();
  for (const { name } of rows) assert.ok(figures.some((figure) => figure.name === name), `no row: ${name}`);
  for (const { name, value, peers = {} } of figures) {
    for (const n of [value, ...Object.values(peers)]) assert.ok(n > 0 && n < Infinity, `${name}: ${n}`);
  }
  assert.deepEqual(Object.keys(pictures), ["throughput.svg", "memory.svg", "echo.svg", "latency.svg"]);
  for (const [name, picture] of Object.entries(pictures)) await checkPicture(join(dir, name), picture);
}
