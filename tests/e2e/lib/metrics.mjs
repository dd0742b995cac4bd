// What a service counts: its page, judged by Prometheus' own tool, and the figures on it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";

const SAMPLE = /^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?\d+(?:\.\d+)?)$/;
const LABEL = /([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"/g;

const unescaped = (text) => text.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));

// What promtool has to say about a page: nothing.
export async function judge(text) {
  const child = spawn("promtool", ["check", "metrics"]);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (words) => { said += words; });
  }
  child.stdin.end(text);
  const [code] = await once(child, "close");
  assert.equal(code, 0, said);
  assert.equal(said, "");
}

export class Page {
  samples = new Map(); // by name: [{ labels, value }]
  types = new Map(); // by name of the metric
  helps = new Map();

  constructor(text) {
    this.text = text;
    assert.ok(text.endsWith("\n"));
    for (const line of text.slice(0, -1).split("\n")) this.#take(line);
  }

  #take(line) {
    const [, word, name, rest] = line.match(/^# (HELP|TYPE) ([a-z_]+) (.+)$/) ?? [];
    if (word) {
      const known = word === "HELP" ? this.helps : this.types;
      assert.ok(!known.has(name), `${word} twice: ${line}`);
      known.set(name, rest);
      return;
    }
    const found = line.match(SAMPLE);
    assert.ok(found, `no sample: ${line}`);
    const labels = Object.fromEntries([...(found[2] ?? "").matchAll(LABEL)]
      .map(([, label, value]) => [label, unescaped(value)]));
    if (!this.samples.has(found[1])) this.samples.set(found[1], []);
    this.samples.get(found[1]).push({ labels, value: Number(found[3]) });
  }

  // The sum of the samples that have these labels, among others.
  value(name, labels = {}) {
    return (this.samples.get(name) ?? [])
      .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
      .reduce((sum, { value }) => sum + value, 0);
  }
}

export async function metrics(service, options) {
  const reply = await service.get("/metrics", options);
  assert.equal(reply.status, 200, reply.text);
  assert.equal(reply.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  return new Page(reply.text);
}

// What `act` has moved: [[name, labels, by how much]] are looked at.
export async function assertMoved(service, wanted, act, options) {
  const before = await metrics(service, options);
  const result = await act();
  const after = await metrics(service, options);
  for (const [name, labels, by] of wanted) {
    assert.equal(after.value(name, labels) - before.value(name, labels), by,
      `${name} ${JSON.stringify(labels)}`);
  }
  return result;
}
