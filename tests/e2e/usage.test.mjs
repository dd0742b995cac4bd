// What the commands are called with: --help, the manual page, and the completion for bash say the
// same.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { promisify } from "node:util";
import { put, run, temporary } from "./lib/service.mjs";

const root = new URL("../../docs/", import.meta.url);
const COMPLETION = new URL("paraph.bash", root).pathname;
const page = await readFile(new URL("paraph.1", root), "utf8");

async function help(t, ...args) {
  const { code, stdout, stderr } = await run(t, [...args, "--help"]);
  assert.deepEqual([code, stderr], [0, ""]);
  return stdout;
}

const commandsOf = (overview) =>
  [...overview.matchAll(/^(?:usage:| {6}) paraph \[?([a-z]+)/gm)].map(([, name]) => name);
const optionsOf = (text) => [...new Set(text.match(/--[a-z][a-z-]*/g) ?? [])].toSorted();

// What bash offers behind these words; the last one is what has been typed so far.
async function offered(words, cwd) {
  const script = 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _paraph; ' +
    'printf "%s\\n" "${COMPREPLY[@]}"';
  const { stdout } = await promisify(execFile)("bash",
    ["-uc", script, COMPLETION, "paraph", ...words], { cwd });
  return stdout.split("\n").filter((word) => word !== "").toSorted();
}

const manualOf = (command) => page.split(`\n.Ss ${command}\n`)[1]?.split(/\n\.S[sh] /)[0];

test("each command has a help of its own, and a section of the manual", async (t) => {
  const commands = commandsOf(await help(t));
  assert.ok(commands.length >= 6, commands.join());
  for (const command of commands) {
    const text = await help(t, command);
    assert.deepEqual(commandsOf(text), [command]);
    const section = manualOf(command);
    assert.ok(section, `${command} is not in the manual`);
    const items = section.split("\n").filter((line) => line.startsWith(".It ")).join("\n");
    const told = [...items.matchAll(/\bFl -([a-z-]+)/g)].map(([, name]) => `--${name}`);
    assert.deepEqual(told.toSorted(), optionsOf(text), command);
    assert.ok(page.includes(`.Cm ${command}`) || page.includes(`Op Cm ${command}`));
  }
});

test("bash completes every command and option, and no other", async (t) => {
  const commands = commandsOf(await help(t));
  const first = await offered([""]);
  assert.deepEqual(first.filter((word) => commands.includes(word)), commands.toSorted());
  for (const command of commands) {
    assert.deepEqual(await offered([command, "--"]),
      [...optionsOf(await help(t, command)), "--help", "--version"].toSorted(), command);
  }
  assert.deepEqual(await offered(["dr"]), ["drafts"]);
  const registered = await promisify(execFile)("bash",
    ["-c", 'source "$0" && complete -p paraph', COMPLETION]);
  assert.equal(registered.stdout, "complete -F _paraph paraph\n");
});

test("it completes what options take, and words", async (t) => {
  const dir = await temporary(t);
  await put(dir, "an offer.pdf", "");
  await put(dir, "message.json", "");
  for (const [words, wanted] of [
    [["send", "--format", ""], ["html", "markdown", "text"]],
    [["send", "--format", "=", "m"], ["markdown"]],
    [["send", "--format", "="], ["html", "markdown", "text"]],
    [["send", "--mode", "d"], ["draft"]],
    [["send", "--attach", "an"], ["an offer.pdf"]],
    [["send", "mess"], ["message.json"]],
    [["send", "--subject", ""], []],
    [["send", "--to", "ann@example.com", "--dr"], ["--draft", "--dry-run"]],
    [["drafts", "s"], ["sending", "sent"]],
    [["drafts", "--limit", ""], []],
    [["key", "crm", "s"], ["send"]],
    [["check", "--replay", ""], []],
    [["test", "me"], ["message.json"]],
    [["serve", ""], []],
  ]) assert.deepEqual(await offered(words, dir), wanted, words.join(" "));
});

test("closed standard streams are no harm", async (t) => {
  const letter = ["send", "--to", "ann@example.com", "--subject", "s", "--message", "m"];
  for (const closed of ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
    for (const args of [letter, ["key", "ann", "draft"], ["check"]]) {
      const { code, stderr } = await run(t, args, {},
        { wrap: ["bash", "-c", `exec "$@" ${closed}`, "bash"] });
      assert.equal(code, 0, `${args[0]} ${closed}: ${stderr}`);
    }
});

test("help comes before everything else that is wrong", async (t) => {
  for (const args of [["send", "--to"], ["send", "--bogus"], ["drafts", "nonsense"], ["key"]]) {
    assert.match(await help(t, ...args), new RegExp(`^usage: paraph ${args[0]} `));
  }
  const { code, stdout } = await run(t, ["send", "-h"]);
  assert.equal(code, 0);
  assert.match(stdout, /^usage: paraph send /);
});
