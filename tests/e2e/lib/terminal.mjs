// The program on a terminal, as script(1) makes one: keys go in, what is on the screen comes out.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { atEnd, inherited, PARAPH, run } from "./service.mjs";

const WAIT_MS = 60000;
const COLOURS = /\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x07/g;

export const CTRL_C = "\x03", CTRL_D = "\x04", ENTER = "\r", TAB = "\t", UP = "\x1b[A";

const quoted = (word) => `'${word.replaceAll("'", "'\\''")}'`;

class Terminal {
  output = ""; // all of it, as it came
  #seen = 0;
  #waiters = new Set();

  constructor(args, { env = {}, columns = 80, cwd, wrap = [] } = {}) {
    const program = [...wrap, PARAPH, ...args].map(quoted).join(" ");
    const command = `stty cols ${columns} rows 24; exec ${program}`;
    this.child = spawn("script",
      ["--quiet", "--flush", "--return", "--command", command, "/dev/null"],
      { cwd, env: { ...inherited(), SHELL: "/bin/sh", TERM: "xterm", NO_COLOR: "1", ...env } });
    this.child.stdout.setEncoding("utf8").on("data", (text) => {
      this.output += text;
      for (const look of this.#waiters) look();
    });
    this.child.stdin.on("error", () => {}); // it has ended
    this.exited = once(this.child, "close").then(([code]) => {
      this.code = code;
      for (const look of this.#waiters) look();
      return code;
    });
  }

  // What came since the last wait, as it can be read.
  get text() {
    return this.output.slice(this.#seen).replace(COLOURS, "").replaceAll("\r", "");
  }

  // The pid of the program itself: script(1) has one child.
  async program() {
    const { pid } = this.child;
    return Number(await readFile(`/proc/${pid}/task/${pid}/children`, "utf8"));
  }

  type(keys) {
    this.child.stdin.write(keys);
  }

  // Wait until what came since the last wait matches; give it, and begin anew.
  until(pattern) {
    return new Promise((resolve, reject) => {
      const end = (settle, value) => {
        clearTimeout(timer);
        this.#waiters.delete(look);
        settle(value);
      };
      const look = () => {
        const text = this.text;
        if (pattern.test(text)) {
          this.#seen = this.output.length;
          end(resolve, text);
        } else if (this.code !== undefined) {
          end(reject, new Error(`it has ended without ${pattern}:\n${text}`));
        }
      };
      const timer = setTimeout(() =>
        end(reject, new Error(`waited in vain for ${pattern}:\n${this.text}`)), WAIT_MS);
      this.#waiters.add(look);
      look();
    });
  }

  // Type a line, and give what is shown until the next prompt, without the line itself.
  async line(text, prompt = /(dry|LIVE)> $/) {
    this.type(text + ENTER);
    const shown = await this.until(prompt);
    return shown.slice(shown.indexOf("\n") + 1).replace(/[^\n]*$/, "");
  }
}

// On a terminal of its own; it has ended when the test does. `wrap` as for start() of service.mjs.
export async function openTerminal(t, args, options) {
  const terminal = new Terminal(args, options);
  atEnd(t, async () => {
    if (terminal.code === undefined) terminal.child.stdin.end(), terminal.child.kill("SIGKILL");
    await terminal.exited;
    assert.doesNotMatch(terminal.output, /ERROR: \w+Sanitizer|runtime error:/);
  });
  return terminal;
}

// What a command writes to a terminal of so many columns, standard error included; with `to`,
// standard output goes into that file instead.
export async function atTerminal(t, args, env = {}, { columns = 80, to } = {}) {
  const command = to === undefined ? '"$@"' : `"$@" >"${to}"`;
  const wrapped = `exec script -qec "$(printf '%q ' "$@")" /dev/null`;
  const { code, stdout } = await run(t, args,
    { TERM: "xterm", COLUMNS: String(columns), ...env },
    { wrap: ["bash", "-c", wrapped, "bash", "sh", "-c", command, "sh"] });
  return { code, text: stdout };
}
