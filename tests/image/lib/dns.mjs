// A name server that knows one name, on an address of its own: resolv.conf has no ports.

import dgram from "node:dgram";
import { once } from "node:events";

const PORT = 53;
const A = 1;

// The question of a query as it is, its name and its type.
function question(query) {
  const labels = [];
  let at = 12;
  for (let length = query[at]; length > 0; length = query[at]) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join("."), type: query.readUInt16BE(at + 1), bytes: query.subarray(12, at + 5) };
}

// RFC 1035 §4: the name is 127.0.0.1, and has no other address; others do not exist.
function answer(query, known) {
  const { name, type, bytes } = question(query);
  const found = name.toLowerCase() === known;
  const record = found && type === A
    ? Buffer.from([0xc0, 12, 0, A, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]) : Buffer.alloc(0);
  const head = Buffer.from([query[0], query[1], 0x85, found ? 0x80 : 0x83, 0, 1, 0, record.length ? 1 : 0,
    0, 0, 0, 0]);
  return Buffer.concat([head, bytes, record]);
}

// { address, asked }: `asked` has the names that it was asked for.
export async function startDns(t, known) {
  const socket = dgram.createSocket("udp4");
  const address = `127.${process.pid >> 16 & 255}.${process.pid >> 8 & 255}.${process.pid & 255 || 1}`;
  const asked = new Set();
  socket.on("message", (query, { port, address: client }) => {
    asked.add(question(query).name);
    socket.send(answer(query, known), port, client);
  });
  socket.bind(PORT, address);
  await once(socket, "listening");
  t.after(() => socket.close());
  return { address, asked };
}
