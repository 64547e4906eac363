// The JavaScript computes what PyTorch computes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { about, distance, explorer, floats, largest } from "./load.mjs";

const images = floats("images.f32");
const image = i => images.subarray(784 * i, 784 * (i + 1));

for (const [name, text] of Object.entries(about.weights)) {
  const weights = explorer.decodeWeights(text, about.checksums[name]);

  test(`${name}: the logits of ${about.images} images, and the same answers`, () => {
    const expected = floats(`${name}.logits.f32`);
    let furthest = 0;
    for (let i = 0; i < about.images; i++) {
      const logits = explorer.forward(weights, image(i)).fc, ours = Array.from(logits);
      const theirs = Array.from(expected.subarray(10 * i, 10 * (i + 1)));
      furthest = Math.max(furthest, distance(ours, theirs));
      assert.equal(largest(ours), largest(theirs), `image ${i}`);
    }
    console.log(`${name}: the logits differ by ${furthest.toExponential(1)} at most`);
    assert.ok(furthest < 1e-3, `differ by ${furthest}`);
  });

  test(`${name}: every layer of ${about.layered} images`, () => {
    const layers = [...explorer.LAYERS.map(layer => layer.name), "fc"];
    const expected = Object.fromEntries(layers.map(layer => [layer, floats(`${name}.${layer}.f32`)]));
    for (let i = 0; i < about.layered; i++) {
      const ours = explorer.forward(weights, image(i));
      for (const layer of layers) {
        const size = expected[layer].length / about.layered;
        const apart = distance(ours[layer], expected[layer].subarray(size * i, size * (i + 1)));
        assert.ok(apart < 1e-4, `${layer} of image ${i} differs by ${apart}`);
      }
    }
  });

  test(`${name}: the arithmetic of one number is that of the map`, () => {
    const values = explorer.forward(weights, image(0));
    for (const [layer, size] of [["conv1", 28], ["conv2", 14]])
      for (const [map, row, column] of [[0, 0, 0], [5, 7, 9], [15, size - 1, size - 1]]) {
        const { total, parts, bias } = explorer.convolutionAt(weights, layer, values, map, row, column);
        const number = values[layer][map * size * size + row * size + column];
        assert.ok(Math.abs(total - number) < 1e-4);
        assert.ok(Math.abs(parts.reduce((sum, part) => sum + part.sum, bias) - total) < 1e-9);
      }
    const parts = explorer.contributions(weights, values.pool2, 7);
    const logit = parts.reduce((a, b) => a + b, weights.fc.bias[7]);
    assert.ok(Math.abs(logit - values.fc[7]) < 1e-4);
  });

  test(`${name}: a filter that is switched off`, () => {
    const off = explorer.forward(weights, image(0), { conv1: new Set([3]), conv2: new Set([7, 8]) });
    assert.ok(distance(off.fc, floats(`${name}.off.f32`)) < 1e-3);
    assert.ok(off.relu1.subarray(3 * 784, 4 * 784).every(value => value === 0));
  });
}

test("softmax", () => {
  assert.ok(distance(explorer.softmax([1, 2, 3]), [0.09003057, 0.24472847, 0.66524096]) < 1e-7);
  assert.ok(distance(explorer.softmax([1000, 0]), [1, 0]) < 1e-12);
});

test("weights that are damaged, or too few", () => {
  const [text] = Object.values(about.weights), [checksum] = Object.values(about.checksums);
  const other = (text[100] === "A" ? "B" : "A");
  assert.throws(() => explorer.decodeWeights(text.slice(0, 100) + other + text.slice(101), checksum), /damaged/);
  assert.throws(() => explorer.decodeWeights(text.slice(0, 4000), checksum), /Expected 20490 weights/);
  assert.throws(() => explorer.decodeWeights("*", checksum), /damaged/);
});

test("the digits inside are those of MNIST", () => {
  const ours = explorer.unpackDigits(about.digits), theirs = floats("digits.f32");
  assert.equal(ours.length, 48);
  ours.forEach((digit, i) => assert.equal(distance(digit, theirs.subarray(784 * i, 784 * (i + 1))), 0));
});
