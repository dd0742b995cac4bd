// Mail as Gmail handles it: header lines found and replaced in the bytes, the rest left alone; and
// read by two parsers, which must agree on who it is from and to.

const ADDRESSES = ["from", "to", "cc", "bcc"];

// { name, value (unfolded), start, end } of each header field; where the body begins.
export function headersOf(bytes) {
  const text = bytes.toString("latin1");
  const blank = /\r?\n\r?\n/.exec(text);
  const end = blank ? blank.index + blank[0].length / 2 : text.length;
  const fields = [];
  const field = /([!-9;-~]+)[ \t]*:((?:[^\n]|\n[ \t])*)(?:\n|$)/y;
  while (field.lastIndex < end) {
    const start = field.lastIndex;
    const hit = field.exec(text);
    if (!hit || start >= end) break;
    const value = Buffer.from(hit[2], "latin1").toString("utf8").replace(/\r?\n/g, "").trim();
    fields.push({ name: hit[1], value, start, end: field.lastIndex });
  }
  return { fields, body: blank ? blank.index + blank[0].length : text.length };
}

export function header(bytes, name) {
  const is = new RegExp(`^${name}$`, "i");
  return headersOf(bytes).fields.find((field) => is.test(field.name))?.value;
}

// The message with some fields replaced (text), added, or taken away (null).
export function withHeaders(bytes, changes) {
  const lines = new Map(Object.entries(changes).map(([name, value]) =>
    [name.toLowerCase(), value === null ? "" : `${name}: ${value}\r\n`]));
  const placed = new Set();
  const pieces = [];
  let from = 0;
  for (const { name, start, end } of headersOf(bytes).fields) {
    const key = name.toLowerCase();
    if (!lines.has(key)) continue;
    pieces.push(bytes.subarray(from, start), Buffer.from(placed.has(key) ? "" : lines.get(key)));
    placed.add(key);
    from = end;
  }
  const added = [...lines].filter(([key]) => !placed.has(key)).map(([, line]) => line).join("");
  return Buffer.concat([Buffer.from(added), ...pieces, bytes.subarray(from)]);
}

let loading;

// What both parsers read, and what they do not agree on.
export async function readings(bytes) {
  loading ??= import("../e2e/lib/mail.mjs"); // slow to load: not at each start
  const { parsers } = await loading;
  const read = {};
  for (const [name, parse] of Object.entries(parsers)) read[name] = await parse(bytes);
  const [one, other] = Object.values(read);
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const disputed = [...ADDRESSES, "subject"].filter((field) => !same(one[field], other[field]));
  return { read, disputed };
}

// payload of a message: the tree of its parts as Gmail shows it.
export function payload(bytes, { names, deep }) {
  const { fields, body } = headersOf(bytes);
  const wanted = names?.map((name) => name.toLowerCase());
  const shown = fields.filter(({ name }) => !wanted || wanted.includes(name.toLowerCase()));
  const type = fields.find(({ name }) => /^content-type$/i.test(name))?.value ?? "text/plain";
  const node = {
    partId: "", mimeType: type.split(";")[0].trim().toLowerCase(), filename: "",
    headers: shown.map(({ name, value }) => ({ name, value })),
    body: { size: 0 },
  };
  if (!deep) return node;
  const boundary = /boundary="?([^";]+)"?/i.exec(type)?.[1];
  if (!boundary) {
    node.body = { size: bytes.length - body, data: bytes.subarray(body).toString("base64url") };
    return node;
  }
  const text = bytes.subarray(body).toString("latin1");
  const parts = `\r\n${text}`.split(`\r\n--${boundary}`).slice(1)
    .filter((part) => part.startsWith("\r\n"))
    .map((part) => Buffer.from(part.slice(2), "latin1"));
  node.parts = parts.map((part, i) => ({ ...payload(part, { deep }), partId: String(i) }));
  return node;
}
