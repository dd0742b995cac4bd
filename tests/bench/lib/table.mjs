// Figures as a table: { name, value, unit, p50, p99, peers: { name: value }, reach | atMost, note }.

import { median } from "./bed.mjs";

const HEAD = ["work", "figure", "spread", "p50 / p99, ms", "beside", "to reach", ""];

const number = (n) => n >= 100 ? n.toFixed(0) : n.toFixed(n < 10 ? 2 : 1);

// Of the same figure in several passes, one: that in the middle, with the spread of all. What it is of
// a peer was measured in the same pass, when the machine was as fast for both.
export function middle(passes) {
  const values = passes.map(({ value }) => value).sort((a, b) => a - b);
  const figure = passes.find(({ value }) => value === median(values));
  const shares = Object.keys(figure.peers ?? {}).map((name) =>
    [name, median(passes.map(({ value, peers }) => value / peers[name]))]);
  return { ...figure, least: values[0], most: values.at(-1), shares: Object.fromEntries(shares) };
}

function cells({ name, value, unit = "/s", least, most, p50, p99, peers, shares, reach, atMost, note }) {
  return [
    name, `${number(value)} ${unit}`,
    least === most ? "" : `${number(least)} to ${number(most)}`,
    p50 === undefined ? "" : `${number(p50)} / ${number(p99)}`,
    Object.entries(shares).map(([peer, share]) => `${share.toFixed(2)} of ${peer} (${number(peers[peer])})`).join(", "),
    reach ? `${(value / reach).toFixed(2)} of ${reach}` : atMost ? `${number(value)}, at most ${atMost}` : "",
    note ?? "",
  ];
}

export function plain(figures) {
  const lines = [HEAD, ...figures.map(cells)];
  const widths = HEAD.map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  return lines.map((line) => line.map((cell, i) => cell.padEnd(widths[i])).join("  ").trimEnd()).join("\n");
}

export function markdown(figures) {
  const lines = [HEAD, HEAD.map((_, i) => i === 1 ? "---:" : "---"), ...figures.map(cells)];
  return lines.map((line) => `| ${line.join(" | ")} |`).join("\n");
}
