// What is nearly right: requests and values, changed a little, by chance that comes again.

const NUMBERS = ["-1", "0", "1e999", "9223372036854775808", "-9223372036854775809", "0.1e-400",
  "9".repeat(400), "00", "1.", "NaN", "4294967296", "1e15"];
const VALUES = ["null", "true", "[]", "{}", '""', '"\\ud800"', '"\\u0000"', "[".repeat(300),
  '{"a":'.repeat(100), `"${"x".repeat(10000)}"`, '{"a":1,"a":2}', "undefined", '"\r\nBcc: a@b.c"'];

const splice = (bytes, from, to, piece) =>
  Buffer.concat([bytes.subarray(0, from), piece, bytes.subarray(to)]);

// One change to the bytes, whatever they are.
export function mutateBytes(bytes, { below, bytes: noise, pick }) {
  const at = below(bytes.length + 1);
  const to = Math.min(bytes.length, at + 1 + below(20));
  const changed = Buffer.from(bytes);
  return pick([
    () => { if (at < changed.length) changed[at] ^= 1 << below(8); return changed; },
    () => { if (at < changed.length) changed[at] = below(256); return changed; },
    () => splice(bytes, at, to, Buffer.alloc(0)),
    () => splice(bytes, to, to, bytes.subarray(at, to)),
    () => splice(bytes, at, at, noise(1 + below(8))),
    () => bytes.subarray(0, at),
  ])();
}

// One change to a text of JSON, after which most of it still is.
export function mutateJson(text, { below, pick }) {
  const tokens = [...text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[[\]{}]/g)];
  if (tokens.length === 0) return text;
  const [one, other] = [pick(tokens), pick(tokens)];
  const put = (piece) => text.slice(0, one.index) + piece + text.slice(one.index + one[0].length);
  return pick([
    () => put(pick(NUMBERS)), () => put(pick(VALUES)), () => put(other[0]), () => put(""),
    () => put(`${one[0]},${other[0]}`), () => put(`[${one[0]}]`),
    () => put(one[0].replace(/^"/, `"${String.fromCharCode(below(0x3000))}`)),
  ])();
}
