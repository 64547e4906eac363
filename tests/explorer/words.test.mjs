// Sizes, colours, numbers and words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { about, explorer } from "./load.mjs";

test("sizes of outputs are those of PyTorch", () => {
  for (const [input, kernel, stride, padding, dilation, size] of about.sizes)
    assert.equal(explorer.outputSize({ input, kernel, stride, padding, dilation }).size, size);
});

test("a kernel that is too large has no output", () => {
  const found = explorer.outputSize({ input: 3, kernel: 3, stride: 1, padding: 0, dilation: 2 });
  assert.deepEqual([found.size, found.span, found.padded], [0, 5, 3]);
});

test("colours are those of matplotlib", () => {
  for (const [name, map] of [["RdBu_r", explorer.SIGNED], ["viridis", explorer.AMOUNT], ["gray", explorer.GREY]])
    about.colors[name].forEach((channel, i) => assert.ok(Math.abs(channel - map[i]) <= 6, `${name} ${i}`));
  assert.deepEqual(explorer.colorOf(explorer.GREY, 5, 0, 1), [255, 255, 255]);
  assert.deepEqual(explorer.colorOf(explorer.GREY, -5, 0, 1), [0, 0, 0]);
});

test("zero lies in the middle of a signed scale", () => {
  assert.deepEqual(explorer.scaleOf([-3, 1], "conv"), { map: explorer.SIGNED, low: -3, high: 3 });
  assert.deepEqual(explorer.scaleOf([0, 2], "relu"), { map: explorer.AMOUNT, low: 0, high: 2 });
  assert.equal(explorer.scaleOf([0, 0], "relu").high, 1);
});

test("text on a colour can be read", () => {
  const luminance = rgb => {
    const [r, g, b] = rgb.map(c => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  for (const map of [explorer.SIGNED, explorer.AMOUNT, explorer.GREY])
    for (let i = 0; i < 256; i++) {
      const rgb = explorer.colorOf(map, i, 0, 255), ink = explorer.inkOn(rgb);
      const [dark, light] = [luminance(rgb), ink === "#fff" ? 1 : 0].sort((a, b) => a - b);
      assert.ok((light + 0.05) / (dark + 0.05) >= 4.5);
    }
});

test("numbers", () => {
  assert.equal(explorer.format(-1.23456), "−1.235");
  assert.equal(explorer.format(-0.0001), "0.000");
  assert.equal(explorer.formatShort(18686.4), "18,686");
  assert.equal(explorer.formatShort(1.23e9), "1.2 · 10⁹");
  assert.equal(explorer.formatShort(-0.00002), "−2.0 · 10⁻⁵");
  assert.deepEqual([0, 0.0004, 0.021, 0.5, 0.98765, 0.9999].map(explorer.percent),
    ["0 %", "< 0.1 %", "2 %", "50 %", "99 %", "> 99.9 %"]);
});

test("what is read, in words", () => {
  const shares = [0, 0, 0, 0.97, 0, 0, 0, 0, 0.02, 0.01];
  assert.equal(explorer.sentence(shares), "3 with 97 %, then 8 with 2 %");
  assert.equal(explorer.sentence([0.9995, 0.0005, ...Array(8).fill(0)]), "0 with more than 99.9 %");
});

test("base64, there and back, and the checksum of zlib", () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * 37) % 256);
  assert.deepEqual(explorer.decodeBase64(explorer.encodeBase64(bytes)), bytes);
  assert.equal(explorer.adler32(new TextEncoder().encode("Wikipedia")), 300286872);
});
