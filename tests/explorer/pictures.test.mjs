// A drawing is prepared as to_mnist does it in Python.

import assert from "node:assert/strict";
import { test } from "node:test";
import { about, bytes, distance, explorer, floats, largest } from "./load.mjs";

test(`${about.drawings} drawings become what Python makes of them`, () => {
  const drawings = bytes("drawings.u8"), expected = floats("prepared.f32");
  const weights = explorer.decodeWeights(Object.values(about.weights)[0]);
  let same = 0, refused = 0, furthest = 0;
  for (let i = 0; i < about.drawings; i++) {
    const theirs = expected.subarray(784 * i, 784 * (i + 1));
    let ours;
    try {
      ours = explorer.toMnist(drawings.subarray(19600 * i, 19600 * (i + 1)), 140).image;
    } catch (error) {
      assert.equal(error.message, about.refusals[i], `drawing ${i}`);
      refused++;
      continue;
    }
    assert.equal(about.refusals[i], "", `drawing ${i} should be refused`);
    furthest = Math.max(furthest, distance(ours, theirs));
    const answer = image => largest(Array.from(explorer.forward(weights, image).fc));
    if (answer(ours) === answer(theirs)) same++;
  }
  const share = same / (about.drawings - refused);
  console.log(`to_mnist: ${(100 * share).toFixed(1)} % the same answer, pixels differ by `
    + `${furthest.toExponential(1)} at most, ${refused} refused alike`);
  assert.ok(refused > 30 && share >= 0.99);
});

test("a half is rounded to the even neighbour, as in Python", () => {
  assert.deepEqual([0.5, 1.5, 2.5, -0.5, -1.5, 2.4, 2.6].map(explorer.roundHalfEven), [0, 2, 2, 0, -2, 2, 3]);
});

test("an image is moved, and paper comes in", () => {
  const image = new Float32Array(784).fill(-1);
  image[28 * 3 + 4] = 1;
  const moved = explorer.shift(image, 2, -3);
  assert.equal(moved[6], 1);
  assert.equal(moved.filter(value => value === 1).length, 1);
  assert.ok(explorer.shift(image, 0, -4).every(value => value === -1));
});
