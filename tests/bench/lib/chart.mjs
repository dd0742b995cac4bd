// A picture of curves, as SVG, which a browser shows beside the page:
// { title, x, y (titles of the axes), log (y, too), series: [{ name, points: [[x, y], …] }] }.
// x is logarithmic always.

const WIDTH = 680, HEIGHT = 340, LEFT = 70, RIGHT = 170, TOP = 46, BOTTOM = 56;
const END = WIDTH - RIGHT, FLOOR = HEIGHT - BOTTOM, LINE = 15; // of text
const COLOURS = ["#1f6feb", "#b35900", "#1a7f37", "#8250df", "#57606a"];

const words = (n) => n >= 1e6 ? `${n / 1e6}M` : n >= 1e3 ? `${n / 1e3}k` : String(Number(n.toPrecision(3)));

const text = (x, y, said, anchor = "middle", more = "") =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}"${more}>${said}</text>`;

// Where to draw a line across: from 0 in at most six even steps, or the powers of ten.
function levels(values, log) {
  const most = Math.max(...values);
  if (log) {
    const from = Math.floor(Math.log10(Math.min(...values))), to = Math.ceil(Math.log10(most));
    return Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
  }
  const power = 10 ** Math.floor(Math.log10(most / 6));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => most / n <= 6);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, i) => i * step);
}

// A number's place between two others, from 0 to 1.
const linear = (from, to) => (n) => (n - from) / (to - from);
const logarithmic = (from, to) => (n) => linear(Math.log(from), Math.log(to))(Math.log(n));

// Names beside the ends of their curves, pushed apart where these are close.
function labels(ends) {
  let free = 0;
  return ends.sort((a, b) => a.y - b.y).map(({ y, name, colour }) => {
    const at = Math.max(y + 4, free);
    free = at + LINE;
    return text(END + 10, at, name, "start", ` fill="${colour}"`);
  });
}

export function draw({ title, x, y, log, series }) {
  const points = series.flatMap((one) => one.points);
  const xs = [...new Set(points.map(([at]) => at))].sort((a, b) => a - b);
  const ys = levels(points.map(([, n]) => n), log);
  const across = logarithmic(xs[0], xs.at(-1)), along = (log ? logarithmic : linear)(ys[0], ys.at(-1));
  const at = (n) => LEFT + across(n) * (END - LEFT), up = (n) => FLOOR - along(n) * (FLOOR - TOP);
  const grid = ys.map((n) => `<path d="M${LEFT} ${up(n).toFixed(1)}H${END}" stroke="#ddd"/>` +
    text(LEFT - 8, up(n) + 4, words(n), "end"));
  const marks = xs.map((n) => `<path d="M${at(n).toFixed(1)} ${FLOOR}v5" stroke="#888"/>` +
    text(at(n), FLOOR + 19, words(n)));
  const curves = series.map((one, i) => {
    const places = one.points.map(([px, py]) => [at(px).toFixed(1), up(py).toFixed(1)]);
    return `<polyline points="${places.map((place) => place.join(",")).join(" ")}" fill="none" ` +
      `stroke="${COLOURS[i]}" stroke-width="2"/>` +
      places.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" fill="${COLOURS[i]}"/>`).join("");
  });
  const ends = series.map(({ name, points: own }, i) =>
    ({ name, y: up(own.at(-1)[1]), colour: COLOURS[i] }));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">
<title>${title}</title>
<rect width="100%" height="100%" fill="#fff"/>
${text(LEFT, 24, title, "start", ' font-size="15" font-weight="bold"')}
${[...grid, ...marks, ...curves, ...labels(ends)].join("\n")}
${text((LEFT + END) / 2, HEIGHT - 14, x)}
<text transform="translate(18 ${(TOP + FLOOR) / 2}) rotate(-90)" text-anchor="middle">${y}</text>
</svg>
`;
}
