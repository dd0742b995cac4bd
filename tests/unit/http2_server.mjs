// A server with TLS that speaks HTTP/2, and HTTP/1.1 to whoever asks for that, as Google's do. For
// test_google_http2.c, which gives it key and certificate and reads its port from the first line.

import { readFileSync } from "node:fs";
import http2 from "node:http2";

const [key, cert] = process.argv.slice(2).map((path) => readFileSync(path));
const server = http2.createSecureServer({ key, cert, allowHTTP1: true });

function send(response, status, value) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

async function count(request) {
  let bytes = 0;
  for await (const chunk of request) bytes += chunk.length;
  return bytes;
}

// Answer before the body has come, and do without the rest of it: over HTTP/2 by ending the stream
// (RFC 9113 §8.1), over HTTP/1.1 by closing the connection once the client has seen the answer.
function refuse(request, response, code) {
  send(response, 413, { error: { code: 413, message: "far too large" } });
  response.on("finish", () => {
    if (request.httpVersion === "2.0") request.stream.close(code);
    else request.socket.end();
  });
}

server.on("request", async (request, response) => {
  const version = request.httpVersion;
  switch (request.url) {
    case "/early":
      refuse(request, response, http2.constants.NGHTTP2_NO_ERROR);
      break;
    case "/early-reset":
      refuse(request, response, http2.constants.NGHTTP2_INTERNAL_ERROR);
      break;
    case "/reset":
      if (version === "2.0") request.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
      else send(response, 200, { version, bytes: await count(request) });
      break;
    default:
      send(response, 200, { version, bytes: await count(request) });
  }
});

server.listen(0, "127.0.0.1", () => console.log(`PORT ${server.address().port}`));
