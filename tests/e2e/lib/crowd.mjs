// A crowd of clients that want nothing good, as a process of its own: node crowd.mjs PORT ADDRESS IDLE
// SLOW. From that address, IDLE connections are held and never used (again), SLOW ones send a byte a
// second, half of them of a head and half of a body. Who is closed comes again after a second. Says
// "there" when all have been; ends with its standard input.

import net from "node:net";

const [port, localAddress, idle, slow] = process.argv.slice(2);
const GET = "GET /health HTTP/1.1\r\nHost: x\r\n";
const HEAD = `${GET}X-Slow: `;
const BODY = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
  'Content-Length: 100000\r\n\r\n{"to": "';
const BATCH = 100;

let connected = 0;

// One client, for ever; `dribble`: a byte a second behind the beginning.
function come(beginning, dribble) {
  const socket = net.connect({ port, host: "127.0.0.1", localAddress });
  let drip;
  socket.on("connect", () => {
    connected++;
    if (beginning !== "") socket.write(beginning);
    if (dribble) drip = setInterval(() => socket.write("x"), 1000);
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    clearInterval(drip);
    setTimeout(come, 1000, beginning, dribble);
  });
  socket.resume();
}

const crowd = [];
for (let i = 0; i < Number(idle); i++) crowd.push([i % 2 ? "" : `${GET}\r\n`, false]);
for (let i = 0; i < Number(slow); i++) crowd.push([i % 2 ? HEAD : BODY, true]);
for (let i = 0; i < crowd.length; i += BATCH) {
  const wanted = connected + Math.min(BATCH, crowd.length - i);
  for (const client of crowd.slice(i, i + BATCH)) come(...client);
  while (connected < wanted) await new Promise(setImmediate);
}
process.stdout.write("there\n");
process.stdin.on("end", () => process.exit(0)).resume();
