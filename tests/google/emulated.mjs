// Runs test files with Firestore played by Google's own emulator, one for all of them:
//
//   node google/emulated.mjs e2e/drafts.test.mjs …
//
// Exit 77 if there is none here, which CTest tells as "Skipped".

import { spawn } from "node:child_process";
import { once } from "node:events";
import { startEmulator } from "./emulator.mjs";

const NOT_RUN = 77;
const AT_ONCE = 2; // files: they mostly wait

const files = process.argv.slice(2);
const { address, stop, missing } = await startEmulator();
if (missing) {
  console.error(`NOT RUN, since there is no ${missing} here: ${files.join(", ")}`);
  process.exit(NOT_RUN);
}
const tests = spawn(process.execPath, ["--test", `--test-concurrency=${AT_ONCE}`,
  "--test-reporter=spec", ...files], {
  stdio: "inherit", env: { ...process.env, TEST_ON: "emulator", FIRESTORE_EMULATOR_HOST: address },
});
const [code] = await once(tests, "exit");
await stop();
process.exitCode = code ?? 1;
