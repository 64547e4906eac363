// The explorer's script, and the fixtures that PyTorch has made.

import { readFileSync } from "node:fs";

const source = new URL("../../mnist_helpers/explorer/explorer.js", import.meta.url);

// By its text: Node takes a file whose name ends in .js for an older kind of script.
export const explorer = await import(`data:text/javascript;base64,${readFileSync(source, "base64")}`);

export const folder = process.env.FIXTURES;
export const about = folder && JSON.parse(readFileSync(`${folder}/about.json`, "utf8"));

export function bytes(name) {
  return new Uint8Array(readFileSync(`${folder}/${name}`));
}

export function floats(name) {
  return new Float32Array(bytes(name).buffer);
}

// The largest difference between two lists of numbers, NaN if one holds a NaN.
export function distance(a, b) {
  if (a.length !== b.length) return Infinity;
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= most)) most = difference;
  }
  return most;
}

export const largest = values => values.indexOf(Math.max(...values));
