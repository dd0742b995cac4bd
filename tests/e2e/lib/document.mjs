// A page of documentation, done as it says. Its blocks are run in their order, in a directory of their
// own, and what the text says comes of them must come of them. What a block is stands behind its
// language, where nobody sees it who reads the page:
//
//   lua file=NAME     goes into this file, and is live when the next block is read; `later`: not yet
//   sh                is run: `keep` again before each later one; `fails`: its exit code is not 0;
//                     `live`: what it changes goes live; `refused`: it does not; `serve`: it starts
//                     the service, and ends the one before
//   json output       what the last sh printed: a value, or one a line; `part`: members may be missing
//                     in the text; `last`: only its last line
//   text output       the same as text; `part`: it holds these lines
//   text log          an event of the log, with these fields among others
//   text              a picture; nothing comes of it
//
// "…" stands for anything. Every block is one of these. `./dev run` is the program under test.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PARAPH, put, start } from "./service.mjs";

export const ADDRESS = "http://127.0.0.1:8080";

// --- the page ------------------------------------------------------------------------------------

// [{ language, words, body, line }]
export function blocksOf(page) {
  const blocks = [];
  let open = null;
  page.split("\n").forEach((row, i) => {
    if (!row.startsWith("```")) open?.rows.push(row);
    else if (open) {
      blocks.push({ ...open, body: `${open.rows.join("\n")}\n` });
      open = null;
    } else {
      const [language, ...words] = row.slice(3).split(" ");
      open = { language, words, rows: [], line: i + 1 };
    }
  });
  assert.equal(open, null, "a block that does not end");
  return blocks;
}

// The rows of the table that begins with this word, each the texts of its cells.
export function tableOf(page, heading) {
  const rows = page.split(`\n| ${heading} |`)[1]?.split("\n\n")[0].split("\n").slice(2);
  assert.ok(rows, `there is no table of ${heading}`);
  return rows.map((row) => row.slice(2, -2).split(" | "));
}

// The code in a cell.
export const codes = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word);

const escaped = (wanted) => wanted.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
export const pattern = (wanted) => escaped(wanted).replaceAll("…", "[^]*");

function matchText(wanted, actual, part) {
  const all = new RegExp(part ? pattern(wanted.trim()) : `^${pattern(wanted.trim())}$`);
  assert.match(actual.trim(), all);
}

function matchJson(wanted, actual, part) {
  if (typeof wanted === "string") {
    if (wanted !== "…" && typeof actual !== "string") assert.equal(actual, wanted);
    matchText(wanted, String(actual));
  } else if (Array.isArray(wanted)) {
    assert.ok(Array.isArray(actual) && actual.length === wanted.length, JSON.stringify(actual));
    wanted.forEach((item, i) => matchJson(item, actual[i], part));
  } else if (typeof wanted === "object" && wanted !== null) {
    if (!part) assert.deepEqual(Object.keys(actual).sort(), Object.keys(wanted).sort());
    for (const [name, member] of Object.entries(wanted)) {
      assert.ok(name in actual, `no ${name} in ${JSON.stringify(actual)}`);
      matchJson(member, actual[name], part);
    }
  } else {
    assert.equal(actual, wanted);
  }
}

function valuesOf(body) {
  try {
    return [JSON.parse(body)];
  } catch {
    return body.trim().split("\n").map((line) => JSON.parse(line));
  }
}

// A line of the log as a terminal shows it, and the lines of an error that belong to it.
function eventOf(body) {
  const [first, ...rest] = body.trimEnd().split("\n");
  const [, severity, told] = first.match(/^\S+ (\w+) +(.*)$/);
  const fields = {};
  const message = told.replace(/ (\w+)=("(?:[^"\\]|\\.)*"|\S+)/g, (_, name, value) => {
    fields[name] = value.startsWith('"') ? JSON.parse(value) : value;
    return "";
  });
  if (rest.length > 0) fields.error = rest.map((line) => line.slice(4)).join("\n");
  return { severity: severity.toUpperCase(), message, fields };
}

// --- following it --------------------------------------------------------------------------------

export class Reader {
  constructor(t, dir) {
    Object.assign(this, { t, dir, service: null, kept: "", output: "" });
  }

  // An event that is new since the log had so many.
  newEvent(mark, message) {
    return this.service.event(
      (event) => this.service.log.indexOf(event) >= mark &&
        (message instanceof RegExp ? message.test(event.message) : event.message === message),
      String(message));
  }

  // Wait until what was just changed has gone live by itself, or was refused.
  async settled(mark, refused) {
    if (refused) await this.newEvent(mark, "reload refused, the scripts loaded before go on serving");
    else await this.newEvent(mark, /^scripts reloaded|^reload no longer refused/);
  }

  async lua({ words, body }) {
    const name = words[0]?.match(/^file=(\S+)$/)?.[1];
    assert.ok(name, "a lua block says file=NAME");
    const mark = this.service?.log.length;
    await put(this.dir, name, body);
    if (this.service && !words.includes("later")) await this.settled(mark, words.includes("refused"));
  }

  async serve(body) {
    const [, variables] = body.match(/^(.*)\.\/dev run\n$/);
    const env = { RELOAD_INTERVAL: "1", DATA_DIR: join(this.dir, "data") };
    for (const [, name, value] of variables.matchAll(/(\w+)=(\S*) /g)) env[name] = value;
    env.SCRIPTS_DIR = join(this.dir, env.SCRIPTS_DIR);
    await this.service?.stop();
    this.service = await start(this.t, env);
  }

  // What bash is given for what the page says.
  script(body) {
    const script = `set -eo pipefail\n${this.kept}${body}`.replaceAll("build/paraph", PARAPH);
    return this.service ? script.replaceAll(ADDRESS, this.service.url) : script;
  }

  async sh({ words, body }) {
    if (words.includes("serve")) return this.serve(body);
    const script = this.script(body);
    if (words.includes("keep")) this.kept += body;
    const mark = this.service?.log.length;
    const env = { PATH: process.env.PATH, HOME: process.env.HOME };
    const [failed, output] = await new Promise((resolve) => execFile("bash", ["-c", script],
      { cwd: this.dir, env }, (error, stdout, stderr) => resolve([error, stdout + stderr])));
    this.output = output;
    assert.equal(failed !== null, words.includes("fails"), output);
    if (words.includes("live") || words.includes("refused")) {
      await this.settled(mark, words.includes("refused"));
    }
  }

  json({ words, body }) {
    let lines = this.output.trim().split("\n");
    if (words.includes("last")) lines = lines.slice(-1);
    matchJson(valuesOf(body), lines.map((line) => JSON.parse(line)), words.includes("part"));
  }

  async text({ words, body }) {
    if (words[0] === "output") return matchText(body, this.output, words.includes("part"));
    assert.equal(words[0], "log");
    const wanted = eventOf(body);
    await this.service.event((event) => {
      try {
        assert.deepEqual([event.severity, event.message], [wanted.severity, wanted.message]);
        for (const [name, value] of Object.entries(wanted.fields)) {
          matchText(value, String(event[name]));
        }
        return true;
      } catch {
        return false;
      }
    }, body);
  }
}

// Follow a page of the tree, as this reader does.
export async function follow(name, reader) {
  const page = await readFile(new URL(`../../../${name}`, import.meta.url), "utf8");
  for (const block of blocksOf(page)) {
    if (block.language === "text" && block.words.length === 0) continue;
    assert.ok(["lua", "sh", "json", "text"].includes(block.language),
      `${name}:${block.line}: a block that is not run`);
    try {
      await reader[block.language](block);
    } catch (error) {
      error.message = `${name}:${block.line}: ${error.message}`;
      throw error;
    }
  }
}
