// What gcloud understands of what we ask of it (gcloud.json), and a list of arguments held against it.

import { readFileSync } from "node:fs";

export const grammar = JSON.parse(readFileSync(new URL("gcloud.json", import.meta.url), "utf8"));

// { command, words, flags } of a list of arguments, or { error }. A flag that is there twice is a list.
export function parse(argv) {
  const command = Object.keys(grammar.commands)
    .filter((name) => `${argv.join(" ")} `.startsWith(`${name} `))
    .sort((a, b) => b.length - a.length)[0];
  if (!command) return { error: `Invalid choice: ${argv.join(" ")}` };
  const known = grammar.commands[command];
  const words = [];
  const flags = {};
  for (const argument of argv.slice(command.split(" ").length)) {
    const [, flag, value] = argument.match(/^(--[a-z-]+)(?:=(.*))?$/s) ?? [];
    if (!flag) words.push(argument);
    else if (!(flag in known.flags) && !grammar.wide.includes(flag)) {
      return { error: `${command}: unrecognized arguments: ${flag}` };
    } else if ((value !== undefined) !== ((known.flags[flag] ?? "value") !== "switch")) {
      return { error: `${command}: ${flag} and a value` };
    } else if (known.flags[flag] === "list") (flags[flag] ??= []).push(value);
    else if (flag in flags) return { error: `${command}: ${flag} twice` };
    else flags[flag] = value ?? true;
  }
  const [least, most = least] = [known.words].flat();
  if (words.length < least || words.length > most) return { error: `${command}: arguments: ${words}` };
  const missing = known.required.filter((flag) => !(flag in flags));
  if (missing.length > 0) return { error: `${command}: Missing required argument: ${missing}` };
  return { command, words, flags };
}
