// HTTP/1 as bytes: requests that no client library would send, and answers read as strictly as
// RFC 9112 has them.

import assert from "node:assert/strict";
import net from "node:net";

export const DRAFT = JSON.stringify({
  to: "ann@example.com", subject: "s", message: "m", mode: "draft",
});

// `headers` are whole lines: "X: y\r\n".
export function get(headers = "", target = "/health", version = "HTTP/1.1") {
  return `GET ${target} ${version}\r\nHost: x\r\n${headers}\r\n`;
}

export function post(headers, body = DRAFT) {
  return `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers}\r\n${body}`;
}

export const sized = (headers = "", body = DRAFT) =>
  post(`Content-Length: ${body.length}\r\n${headers}`, body);

export const chunked = (body, headers = "") =>
  post(`Transfer-Encoding: chunked\r\n${headers}`, body);

// All answers in a stream of bytes: [{ status, headers, body, json }]. Fails if anything is left
// over. None of them may be to HEAD.
export function answers(text) {
  const all = [];
  let rest = text;
  while (rest !== "") {
    const end = rest.indexOf("\r\n\r\n");
    assert.ok(end > 0, `no head of an answer: ${JSON.stringify(rest)}\nin: ${text}`);
    const [line, ...lines] = rest.slice(0, end).split("\r\n");
    const status = Number(line.match(/^HTTP\/1\.[01] (\d{3}) /)?.[1]);
    assert.ok(status, `no status line: ${JSON.stringify(line)}\nin: ${text}`);
    const headers = new Headers(lines.map((header) => header.match(/^([^:]+): (.*)$/).slice(1)));
    const length = status < 200 ? 0 : Number(headers.get("content-length"));
    const body = rest.slice(end + 4, end + 4 + length);
    assert.equal(body.length, length, `a body that is cut off: ${text}`);
    const json = headers.get("content-type") === "application/json" ? JSON.parse(body) : undefined;
    all.push({ status, headers, body, text: body, json });
    rest = rest.slice(end + 4 + length);
  }
  return all;
}

export const statuses = (text) => answers(text).map(({ status }) => status);

// A connection that stays open: what it is sent is in `text`, `closed` is when it has ended. From
// another address of this machine with `from`: "127.0.0.2".
export function connection(service, bytes = "", { from = "127.0.0.1" } = {}) {
  const socket = net.connect({ port: service.port, host: "127.0.0.1", localAddress: from });
  const c = { socket, text: "" };
  socket.setNoDelay(true).on("error", () => {});
  socket.on("data", (data) => { c.text += data.toString("latin1"); });
  c.connected = new Promise((resolve) => { socket.once("connect", resolve); });
  c.closed = new Promise((resolve) => { socket.once("close", () => resolve(c.text)); });
  if (bytes !== "") socket.write(Buffer.from(bytes, "latin1"));
  return c;
}
