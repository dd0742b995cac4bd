// ./dev bench: one table, and without words the curves, too, into docs/bench/; see ./dev help and
// docs/performance.md. BENCH_SECONDS is how long each load lasts.

import { parseArgs } from "node:util";
import { curves } from "./lib/curves.mjs";
import { end, workDir } from "./lib/programs.mjs";
import { rows, smokeRows } from "./lib/rows.mjs";
import { check } from "./lib/smoke.mjs";
import { markdown, middle, plain } from "./lib/table.mjs";

const { values: { smoke, times, ...options }, positionals: words } = parseArgs({ allowPositionals: true,
  options: { smoke: { type: "boolean" }, markdown: { type: "boolean" },
    times: { type: "string", default: "1" } } });
const seconds = Number(process.env.BENCH_SECONDS ?? (smoke ? 0.2 : 5));
const chosen = (smoke ? smokeRows : rows)(seconds)
  .filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));

const say = (text) => process.stderr.write(`${text}\n`);

// All rows once: the figures of each, in their order.
async function pass(which) {
  const figures = [];
  for (const { name, measure, options: how, ...goal } of chosen) {
    const began = performance.now();
    const [first, ...more] = await measure(how);
    figures.push({ name, ...goal, ...first },
      ...more.map(({ what, ...figure }) => ({ name: `${name}: ${what}`, ...figure })));
    say(`${which}${name}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  }
  return figures;
}

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => end().then(() => process.exit(1)));
}
try {
  if (chosen.length === 0) throw new Error(`no row has any of these words in its name: ${words.join(", ")}`);
  if (!(Number(times) >= 1)) throw new Error(`--times: how often, e.g. 3; not ${times}`);
  const passes = [];
  for (let i = 1; i <= Number(times); i++) passes.push(await pass(Number(times) > 1 ? `${i}/${times} ` : ""));
  const figures = passes[0].map((_, i) => middle(passes.map((all) => all[i])));
  console.log((options.markdown ? markdown : plain)(figures));
  if (words.length === 0) {
    const dir = smoke ? workDir : new URL("../../docs/bench", import.meta.url).pathname;
    const pictures = await curves(dir, { seconds: smoke ? 1 : 3, smoke, say });
    if (smoke) await check(chosen, figures, dir, pictures);
  }
} finally {
  await end();
}
