// The program at a terminal, which script(1) plays.

import { run } from "./service.mjs";

// What a command writes to a terminal of so many columns, standard error included; with `to`,
// standard output goes into that file instead.
export async function atTerminal(t, args, env = {}, { columns = 80, to } = {}) {
  const command = to === undefined ? '"$@"' : `"$@" >"${to}"`;
  const quoted = `exec script -qec "$(printf '%q ' "$@")" /dev/null`;
  const { code, stdout } = await run(t, args,
    { TERM: "xterm", COLUMNS: String(columns), ...env },
    { wrap: ["bash", "-c", quoted, "bash", "sh", "-c", command, "sh"] });
  return { code, text: stdout };
}
