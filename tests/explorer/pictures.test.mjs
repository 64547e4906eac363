// A drawing is prepared as to_mnist does it in Python.

import assert from "node:assert/strict";
import { test } from "node:test";
import { about, bytes, distance, explorer, floats, largest } from "./load.mjs";

const weights = explorer.decodeWeights(Object.values(about.weights)[0]);
const answer = image => largest(Array.from(explorer.forward(weights, image).fc));

test(`${about.drawings} drawings become what Python makes of them`, () => {
  const drawings = bytes("drawings.u8"), expected = floats("prepared.f32");
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
    if (answer(ours) === answer(theirs)) same++;
  }
  const share = same / (about.drawings - refused);
  console.log(`to_mnist: ${(100 * share).toFixed(1)} % the same answer, pixels differ by `
    + `${furthest.toExponential(1)} at most, ${refused} refused alike`);
  assert.ok(refused > 30 && share >= 0.99);
});

const [HEIGHT, WIDTH] = [600, 450];

test("photographs become what Python makes of them", () => {
  let all = 0, same = 0, refused = 0, furthest = 0;
  for (const [condition, refusals] of Object.entries(about.photographs)) {
    const pixels = bytes(`${condition}.u8`), expected = floats(`${condition}.f32`);
    let alike = 0;
    refusals.forEach((refusal, i) => {
      const data = pixels.subarray(4 * HEIGHT * WIDTH * i, 4 * HEIGHT * WIDTH * (i + 1));
      const theirs = expected.subarray(784 * i, 784 * (i + 1));
      let ours = null, message = "";
      try {
        const grey = explorer.toGrey({ data, height: HEIGHT, width: WIDTH });
        ours = explorer.toMnist(grey.values, HEIGHT, WIDTH).image;
      } catch (error) {
        ({ message } = error);
        refused++;
      }
      if (message !== refusal) console.log(`${condition} ${i}: "${message}" for "${refusal}"`);
      else if (!ours) alike++;
      else {
        furthest = Math.max(furthest, distance(ours, theirs));
        if (answer(ours) === answer(theirs)) alike++;
      }
    });
    assert.ok(alike >= 0.75 * refusals.length, `${condition}: ${alike} of ${refusals.length}`);
    all += refusals.length;
    same += alike;
  }
  console.log(`photographs: ${same} of ${all} with the same answer or refusal, pixels differ by `
    + `${furthest.toExponential(1)} at most, ${refused} refused`);
  assert.ok(all >= 90 && refused >= 5 && same / all >= 0.97);
});

test("of a picture that is refused, the steps before that are known", () => {
  const onTable = i => i % 150 < 15 || i >= 180 * 150;
  const page = Float64Array.from({ length: 200 * 150 }, (_, i) => (onTable(i) ? 70 : 215 - (i % 3))), steps = {};
  assert.throws(() => explorer.toMnist(page, 200, 150, steps), /nothing but what reaches the edge/);
  assert.deepEqual(Object.keys(steps), ["grey", "paper", "photograph", "ink", "unruled"]);
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
