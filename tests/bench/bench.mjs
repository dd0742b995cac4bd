// ./dev bench: one table, side by side in one run; ./dev bench --smoke: the same for a moment, to see
// that it still works. BENCH_SECONDS is how long each load lasts; words choose rows by their names.
// Without words the curves are drawn, too, into docs/bench/.

import { curves } from "./lib/curves.mjs";
import { end, workDir } from "./lib/programs.mjs";
import * as rows from "./lib/rows.mjs";

const smoke = process.argv.includes("--smoke");
const words = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const seconds = Number(process.env.BENCH_SECONDS ?? (smoke ? 1 : 5));
const times = smoke ? 3 : 15;

// name, how it is measured, what it is to reach ("<" less is better)
const table = [
  ["draft into Firestore, 64 connections", rows.drafts, { seconds }, 12000],
  ["direct send, tracked, 64 connections", rows.sends, { seconds }, 6000],
  ...(smoke ? [64] : [256, 1000]).map((connections) =>
    [`direct send, 200 ms a call, ${connections} connections`, rows.waiting,
      { seconds: Math.max(seconds, 2), connections }, 0.9 * connections / 0.2]),
  ["JSON in, Lua, JSON out", rows.echo, { seconds }],
  ["draft, durable, embedded store", rows.durable, { seconds }, 10000],
  ["pixel, embedded store", rows.pixel, { seconds }, 10000],
  ["exec to first /ready", rows.startReady, { times }],
  ["exec to first draft (Google)", rows.startDraft, { times }, 25, "<"],
  ["memory, idle", rows.idle, {}, 12, "<"],
  [`attachment of ${smoke ? 5 : 25} MB, direct send: peak`, rows.attachment, { mib: smoke ? 5 : 25 }, 4, "<"],
  ["reload", rows.reload, { times }],
];

const number = (n) => n === undefined ? "" : n >= 100 ? n.toFixed(0) : n.toFixed(1);

function line(name, { rate, unit = "/s", p50, p99, peer, note }, reach, less) {
  const latency = p50 === undefined ? "" : `${number(p50)} / ${number(p99)}`;
  const share = reach === undefined ? "" : less ? `${(rate / reach).toFixed(2)} of at most ${reach}`
    : `${(rate / reach).toFixed(2)} of ${number(reach)}`;
  const beside = peer === undefined ? "" : `${(rate / peer).toFixed(2)} of ${number(peer)}`;
  return [name, `${number(rate)} ${unit}`, latency, beside, share, note ?? ""];
}

const WIDTHS = [46, 13, 17, 18, 24, 0];
const print = (cells) => console.log(cells.map((cell, i) => cell.padEnd(WIDTHS[i])).join("  ").trimEnd());

print(["work", "figure", "p50 / p99, ms", "of the peer", "of what is to be reached", ""]);
try {
  for (const [name, measure, options, reach, less] of table) {
    if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
    print(line(name, await measure(options), reach, less));
  }
  if (words.length === 0) {
    await curves(smoke ? workDir : new URL("../../docs/bench", import.meta.url).pathname,
      { seconds: smoke ? 1 : 3, smoke });
  }
} finally {
  await end();
}
