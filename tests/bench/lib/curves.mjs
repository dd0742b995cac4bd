// Curves, not points: throughput and memory against connections, latency against the size of a body;
// drawn as SVG, which a browser shows beside the page.

import { mkdir, writeFile } from "node:fs/promises";
import { load, MESSAGE } from "./load.mjs";
import { onGoogle, paraph, upstream } from "./programs.mjs";

const WIDTH = 560, HEIGHT = 320, LEFT = 70, RIGHT = 20, TOP = 40, BOTTOM = 50;
const COLOURS = ["#1f6feb", "#b35900"];

const words = (n) => n >= 1e6 ? `${n / 1e6}M` : n >= 1e3 ? `${n / 1e3}k` : String(n);

// The next number above that people read easily.
function ceiling(n) {
  const power = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= n);
}

const text = (x, y, said, anchor = "middle") =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}">${said}</text>`;

// x is logarithmic, y is not: [{ name, points: [[x, y], …] }]
function draw({ title, x, y, series }) {
  const all = series.flatMap(({ points }) => points);
  const xs = [...new Set(all.map(([at]) => at))], top = ceiling(Math.max(...all.map(([, n]) => n)));
  const [from, to] = [Math.log(xs[0]), Math.log(xs.at(-1))];
  const at = (n) => LEFT + (Math.log(n) - from) / (to - from) * (WIDTH - LEFT - RIGHT);
  const up = (n) => HEIGHT - BOTTOM - n / top * (HEIGHT - TOP - BOTTOM);
  const marks = xs.map((n) => text(at(n).toFixed(0), HEIGHT - BOTTOM + 18, words(n)));
  const lines = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const level = up(part * top).toFixed(1);
    return `<path d="M${LEFT} ${level}H${WIDTH - RIGHT}" stroke="#ccc"/>` +
      text(LEFT - 8, Number(level) + 4, words(part * top), "end");
  });
  const curves = series.map(({ name, points }, i) => {
    const path = points.map(([px, py]) => `${at(px).toFixed(1)},${up(py).toFixed(1)}`);
    return `<polyline points="${path.join(" ")}" fill="none" stroke="${COLOURS[i]}" stroke-width="2"/>` +
      `<text x="${WIDTH - RIGHT}" y="${TOP - 8 + 16 * i}" text-anchor="end" fill="${COLOURS[i]}">${name}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
${text(LEFT, 20, title, "start")}
${lines.join("\n")}
${marks.join("\n")}
${text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x)}
<text transform="translate(16 ${HEIGHT / 2}) rotate(-90)" text-anchor="middle">${y}</text>
${curves.join("\n")}
</svg>
`;
}

async function withService(body) {
  const google = await upstream();
  const program = await paraph({ ...onGoogle(google), GMAIL_CONCURRENCY: "5000" });
  try {
    return await body(program);
  } finally {
    await program.stop();
    await google.stop();
  }
}

const draft = { ...MESSAGE, mode: "draft" };

// Drafts per second, and the memory of the process, by connections.
async function againstConnections(seconds, steps) {
  const rates = [], memory = [];
  for (const connections of steps) {
    await withService(async (program) => {
      const { rate } = await load(program, "POST", "/", draft, { seconds, connections });
      rates.push([connections, rate]);
      memory.push([connections, (await program.memory()).most]);
    });
  }
  return { rates, memory };
}

async function againstSize(seconds, sizes) {
  const p50 = [], p99 = [];
  await withService(async (program) => {
    for (const size of sizes) {
      const body = { ...draft, message: "x".repeat(size) };
      const result = await load(program, "POST", "/", body, { seconds, connections: 16 });
      p50.push([size, result.p50]);
      p99.push([size, result.p99]);
    }
  });
  return { p50, p99 };
}

// Writes the pictures into a directory.
export async function curves(dir, { seconds, smoke }) {
  const { rates, memory } = await againstConnections(seconds, smoke ? [4, 64] : [1, 4, 16, 64, 256, 1000]);
  const { p50, p99 } = await againstSize(seconds, smoke ? [1000, 10000] : [100, 1000, 10000, 100000]);
  const pictures = {
    "throughput.svg": { title: "Drafts into Firestore", x: "connections", y: "drafts a second",
      series: [{ name: "paraph, one core", points: rates }] },
    "memory.svg": { title: "Memory under that load", x: "connections", y: "MiB",
      series: [{ name: "paraph", points: memory }] },
    "latency.svg": { title: "A draft, 16 connections", x: "bytes of its body", y: "ms",
      series: [{ name: "p50", points: p50 }, { name: "p99", points: p99 }] },
  };
  await mkdir(dir, { recursive: true });
  for (const [name, picture] of Object.entries(pictures)) await writeFile(`${dir}/${name}`, draw(picture));
}
