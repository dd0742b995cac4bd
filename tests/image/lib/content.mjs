// What is in the image: its files, and what they weigh.

import { lstat, readdir } from "node:fs/promises";
import { basename, join } from "node:path";

// [{ path, size, mode, uid, directory }], without links, which weigh nothing.
export async function filesOf(root) {
  const names = await readdir(root, { recursive: true });
  const all = await Promise.all(names.map(async (path) => {
    const info = await lstat(join(root, path));
    return { path, size: info.isFile() ? info.size : 0, mode: info.mode & 0o7777, uid: info.uid,
      directory: info.isDirectory() };
  }));
  return all.sort((a, b) => (a.path < b.path ? -1 : 1));
}

// In this order: the first that fits.
const PARTS = [
  ["the program", /^usr\/bin\//],
  ["libraries", /^(usr\/)?lib(64)?\/.*\.so(\.|$)/],
  ["scripts", /^usr\/share\/paraph\/scripts\//],
  ["templates", /^usr\/share\/paraph\/templates\//],
  ["authorities", /^etc\/ssl\//],
  ["terminals and characters, for repl", /^lib\/terminfo\/|^usr\/lib\/locale\//],
  ["licences", /^usr\/share\/(doc|common-licenses)\//],
  ["versions of packages", /^var\/lib\/dpkg\//],
  ["user, system's name", /^etc\//],
];

export const total = (files) => files.reduce((sum, { size }) => sum + size, 0);
export const libraries = (files) => files.filter(({ path, size }) => PARTS[1][1].test(path) && size > 0);
const shown = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

const LARGE = 1e6; // libraries that have a row of their own

// [[what, how much]]; all that fits no part is a row, too.
export function weigh(files) {
  const rows = [["all of it", shown(total(files))]];
  let rest = files.filter(({ directory }) => !directory);
  for (const [name, pattern] of PARTS) {
    const part = rest.filter(({ path }) => pattern.test(path));
    rest = rest.filter((file) => !part.includes(file));
    rows.push([`  ${name}${part.length > 1 ? ` (${part.length} files)` : ""}`, shown(total(part))]);
    if (name !== "libraries") continue;
    for (const { path, size } of part.filter(({ size }) => size >= LARGE).sort((a, b) => b.size - a.size)) {
      rows.push([`    ${basename(path)}`, shown(size)]);
    }
  }
  return rest.length > 0 ? [...rows, ["  other", shown(total(rest))]] : rows;
}
