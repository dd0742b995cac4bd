// Requests whose borders two programs could see differently (RFC 9112 §11.2). Behind each of them
// stands another one: it is answered if the border is beyond doubt, and never seen otherwise.

import assert from "node:assert/strict";
import { test } from "node:test";
import { assertRefused, file, start } from "./lib/service.mjs";
import { answers, chunked, connection, DRAFT, get, post, sized } from "./lib/wire.mjs";

const service = await start(file);
const NEXT = get("Connection: close\r\n", "/ready");
const SIZE = DRAFT.length.toString(16);
const CHUNK = `${SIZE}\r\n${DRAFT}\r\n`;
const line = (text) => `${text}\r\nHost: x\r\n\r\n`;
const host = (value) => `GET /health HTTP/1.1\r\nHost:${value}\r\n\r\n`;

// Refused by us: JSON, an id, and the end of the connection.
const REFUSED = {
  400: {
    "two lengths": sized("Content-Length: 4\r\n"),
    "two equal lengths": sized(`Content-Length: ${DRAFT.length}\r\n`),
    "a length and an encoding": post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
      "0\r\n\r\n"),
    "an encoding and a length": chunked("0\r\n\r\n", "Content-Length: 4\r\n"),
    "an empty length": post("Content-Length: \r\n"),
    "a length with a sign": post("Content-Length: +4\r\n"),
    "a negative length": post("Content-Length: -1\r\n"),
    "a list of lengths": post("Content-Length: 4, 4\r\n"),
    "a hexadecimal length": post("Content-Length: 0x4\r\n"),
    "a length with a fraction": post("Content-Length: 4.0\r\n"),
    "a length with a space behind it": post(`Content-Length: ${DRAFT.length} \r\n`),
    "two encodings": chunked("0\r\n\r\n", "Transfer-Encoding: chunked\r\n"),
    "an encoding of another name": post("Transfer-Encoding: xchunked\r\n", CHUNK),
    "an encoding behind another": post("Transfer-Encoding: gzip, chunked\r\n", CHUNK),
    "an encoding before another": post("Transfer-Encoding: chunked, identity\r\n", CHUNK),
    "the encoding identity": post("Transfer-Encoding: identity\r\n", CHUNK),
    "a quoted encoding": post('Transfer-Encoding: "chunked"\r\n', CHUNK),
    "an encoding with a space behind it": post("Transfer-Encoding: chunked \r\n", CHUNK),
    "an encoding with a vertical tab": post("Transfer-Encoding: \vchunked\r\n", CHUNK),
    "an encoding on a folded line": post("Transfer-Encoding:\r\n chunked\r\n", CHUNK),
    "an encoding that goes on on the next line": post("Transfer-Encoding: chunked\r\n , x\r\n", CHUNK),
    "an encoding in HTTP/1.0": `POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNK}`,
    "a name that a folded line completes": post(`Content-Lengt: ${DRAFT.length}\r\n h\r\n`),
    "a folded line": get("X-A: b\r\n c\r\n"),
    "a folded line with a tab": get("X-A: b\r\n\tc\r\n"),
    "a folded line as the first": "GET /health HTTP/1.1\r\n X: y\r\nHost: x\r\n\r\n",
    "a space before the colon": post(`Content-Length : ${DRAFT.length}\r\n`),
    "a tab before the colon": post(`Content-Length\t: ${DRAFT.length}\r\n`),
    "a header without a name": get(": y\r\n"),
    "a header name with a space": get("Bad Name: y\r\n"),
    "a header name that is no token": get("X(A): y\r\n"),
    "a header name that is not ASCII": get("X-\xe4: y\r\n"),
    "lines that end with a bare LF": "GET /health HTTP/1.1\nHost: x\n\n",
    "a header that ends with a bare LF": get("X-A: b\n"),
    "an empty line that is a bare LF": "GET /health HTTP/1.1\r\nHost: x\r\n\n",
    "a request line that ends with a bare LF": "GET /health HTTP/1.1\nHost: x\r\n\r\n",
    "a bare CR in a value": get("X-A: a\rX-B: b\r\n"),
    "a NUL in a value": get("X-A: a\0b\r\n"),
    "a NUL at the beginning of a line": get("\0X-A: b\r\n"),
    "a control character in a value": get("X-A: a\x01b\r\n"),
    "a DEL in a value": get("X-A: a\x7fb\r\n"),
    "no host": "GET /health HTTP/1.1\r\n\r\n",
    "no host in HTTP/1.2": "GET /health HTTP/1.2\r\n\r\n",
    "two hosts": get("Host: x\r\n"),
    "an empty host": host(" "),
    "a host with a space": host(" a b"),
    "a host with a user": host(" a@b"),
    "a host with a path": host(" a/b"),
    "a list of hosts": host(" a, b"),
    "a host with a port that is no number": host(" a:8x"),
    "a host with half an address": host(" [::1"),
    "two spaces behind the method": line("GET  /health HTTP/1.1"),
    "two spaces before the version": line("GET /health  HTTP/1.1"),
    "a target with a space": line("GET /health /ready HTTP/1.1"),
    "a target with a tab": line("GET /health\t HTTP/1.1"),
    "a target with a NUL": line("GET /hea\0lth HTTP/1.1"),
    "an absolute target": line("GET http://x/health HTTP/1.1"),
    "an authority as target": line("CONNECT x:443 HTTP/1.1"),
    "an asterisk as target": line("GET * HTTP/1.1"),
    "a target without a slash": line("GET health HTTP/1.1"),
    "a method that is no token": line("G(T /health HTTP/1.1"),
    "a method with a NUL": line("GE\0T /health HTTP/1.1"),
  },
  413: {
    "a length beyond 64 bits": post(`Content-Length: ${"9".repeat(30)}\r\n`),
    "a length of 64 bits": post("Content-Length: 18446744073709551615\r\n"),
  },
  417: {
    "another expectation": sized("Expect: 200-ok\r\n"),
    "two expectations": sized("Expect: 100-continue\r\nExpect: 100-continue\r\n"),
    "an expectation without a body": get("Expect: 100-continue\r\n"),
  },
  431: {
    "more than 64 headers": get(Array.from({ length: 65 }, (_, i) => `X-${i}: y\r\n`).join("")),
    "cookies that do not fit": get(`Cookie: a=${"b".repeat(9000)}\r\n`),
  },
};

const CODES = {
  400: "malformed_request", 413: "payload_too_large", 417: "expectation_failed",
  431: "headers_too_large",
};

// Refused by libmicrohttpd, which asks nobody: one answer, and the end of the connection.
const REFUSED_BELOW = {
  400: {
    "a header without a colon": get("Foo\r\n"),
    "a NUL in a header name": get("X\0A: b\r\n"),
    "a space behind the version": line("GET /health HTTP/1.1 "),
    "a version in lower case": line("GET /health http/1.1"),
    "a version of two digits": line("GET /health HTTP/1.10"),
    "no version": line("GET /health"),
    "a chunk with a sign": chunked(`+${CHUNK}0\r\n\r\n`),
    "a negative chunk": chunked(`-1\r\n${DRAFT}\r\n0\r\n\r\n`),
    "a chunk with 0x": chunked(`0x${CHUNK}0\r\n\r\n`),
    "a chunk without a size": chunked(`\r\n${DRAFT}\r\n0\r\n\r\n`),
    "a chunk size with a space": chunked(`${SIZE} \r\n${DRAFT}\r\n0\r\n\r\n`),
    "a chunk size that ends with a bare CR": chunked(`${SIZE}\r${DRAFT}\r\n0\r\n\r\n`),
    "a chunk that is longer than it says": chunked(`4\r\n${DRAFT}\r\n0\r\n\r\n`),
    "a chunk that ends with a bare CR": chunked(`${SIZE}\r\n${DRAFT}\rX0\r\n\r\n`),
    "a trailer without a colon": chunked(`${CHUNK}0\r\nfoo\r\n\r\n`),
  },
  413: { "a chunk beyond 64 bits": chunked(`${"f".repeat(17)}\r\n${DRAFT}\r\n0\r\n\r\n`) },
  414: { "a target of 20,000 bytes": get("", `/${"a".repeat(20000)}`) },
  431: {
    "a header of 20,000 bytes": get(`X-A: ${"a".repeat(20000)}\r\n`),
    "a thousand headers": get(Array.from({ length: 1000 }, (_, i) => `X-${i}: y\r\n`).join("")),
    "a trailer of 20,000 bytes": chunked(`${CHUNK}0\r\nX-A: ${"a".repeat(20000)}\r\n\r\n`),
  },
  505: {
    "HTTP/0.9 with a version": line("GET /health HTTP/0.9"),
    "HTTP/2": line("GET /health HTTP/2.0"),
    "the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  },
};

// Closed by libmicrohttpd without a word: what has no space in it is no request line.
const CLOSED = {
  "a request line with tabs": line("GET\t/health\tHTTP/1.1"),
  "a request line that begins with a space": line(" GET /health HTTP/1.1"),
  "one word": "foo\r\n\r\n",
  "TLS": "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
};

// Beyond doubt: answered with this, and what follows too.
const TAKEN = {
  200: {
    "spaces before a value": post(`Content-Length: \t ${DRAFT.length}\r\n`),
    "spaces behind a value": get("X-A: b \t\r\n"),
    "a length with zeros before it": post(`Content-Length: 000${DRAFT.length}\r\n`),
    "a body of GET": get("Content-Length: 5\r\n") + "hello",
    "a name of other capitals": post(`cOnTeNt-LeNgTh: ${DRAFT.length}\r\n`),
    "an empty value": get("X-A:\r\n"),
    "empty lines before it": `\r\n\r\n${get()}`,
    "a host with a port": host(" x.example:8080"),
    "a host that is an address": host(" [::1]:8080"),
    "HTTP/1.0 that stays": "GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "an expectation in HTTP/1.0":
      "GET /health HTTP/1.0\r\nConnection: keep-alive\r\nExpect: x\r\n\r\n",
    "HTTP/1.2": get("", "/health", "HTTP/1.2"),
    "an upgrade": get("Connection: Upgrade\r\nUpgrade: h2c\r\n"),
    "a connection that lists the length":
      sized("Connection: keep-alive, Content-Length\r\n"),
    "a target of 8,000 bytes": get("", `/health?${"a".repeat(8000)}`),
    "a query of 3,000 pieces": get("", `/health?${"a&".repeat(3000)}`),
    "a header of 10,000 bytes": get(`X-A: ${"a".repeat(10000)}\r\n`),
    "64 headers": get(Array.from({ length: 62 }, (_, i) => `X-${i}: y\r\n`).join("")),
  },
  404: { "an asterisk for OPTIONS": line("OPTIONS * HTTP/1.1") },
  405: {
    "a method that nobody knows": line("AAAAAAAA /health HTTP/1.1"),
    "a method in lower case": line("get /health HTTP/1.1"),
    "a long method": line(`${"A".repeat(1000)} /health HTTP/1.1`),
    "TRACE": line("TRACE /health HTTP/1.1"),
    "CONNECT": line("CONNECT / HTTP/1.1"),
    "a body of DELETE": "DELETE /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
  },
};

// Chunks are taken to pieces by libmicrohttpd, which lets some of this pass. So the connection ends
// with the answer, and what follows is not seen.
const LAST = {
  "one chunk": chunked(`${CHUNK}0\r\n\r\n`),
  "the encoding in capitals": post("Transfer-Encoding: CHUNKED\r\n", `${CHUNK}0\r\n\r\n`),
  "zeros before the size": chunked(`000${CHUNK}0\r\n\r\n`),
  "an extension": chunked(`${SIZE};a=b\r\n${DRAFT}\r\n0\r\n\r\n`),
  "an extension with a bare LF": chunked(`${SIZE};a\n${DRAFT}\r\n0\r\n\r\n`),
  "an extension with a bare CR": chunked(`${SIZE};\ra\r\n${DRAFT}\r\n0\r\n\r\n`),
  "a size that ends with a bare LF": chunked(`${SIZE}\n${DRAFT}\r\n0\r\n\r\n`),
  "a chunk that ends with a bare LF": chunked(`${SIZE}\r\n${DRAFT}\n0\r\n\r\n`),
  "an end with bare LFs": chunked(`${CHUNK}0\n\n`),
  "a trailer": chunked(`${CHUNK}0\r\nX-A: b\r\n\r\n`),
  "a trailer with a length": chunked(`${CHUNK}0\r\nContent-Length: 4\r\n\r\n`),
};

async function ask(t, name, bytes, check) {
  await t.test(name, async () => {
    const all = answers(await connection(service, bytes + NEXT).closed);
    for (const { headers } of all) assert.equal(headers.get("server"), null);
    check(all);
  });
}

async function drafts() {
  const { json } = await service.get("/drafts?limit=200");
  return json.drafts.length;
}

test("what is ambiguous is refused, and what follows is not seen", async (t) => {
  for (const [status, cases] of Object.entries(REFUSED))
    for (const [name, bytes] of Object.entries(cases))
      await ask(t, name, bytes, (all) => {
        assert.equal(all.length, 1);
        assertRefused(all[0], Number(status), CODES[status]);
        assert.equal(all[0].headers.get("connection"), "close");
      });
  assert.equal(await drafts(), 0, "something was stored");
});

test("what libmicrohttpd refuses is answered once, and what follows is not seen", async (t) => {
  for (const [status, cases] of Object.entries(REFUSED_BELOW))
    for (const [name, bytes] of Object.entries(cases))
      await ask(t, name, bytes, (all) => {
        assert.deepEqual(all.map((one) => one.status), [Number(status)]);
        assert.equal(all[0].headers.get("connection"), "close");
      });
  for (const [name, bytes] of Object.entries(CLOSED))
    await ask(t, name, bytes, (all) => assert.deepEqual(all, []));
  assert.equal(await drafts(), 0, "something was stored");
});

test("what is beyond doubt is answered, and so is what follows", async (t) => {
  const before = await drafts();
  let posts = 0;
  for (const [status, cases] of Object.entries(TAKEN))
    for (const [name, bytes] of Object.entries(cases)) {
      posts += bytes.startsWith("POST");
      await ask(t, name, bytes, (all) => {
        assert.deepEqual(all.map((one) => one.status), [Number(status), 200]);
      });
    }
  assert.equal(await drafts(), before + posts);
});

test("a chunked body is the last of its connection", async (t) => {
  const before = await drafts();
  for (const [name, bytes] of Object.entries(LAST))
    await ask(t, name, bytes, (all) => {
      assert.deepEqual(all.map((one) => one.status), [200]);
      assert.equal(all[0].headers.get("connection"), "close");
    });
  assert.equal(await drafts(), before + Object.keys(LAST).length);
});
