// The message itself, as two mail readers see it, on the way of the draft and in the outbox.

import assert from "node:assert/strict";
import { test } from "node:test";
import { pixels, read, trimmed } from "./lib/mail.mjs";
import { assertRefused, file, overlay, start } from "./lib/service.mjs";

const SIGNATURE = '<div id="sig">Ann <b>Example</b></div>';
const ALL_BYTES = Buffer.from(Array.from({ length: 256 * 9 }, (_, i) => i % 256));

const service = await start(file, {
  LOCAL_SIGNATURE: SIGNATURE,
  ALLOWED_SENDERS: "desk@example.com,@example.org",
  TEMPLATES_DIR: await overlay(file, {
    "mail/greeting.mustache": "<p>Dear {{name}}, {{{raw}}}</p>{{#items}}<i>{{.}}</i>{{/items}}",
  }),
});

const letter = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!" };

// The same message as the draft's and as the one sent: what is checked holds for both.
async function message(members, check) {
  const id = await service.draft({ ...letter, ...members });
  const shown = await service.get(`/drafts/${id}/message`);
  assert.equal(shown.status, 200, shown.text);
  await read(shown.bytes, check);
  const sent = await service.post("/", { ...letter, ...members, mode: "send" });
  assert.equal(sent.status, 200, sent.text);
  const [bytes, ...others] = await service.newMail();
  assert.deepEqual(others, []);
  await read(bytes, check);
  return { shown, bytes };
}

const named = (name, address) => ({ name, address });

test("a message is message/rfc822", async () => {
  const id = await service.draft();
  const { headers, bytes } = await service.get(`/drafts/${id}/message`);
  assert.match(headers.get("content-type"), /^message\/rfc822/);
  assert.equal(Number(headers.get("content-length")), bytes.length);
});

test("text: escaped in the HTML part, as it is in the text part, then pixel, then signature",
  async () => {
    const text = "1 < 2 & \"3\" > '2'\n\n<script>alert(1)</script>\n  indented\n" +
      "https://example.com/?a=1&b=2";
    await message({ message: text }, (mail) => {
      assert.ok(trimmed(mail.text).startsWith(text), mail.text);
      assert.ok(!/pixel/.test(mail.text), mail.text);
      assert.match(mail.text, /Ann Example/);
      assert.ok(!/<script/.test(mail.html), mail.html);
      assert.match(mail.html, /1 &lt; 2 &amp;/);
      const [pixel] = pixels(mail.html);
      assert.match(pixel, new RegExp(`^<img src="${service.url}/pixel\\?id=[0-9a-f-]{36}" ` +
        'width="1" height="1" alt="" style="display:none;">$'));
      assert.equal(mail.html.split("/pixel?id=").length, 2, "more than one pixel");
      const order = ["indented", pixel, SIGNATURE].map((part) => mail.html.indexOf(part));
      assert.ok(order.every((at) => at >= 0), mail.html);
      assert.deepEqual(order, [...order].sort((a, b) => a - b), mail.html);
    });
  });

test("HTML goes out as it is", async () => {
  const html = '<p style="color:red">Zoë &amp; <b>Bob</b></p><table><tr><td>1</td></tr></table>';
  await message({ message: html, format: "html" }, (mail) => {
    assert.ok(mail.html.includes(html), mail.html);
    assert.match(mail.text, /Zoë & Bob/);
    assert.ok(!/[<>]/.test(mail.text), mail.text);
  });
});

test("a whole HTML document stays whole", async () => {
  const html = "<html><head><title>x</title></head><body><p>Hi</p></body></html>";
  await message({ message: html, format: "html" }, (mail) => {
    const end = mail.html.toLowerCase().lastIndexOf("</body>");
    assert.ok(mail.html.indexOf(SIGNATURE) > 0 && mail.html.indexOf(SIGNATURE) < end, mail.html);
    assert.ok(mail.html.indexOf("/pixel?id=") < mail.html.indexOf(SIGNATURE), mail.html);
  });
});

test("Markdown becomes HTML; raw HTML in it is shown, not obeyed", async () => {
  const markdown = "# Title\n\n**bold** [link](https://example.com)\n\n" +
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1))";
  await message({ message: markdown, format: "markdown" }, (mail) => {
    for (const part of [/<h1>Title<\/h1>/, /<strong>bold<\/strong>/, /href="https:\/\/example.com"/,
      /<table>/]) assert.match(mail.html, part);
    assert.ok(!/<script/i.test(mail.html), mail.html);
    assert.match(mail.text, /Title/);
    assert.ok(!/<h1>|<strong>/.test(mail.text), mail.text);
  });
});

test("addresses and names", async () => {
  const members = {
    to: 'Ann <ann@example.com>, "Doe, John" <john@example.com>, "odd local"@example.com',
    cc: ["Zoë Ünïcode <zoe@example.com>", "bob@bücher.example"],
    bcc: "eve@example.com, mallory@example.com",
    reply_to: "Desk <desk@example.com>",
    from_name: "Ann Ex, Inc.",
  };
  await message(members, (mail, parser) => {
    assert.deepEqual(mail.to.slice(0, 2),
      [named("Ann", "ann@example.com"), named("Doe, John", "john@example.com")]);
    assert.match(mail.to[2].address, /odd local"?@example\.com$/, parser);
    assert.deepEqual(mail.cc[0], named("Zoë Ünïcode", "zoe@example.com"));
    assert.ok(["bob@bücher.example", "bob@xn--bcher-kva.example"].includes(mail.cc[1].address),
      mail.cc[1].address);
    assert.deepEqual(mail.bcc.map((a) => a.address), ["eve@example.com", "mallory@example.com"]);
    assert.deepEqual(mail.replyTo, [named("Desk", "desk@example.com")]);
    assert.equal(mail.from.length, 1);
    assert.equal(mail.from[0].name, "Ann Ex, Inc.");
  });
});

test("a group is flattened", async () => {
  await message({ to: "Friends: a@example.com, B <b@example.com>;, c@example.com" }, (mail) => {
    assert.deepEqual(mail.to, [named("", "a@example.com"), named("B", "b@example.com"),
      named("", "c@example.com")]);
  });
});

test("senders: who may be named in from", async () => {
  for (const from of ["desk@example.com", "Desk <desk@example.com>", "anyone@example.org"]) {
    await message({ from, cc: "a@example.com" }, (mail) => {
      assert.ok(from.includes(mail.from[0].address), from);
    });
  }
  for (const from of ["eve@example.com", "desk@sub.example.org", "eve@notexample.org"]) {
    assertRefused(await service.post("/", { ...letter, from, mode: "draft" }), 403, "forbidden",
      "from");
  }
  for (const from of ["desk@example.com, eve@example.com", "nonsense", "",
    "desk@example.com\r\nX: y"]) {
    const reply = await service.post("/", { ...letter, from, mode: "draft" });
    assertRefused(reply, 400, reply.json.code, "from");
  }
});

test("threads", async () => {
  const { bytes } = await message({ in_reply_to: "<one@example.com>", thread_id: "t1" }, (mail) => {
    assert.equal(mail.inReplyTo, "one@example.com");
  });
  assert.match(bytes.toString(), /^References: <one@example\.com>\r$/m);
  for (const id of ["<>", "one", "<a@b> <c@d>", "<a b@c>", "ü@example.com"]) {
    assertRefused(await service.post("/", { ...letter, in_reply_to: id, mode: "draft" }), 400,
      "invalid_field", "in_reply_to");
  }
});

test("Date is now, Message-ID unique", async () => {
  const ids = new Set();
  for (let i = 0; i < 2; i++) {
    const { shown, bytes } = await message({ subject: `Date ${i}` }, (mail) => {
      assert.ok(Math.abs(mail.date - Date.now()) < 60000, String(mail.date));
      assert.match(mail.messageId, /^[^@\s<>]+@[^@\s<>]+$/);
      ids.add(mail.messageId);
    });
    assert.notEqual(shown.text, bytes.toString());
  }
  assert.equal(ids.size, 4);
});

// --- attachments ---------------------------------------------------------------------------------

test("attachments, every byte of them", async () => {
  const attachments = [
    { filename: "all.bin", content: ALL_BYTES.toString("base64") },
    { filename: "Zoë's “résumé” 📎 of a name that is rather long, longer than a line.pdf",
      content_type: "application/pdf", content: ALL_BYTES.toString("base64url") },
    { filename: "empty.txt", content_type: "text/plain", content: "" },
    { filename: 'quo"te\\.csv', content_type: "text/csv; charset=utf-8", content: "YSxiCg==" },
  ];
  await message({ attachments }, (mail) => {
    assert.equal(mail.attachments.length, 4);
    mail.attachments.forEach((attachment, i) => {
      const wanted = attachments[i];
      assert.equal(attachment.filename, wanted.filename);
      assert.equal(attachment.inline, false);
      const type = wanted.content_type?.split(";")[0] ?? "application/octet-stream";
      assert.equal(attachment.type, type);
      const bytes = Buffer.from(wanted.content, "base64");
      assert.deepEqual(attachment.content, bytes, wanted.filename);
    });
    assert.match(mail.text, /^Hi Ann!/);
  });
});

test("an inline image is found by its id", async () => {
  const content = ALL_BYTES.toString("base64");
  const members = {
    format: "html", message: '<p><img src="cid:logo"></p>',
    attachments: [
      { content, content_type: "image/png", content_id: "logo" },
      { content, content_type: "application/pdf", filename: "a.pdf" },
    ],
  };
  const { bytes } = await message(members, (mail) => {
    assert.match(mail.html, /src="cid:logo"/);
    const inline = mail.attachments.find((a) => a.cid === "logo");
    assert.equal(inline.type, "image/png");
    assert.deepEqual(inline.content, ALL_BYTES);
    const other = mail.attachments.find((a) => a !== inline);
    assert.equal(other.filename, "a.pdf");
    assert.equal(mail.attachments.length, 2);
  });
  assert.match(bytes.toString(),
    /multipart\/mixed[^]*multipart\/related[^]*multipart\/alternative/i);
});

test("attachments that are none", async () => {
  const cases = [
    [[{ filename: "a", content: "a" }], "attachments[0].content"],
    [[{ filename: "a", content: "YQ==" }, { filename: "b", content: "!!!!" }],
      "attachments[1].content"],
    [[{ filename: "a" }], "attachments[0].content"],
    [[{ filename: "a", content: 7 }], "attachments[0].content"],
    [[{ filename: "a\r\nX: y", content: "YQ==" }], "attachments[0].filename"],
    [[{ filename: "a\0", content: "YQ==" }], "attachments[0].filename"],
    [[{ filename: "a", content: "YQ==", content_type: "text/plain\r\nX: y" }],
      "attachments[0].content_type"],
    [[{ filename: "a", content: "YQ==", content_type: "nonsense" }], "attachments[0].content_type"],
    [[{ filename: "a", content: "YQ==", content_id: "a>\r\nX: y" }], "attachments[0].content_id"],
    ["none", "attachments"],
    [[null], "attachments[0]"],
  ];
  for (const [attachments, field] of cases) {
    const reply = await service.post("/", { ...letter, attachments, mode: "draft" });
    assertRefused(reply, 400, "invalid_field", field);
  }
  const unknown = [{ filename: "a", content: "YQ==", path: "/etc/passwd" }];
  assertRefused(await service.post("/", { ...letter, attachments: unknown, mode: "draft" }), 400,
    "unknown_field", "attachments[0].path");
});

test("20 megabytes of attachment", async () => {
  const bytes = Buffer.alloc(20 << 20, ALL_BYTES);
  const attachments = [{ filename: "big.bin", content: bytes.toString("base64") }];
  const id = await service.draft({ attachments });
  const shown = await service.get(`/drafts/${id}/message`);
  assert.equal(shown.status, 200, shown.text.slice(0, 1000));
  const at = shown.bytes.indexOf(bytes.subarray(0, 57).toString("base64"));
  const end = shown.bytes.indexOf("\r\n--", at);
  const read = Buffer.from(shown.bytes.subarray(at, end).toString(), "base64");
  assert.ok(read.equals(bytes));
});

// --- templates -----------------------------------------------------------------------------------

test("a template with its variables, escaped", async () => {
  const vars = { name: "<Zoë & Co>", raw: "<b>raw</b>", items: ["1", "<2>"] };
  await message({ message: undefined, template: "greeting", vars }, (mail) => {
    assert.ok(mail.html.includes("<p>Dear &lt;Zoë &amp; Co&gt;, <b>raw</b></p>"), mail.html);
    assert.ok(mail.html.includes("<i>1</i><i>&lt;2&gt;</i>"), mail.html);
    assert.match(mail.text, /Dear <Zoë & Co>, raw/);
    assert.equal(pixels(mail.html).length, 1);
  });
});

test("the templates that come with it", async () => {
  await message({ message: undefined, template: "welcome", vars: { product: "Paraph" } },
    (mail) => assert.match(mail.html, /Welcome to Paraph/));
  const vars = { items: [{ label: "Report", due: "Monday" }] };
  await message({ message: undefined, template: "reminder", vars },
    (mail) => assert.match(mail.html, /Report/));
});

test("templates that are none", async () => {
  for (const template of ["missing", "../mail/greeting", "/etc/passwd", "mail/greeting", "",
    "a\0b"]) {
    const request = { to: letter.to, subject: "s", template, mode: "draft" };
    const reply = await service.post("/", request);
    assertRefused(reply, 400, "invalid_field", "template");
    if (template === "missing") assert.match(reply.json.error, /'missing'/);
  }
  const both = { ...letter, template: "greeting", mode: "draft" };
  assertRefused(await service.post("/", both), 400, "invalid_field");
  assertRefused(await service.post("/", { ...letter, vars: {}, mode: "draft" }), 400,
    "invalid_field", "vars");
});
