// The explorer: look inside a small convolutional network, down to every multiplication.
//
// One plain ES module without dependencies. It is used as a widget (the default export, by
// anywidget) and in a page of its own (`mount`). What computes is exported for the tests.

// ------------------------------------------------------------------ the network

// In the order in which the data passes through them.
export const LAYERS = [
  { name: "conv1", kind: "conv", from: "input", maps: 16, size: 28, parameters: 160 },
  { name: "relu1", kind: "relu", from: "conv1", maps: 16, size: 28, parameters: 0 },
  { name: "pool1", kind: "pool", from: "relu1", maps: 16, size: 14, parameters: 0 },
  { name: "conv2", kind: "conv", from: "pool1", maps: 32, size: 14, parameters: 4640 },
  { name: "relu2", kind: "relu", from: "conv2", maps: 32, size: 14, parameters: 0 },
  { name: "pool2", kind: "pool", from: "relu2", maps: 32, size: 7, parameters: 0 },
];
const LAYER = Object.fromEntries(LAYERS.map(layer => [layer.name, layer]));
const INPUT = { name: "input", kind: "input", maps: 1, size: 28 };
export const FC_PARAMETERS = 15690;

// How the weights follow one another in the text that Python sends.
export const WEIGHTS = [
  ["conv1", "weight", 16 * 1 * 9], ["conv1", "bias", 16],
  ["conv2", "weight", 32 * 16 * 9], ["conv2", "bias", 32],
  ["fc", "weight", 10 * 1568], ["fc", "bias", 10],
];

export function decodeBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

export function encodeBase64(bytes) {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function floats(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(bytes.length / 4);
  for (let i = 0; i < values.length; i++) values[i] = view.getFloat32(4 * i, true);
  return values;
}

// A checksum (Adler-32), as zlib computes it.
export function adler32(bytes) {
  let a = 1, b = 0;
  for (const byte of bytes) { a = (a + byte) % 65521; b = (b + a) % 65521; }
  return b * 65536 + a;
}

// {layer: {weight, bias}} from base64 text of little-endian float32.
export function decodeWeights(text, checksum) {
  let bytes;
  try { bytes = decodeBase64(text); } catch { throw new Error("The weights are damaged."); }
  const count = WEIGHTS.reduce((sum, [, , size]) => sum + size, 0);
  if (bytes.length !== 4 * count)
    throw new Error(`Expected ${count} weights of 4 bytes, but got ${bytes.length} bytes.`);
  if (checksum !== undefined && adler32(bytes) !== checksum)
    throw new Error("The weights are damaged: their checksum differs.");
  const values = floats(bytes), weights = {};
  let start = 0;
  for (const [layer, part, size] of WEIGHTS) {
    (weights[layer] ??= {})[part] = values.subarray(start, start + size);
    start += size;
  }
  return weights;
}

// Digits of 28 × 28 bytes, packed: a zero is followed by how many zeros there are.
export function unpackDigits(text) {
  const packed = decodeBase64(text), bytes = [];
  for (let i = 0; i < packed.length; i++)
    if (packed[i]) bytes.push(packed[i]);
    else for (let zeros = packed[++i]; zeros > 0; zeros--) bytes.push(0);
  const images = [];
  for (let start = 0; start < bytes.length; start += 784)
    images.push(normalize(bytes.slice(start, start + 784)));
  return images;
}

// Bytes from 0 to 255 as load_mnist gives them: from -1 to 1.
export function normalize(bytes) {
  return Float32Array.from(bytes, byte => (Math.fround(byte * Math.fround(1 / 255)) - 0.5) / 0.5);
}

export function decodeImages(text) {
  const values = floats(decodeBase64(text)), images = [];
  for (let start = 0; start < values.length; start += 784)
    images.push(values.slice(start, start + 784));
  return images;
}

// A convolution 3 × 3 with a padding of 1.
export function convolve(input, channels, size, weight, bias) {
  const maps = bias.length, area = size * size, wide = size + 2;
  const padded = new Float64Array(channels * wide * wide);  // with the rim of zeros
  for (let channel = 0; channel < channels; channel++)
    for (let row = 0; row < size; row++)
      for (let column = 0; column < size; column++)
        padded[(channel * wide + row + 1) * wide + 1 + column] = input[channel * area + row * size + column];
  const output = new Float32Array(maps * area), sums = new Float64Array(area);
  for (let map = 0; map < maps; map++) {
    sums.fill(bias[map]);
    for (let channel = 0; channel < channels; channel++) {
      const k = 9 * (map * channels + channel);
      const w0 = weight[k], w1 = weight[k + 1], w2 = weight[k + 2], w3 = weight[k + 3], w4 = weight[k + 4];
      const w5 = weight[k + 5], w6 = weight[k + 6], w7 = weight[k + 7], w8 = weight[k + 8];
      for (let row = 0, to = 0; row < size; row++) {
        const top = (channel * wide + row) * wide, middle = top + wide, bottom = middle + wide;
        for (let column = 0; column < size; column++, to++)
          sums[to] += w0 * padded[top + column] + w1 * padded[top + column + 1] + w2 * padded[top + column + 2]
            + w3 * padded[middle + column] + w4 * padded[middle + column + 1] + w5 * padded[middle + column + 2]
            + w6 * padded[bottom + column] + w7 * padded[bottom + column + 1] + w8 * padded[bottom + column + 2];
      }
    }
    output.set(sums, map * area);
  }
  return output;
}

export function relu(input) {
  const output = new Float32Array(input.length);
  for (let i = 0; i < input.length; i++) output[i] = input[i] < 0 ? 0 : input[i];
  return output;
}

// The largest of each 2 × 2.
export function maxPool(input, maps, size) {
  const half = size / 2, output = new Float32Array(maps * half * half);
  for (let map = 0, to = 0; map < maps; map++)
    for (let row = 0; row < half; row++)
      for (let column = 0; column < half; column++) {
        const i = map * size * size + 2 * row * size + 2 * column;
        output[to++] = Math.max(input[i], input[i + 1], input[i + size], input[i + size + 1]);
      }
  return output;
}

export function linear(input, weight, bias) {
  return Float32Array.from(bias, (sum, row) => {
    for (let i = 0; i < input.length; i++) sum += weight[row * input.length + i] * input[i];
    return sum;
  });
}

export function softmax(logits) {
  const highest = Math.max(...logits);
  const exponentials = Array.from(logits, logit => Math.exp(logit - highest));
  const sum = exponentials.reduce((a, b) => a + b);
  return exponentials.map(value => value / sum);
}

// What every layer makes of an image. `off` names the maps of conv1 and conv2 that are switched
// off: they are zero, as if all their weights and their bias were.
export function forward(weights, image, off = {}) {
  const values = { input: image };
  for (const { name, kind, from, maps, size } of LAYERS) {
    const input = values[from];
    if (kind === "relu") values[name] = relu(input);
    else if (kind === "pool") values[name] = maxPool(input, maps, 2 * size);
    else {
      const { weight, bias } = weights[name];
      values[name] = convolve(input, input.length / (size * size), size, weight, bias);
      for (const map of off[name] ?? []) values[name].fill(0, map * size * size, (map + 1) * size * size);
    }
  }
  values.fc = linear(values.pool2, weights.fc.weight, weights.fc.bias);
  values.probabilities = softmax(values.fc);
  return values;
}

// The 3 × 3 patch below the window at one place, with zeros where the padding lies.
export function patchAt(values, size, row, column, map = 0) {
  const patch = [];
  for (let y = row - 1; y <= row + 1; y++)
    for (let x = column - 1; x <= column + 1; x++)
      patch.push(inside(y, x, size) ? values[map * size * size + y * size + x] : 0);
  return patch;
}

const inside = (row, column, size) => row >= 0 && column >= 0 && row < size && column < size;

// How one number of a convolution came about: {parts: [{patch, kernel, products, sum}], bias, total}
export function convolutionAt(weights, layer, values, map, row, column) {
  const { weight, bias } = weights[layer], { from, size } = LAYER[layer];
  const channels = weight.length / bias.length / 9;
  const parts = [];
  for (let channel = 0; channel < channels; channel++) {
    const patch = patchAt(values[from], size, row, column, channel);
    const start = 9 * (map * channels + channel);
    const kernel = Array.from(weight.subarray(start, start + 9));
    const products = patch.map((value, i) => value * kernel[i]);
    parts.push({ patch, kernel, products, sum: products.reduce((a, b) => a + b) });
  }
  const total = parts.reduce((sum, part) => sum + part.sum, bias[map]);
  return { parts, bias: bias[map], total };
}

// How far each of the 1,568 numbers pushes the logit of a digit up or down.
export function contributions(weights, pool2, digit) {
  return pool2.map((value, i) => value * weights.fc.weight[digit * 1568 + i]);
}

// How much each map that a map is made from adds to it, in the mean over all places.
export function shares(weights, layer, values, map) {
  const { weight, bias } = weights[layer], { from, size } = LAYER[layer];
  const channels = weight.length / bias.length / 9, area = size * size;
  return Array.from({ length: channels }, (_, channel) => {
    const input = values[from].subarray(channel * area, (channel + 1) * area);
    const start = 9 * (map * channels + channel);
    const partial = convolve(input, 1, size, weight.subarray(start, start + 9), [0]);
    return partial.reduce((sum, value) => sum + Math.abs(value), 0) / area;
  });
}

// ------------------------------------------------------------------ sizes

// The size of what comes out of a convolution or a pooling: {size, span, padded, unused}. `span` is
// what the kernel covers, `unused` how many of the last rows no window reaches.
export function outputSize({ input, kernel, stride, padding, dilation }) {
  const span = dilation * (kernel - 1) + 1, padded = input + 2 * padding;
  const size = Math.floor((padded - span) / stride) + 1;
  return { size: Math.max(0, size), span, padded, unused: size > 0 ? (padded - span) % stride : 0 };
}

// ------------------------------------------------------------------ pictures, made like MNIST's

// Step by step as mnist_helpers/pictures.py does it, with its constants: that file says why.
// A picture is {values, height, width}, row by row. What goes through all pixels is a plain loop: a drawing
// takes this path while the pen moves, and functions called for each pixel take five times as long.

// Python rounds a half to the even neighbour.
export function roundHalfEven(value) {
  const low = Math.floor(value), rest = value - low;
  if (rest !== 0.5) return Math.round(value);
  return low % 2 ? low + 1 : low;
}

const makePicture = (height, width, values = new Float64Array(height * width)) => ({ values, height, width });
const longest = ({ height, width }) => Math.max(height, width);

function highest(values) {
  let most = 0;
  for (let i = 0; i < values.length; i++) if (values[i] > most) most = values[i];
  return most;
}

const clip = (value, low, high) => (value < low ? low : value > high ? high : value);

// Of a typed array: an ordinary one is sorted by its text.
function median(values) {
  const sorted = values.slice().sort(), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// Red, green, blue and opacity as grey, 0 to 255: light ink on black paper, dark ink on white.
export function toGrey({ data, height, width }) {
  let light = 0, opacity = 0;
  for (let i = 0; i < data.length; i += 4) {
    light += (data[i] + data[i + 1] + data[i + 2]) * data[i + 3];
    opacity += data[i + 3];
  }
  const paper = light / 3 < 127.5 * opacity ? 255 : 0, grey = makePicture(height, width);
  for (let i = 0, to = 0; i < data.length; i += 4, to++) {
    const share = data[i + 3] / 255, color = 0.2989 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
    grey.values[to] = color * share + 0.9999 * paper * (1 - share);
  }
  return grey;
}

// Square blocks of pixels averaged, so that no side has more than `most`.
export function averageBlocks(grey, most = 400) {
  const { values, height, width } = grey, block = Math.ceil(longest(grey) / most);
  if (block === 1) return grey;
  const small = makePicture(Math.ceil(height / block), Math.ceil(width / block));
  for (let row = 0; row < small.height * block; row++) {
    const from = Math.min(row, height - 1) * width, to = Math.floor(row / block) * small.width;
    for (let column = 0; column < small.width * block; column++)
      small.values[to + Math.floor(column / block)] += values[from + Math.min(column, width - 1)];
  }
  for (let i = 0; i < small.values.length; i++) small.values[i] /= block ** 2;
  return small;
}

// What lies on the outermost pixels: the corners count twice.
function borderOf({ values, height, width }) {
  const border = new Float64Array(2 * (width + height));
  border.set(values.subarray(0, width));
  border.set(values.subarray(values.length - width), width);
  for (let row = 0, to = 2 * width; row < height; row++) {
    border[to++] = values[row * width];
    border[to++] = values[(row + 1) * width - 1];
  }
  return border;
}

// The median of a square around each pixel; beyond the edge the picture is mirrored.
function medianFilter({ values, height, width }, size) {
  const filtered = makePicture(height, width), square = new Float64Array(size * size), far = size >> 1;
  const mirror = (i, side) => {
    const period = 2 * (side - 1), place = period ? ((i % period) + period) % period : 0;
    return place < side ? place : period - place;
  };
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      for (let y = -far, to = 0; y <= far; y++)
        for (let x = -far; x <= far; x++)
          square[to++] = values[mirror(row + y, height) * width + mirror(column + x, width)];
      filtered.values[row * width + column] = median(square);
    }
  return filtered;
}

// `block` times as many rows and columns, linearly between the middles of the small ones.
function enlarge({ values, height, width }, block) {
  const between = side => Array.from({ length: side * block }, (_, i) => {
    const place = clip((i + 0.5) * (side / (side * block)) - 0.5, 0, side - 1), low = Math.floor(place);
    return [low, Math.min(low + 1, side - 1), 1 - (place - low), place - low];
  });
  const large = makePicture(height * block, width * block), columns = between(width);
  let to = 0;
  for (const [top, bottom, above, below] of between(height))
    for (const [left, right, before, after] of columns)
      large.values[to++] = values[top * width + left] * above * before + values[top * width + right] * above * after
        + values[bottom * width + left] * below * before + values[bottom * width + right] * below * after;
  return large;
}

// Whether a picture is a drawing, whose paper is even: most of its pixels, and nearly all of the
// outermost, have one grey, or nine tenths have exactly one of two, paper and ink.
export function isDrawing(grey) {
  const { values } = grey, border = borderOf(grey), even = median(border);
  const share = (part, has) => part.filter(has).length / part.length, near = value => Math.abs(value - even) < 1.5;
  const others = values.filter(value => !near(value));
  if (longest(grey) < 64 || !others.length || (share(values, near) > 0.5 && share(border, near) > 0.9)) return true;
  const ink = median(others);
  return share(values, value => Math.min(Math.abs(value - even), Math.abs(value - ink)) < 0.5) > 0.9;
}

// The brightness of the paper under each pixel: even in a drawing, changing slowly in a photograph.
export function findPaper(grey) {
  const { values, height, width } = grey;
  if (isDrawing(grey))
    return makePicture(height, width, new Float64Array(values.length).fill(median(borderOf(grey))));
  const small = averageBlocks(grey, 32), block = Math.ceil(longest(grey) / 32);
  const smooth = medianFilter(small, 2 * Math.floor(longest(small) / 5) + 1);
  const large = enlarge(smooth, block), paper = makePicture(height, width);
  for (let row = 0; row < height; row++)
    paper.values.set(large.values.subarray(row * large.width, row * large.width + width), row * width);
  return paper;
}

// The least of `size` rows around each, or the most.
function slideRows({ values, height, width }, size, most = false) {
  const output = values.slice(), far = size >> 1;
  for (let row = 0; row < height; row++)
    for (let near = Math.max(0, row - far); near <= Math.min(height - 1, row + far); near++)
      for (let column = 0, to = row * width, from = near * width; column < width; column++, to++, from++)
        if (most ? values[from] > output[to] : values[from] < output[to]) output[to] = values[from];
  return { values: output, height, width };
}

const leastAround = (picture, size) => transpose(slideRows(transpose(slideRows(picture, size)), size));

// By which share each pixel is darker than the paper: 0 for paper, 1 for black. If more is lighter
// than the paper, both are inverted first.
export function findInk(grey, paper) {
  const { height, width } = grey;
  let lighter = 0, darker = 0;
  for (let i = 0; i < grey.values.length; i++) {
    const difference = grey.values[i] - paper.values[i];
    if (difference > 12) lighter += difference;
    if (difference < -12) darker -= difference;
  }
  const turn = lighter > darker, ink = makePicture(height, width);
  let behind = makePicture(height, width, paper.values.slice()), count = 0;
  if (turn) for (let i = 0; i < behind.values.length; i++) behind.values[i] = 255 - behind.values[i];
  // Beside the edge of a shadow, the paper that counts is the darker one.
  if (!isDrawing(grey)) behind = leastAround(behind, 2 * Math.floor(longest(grey) / 32) + 1);
  for (let i = 0; i < grey.values.length; i++) {
    const light = behind.values[i], value = turn ? 255 - grey.values[i] : grey.values[i];
    ink.values[i] = clip((light - value) / (light > 1 ? light : 1), 0, 1);
  }
  const most = highest(ink.values);
  for (let i = 0; i < grey.values.length; i++) if (ink.values[i] > 0.2 * most) count++;
  if (most < 0.1) throw new Error("nothing drawn: no pixel differs from the paper by a tenth or more");
  if (count / grey.values.length > 0.6)
    throw new Error("more ink than paper: crop the picture to one digit on plain paper");
  return ink;
}

// How dark the ruled lines are that run from left to right: thin, dark in most pieces of their row and
// at both ends; they may lean by 3 %.
function findLines(ink, pieces = 12) {
  const { height, width } = ink, wide = Math.floor(width / pieces), lines = makePicture(height, width);
  if (wide < 2) return lines;
  const thin = 2 * Math.floor(0.015 * longest(ink)) + 1, darkest = slideRows(ink, 3, true).values;
  const level = new Float64Array(height * pieces), found = new Float64Array(height * pieces);
  for (let i = 0; i < level.length; i++) {
    const from = Math.floor(i / pieces) * width + (i % pieces) * wide;
    level[i] = median(darkest.subarray(from, from + wide));
  }
  const steepest = roundHalfEven(0.03 * width), row = new Float64Array(pieces);
  for (let lean = -steepest; lean <= steepest; lean += 2) {
    // Each piece moved up or down.
    const places = Array.from(row, (_, piece) => {
      const down = roundHalfEven(lean * (piece === pieces - 1 ? 0.5 : piece * (1 / (pieces - 1)) - 0.5));
      return y => clip(y + down, 0, height - 1) * pieces + piece;
    });
    const line = makePicture(height, 1);
    for (let y = 0; y < height; y++) {
      places.forEach((place, piece) => { row[piece] = level[place(y)]; });
      line.values[y] = Math.min(median(row), 2 * Math.min(row[0], row[pieces - 1]));
    }
    const wider = slideRows(slideRows(line, thin), thin, true).values;
    for (let y = 0; y < height; y++) {
      const dark = line.values[y] - wider[y];
      if (dark > 0.03) for (const place of places) found[place(y)] = Math.max(found[place(y)], dark);
    }
  }
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      lines.values[y * width + x] = found[y * pieces + Math.min(pieces - 1, Math.floor(x / wide))];
  return lines;
}

// Ruled lines taken for a part of the paper: first along the rows, then along the columns.
export function eraseLines(ink) {
  for (let turn = 0; turn < 2; turn++) {
    const { values, height, width } = findLines(ink);
    for (let i = 0; i < values.length; i++)
      values[i] = clip((ink.values[i] - values[i]) / Math.max(1 - values[i], 0.1), 0, 1);
    ink = transpose({ values, height, width });
  }
  return ink;
}

// The connected parts of the ink: on each pixel the number of its part, or 0, and for each number its
// area, the sum of its ink and, unless it is pale all over, its box [top, left, bottom, right].
function findParts({ values, height, width }) {
  const strongest = highest(values), numbers = new Int32Array(values.length);
  const area = [0], amount = [0], boxes = new Map();
  for (let start = 0; start < values.length; start++) {
    if (numbers[start] || !(values[start] > 0.2 * strongest)) continue;
    const number = area.length, box = [height, width, 0, 0], waiting = [start];
    let count = 0, most = 0;
    numbers[start] = number;
    while (waiting.length) {
      const i = waiting.pop(), row = Math.floor(i / width), column = i % width;
      count++;
      most = Math.max(most, values[i]);
      box[0] = Math.min(box[0], row); box[1] = Math.min(box[1], column);
      box[2] = Math.max(box[2], row + 1); box[3] = Math.max(box[3], column + 1);
      for (let y = Math.max(0, row - 1); y <= Math.min(height - 1, row + 1); y++)
        for (let x = Math.max(0, column - 1); x <= Math.min(width - 1, column + 1); x++)
          if (!numbers[y * width + x] && values[y * width + x] > 0.2 * strongest) {
            numbers[y * width + x] = number;
            waiting.push(y * width + x);
          }
    }
    area.push(count);
    amount.push(0);
    if (most > 0.4 * strongest) boxes.set(number, box);
  }
  for (let i = 0; i < values.length; i++) amount[numbers[i]] += values[i];
  return { numbers, area, amount, boxes };
}

// The ink of the parts that `keep` says, by their number.
function keepParts({ values, height, width }, numbers, keep) {
  const kept = makePicture(height, width);
  for (let i = 0; i < values.length; i++) if (keep[numbers[i]]) kept.values[i] = values[i];
  return kept;
}

const longerSide = ([top, left, bottom, right]) => Math.max(bottom - top, right - left);

// What touches the edge of a photograph along some length, such as the table, is erased; lines, too.
export function eraseSurroundings(ink) {
  const far = longest(ink), least = Math.max(0.1, 0.2 * highest(ink.values));
  const nothing = "nothing but what reaches the edge, such as a shadow, the table, or lines: "
    + "crop the picture close to the digit, or photograph it in even light";
  for (;;) {
    const { numbers, area, amount, boxes } = findParts(ink), touching = new Int32Array(area.length);
    for (const number of borderOf({ ...ink, values: numbers })) touching[number]++;
    const inside = new Uint8Array(area.length).fill(1);
    for (const [number, box] of boxes) {
      const long = longerSide(box), line = long > 0.5 * far && area[number] < 0.02 * far * long;
      if (touching[number] > 0.15 * far || (touching[number] && line)) inside[number] = 0;
    }
    if (!inside.includes(0)) {
      const parts = [...boxes.keys()], most = Math.max(...parts.map(number => amount[number]));
      if (!parts.length) throw new Error(nothing);
      if (touching[parts.find(number => amount[number] === most)])
        throw new Error("the digit reaches the edge of the picture: leave some paper around it");
      return ink;
    }
    ink = keepParts(ink, numbers, inside);
    if (highest(ink.values) <= least) throw new Error(nothing);
  }
}

// Is the part in `box` so near to a larger thing that it belongs to it, like the loose bar of a 5?
function belongs(box, thing) {
  const down = Math.max(box[0] - thing[2], thing[0] - box[2]);
  const across = Math.max(box[1] - thing[3], thing[1] - box[3]), height = thing[2] - thing[0];
  if (across > Math.max(2, 0.08 * height) && box[2] - box[0] > 0.6 * height) return false;
  const near = (across > 0 ? 0.2 : 0.35) * longerSide(thing);
  return Math.max(down, across) <= Math.max(2, near);
}

// The things that are drawn, that with most ink first: {box, members}.
function findThings({ boxes, amount }) {
  const left = new Set([...boxes.keys()].sort((a, b) => amount[b] - amount[a])), things = [];
  for (const first of left) {
    left.delete(first);
    let thing = boxes.get(first);
    const members = new Set([first]), others = [...left];
    for (const number of [...others, ...others]) {  // twice: what is near to a part that comes later
      const box = boxes.get(number);
      if (!left.has(number) || longerSide(box) < 0.06 * longerSide(thing) || !belongs(box, thing)) continue;
      thing = thing.map((side, i) => (i < 2 ? Math.min : Math.max)(side, box[i]));
      members.add(number);
      left.delete(number);
    }
    things.push({ box: thing, members });
  }
  return things;
}

// The ink of the one thing that is drawn, 0 to 1, without specks.
export function pickDigit(ink) {
  const parts = findParts(ink), [digit, ...others] = findThings(parts), size = longerSide(digit.box);
  const count = 1 + others.filter(({ box }) => longerSide(box) > 0.3 * size).length;
  if (count > 1)
    throw new Error(`several things, ${count} of them, where one digit was expected: `
      + (count < 5 ? "crop the picture to one digit" : "is it a pattern? Crop close"));
  const keep = Uint8Array.from(parts.area, (_, number) => digit.members.has(number));
  const kept = keepParts(ink, parts.numbers, keep), most = highest(kept.values);
  for (let i = 0; i < kept.values.length; i++) kept.values[i] /= most;
  return kept;
}

// Without the rows and columns around the ink.
export function crop({ values, height, width }) {
  let top = height, bottom = 0, left = width, right = 0;
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++)
      if (values[row * width + column]) {
        top = Math.min(top, row); bottom = Math.max(bottom, row + 1);
        left = Math.min(left, column); right = Math.max(right, column + 1);
      }
  const wide = right - left, cut = new Float64Array((bottom - top) * wide);
  for (let row = top; row < bottom; row++)
    cut.set(values.subarray(row * width + left, row * width + right), (row - top) * wide);
  return { values: cut, height: bottom - top, width: wide };
}

// One side scaled as torchvision's `resize` with `antialias=True` does: a triangle as wide as
// the pixels that become one.
function resizeRows({ values, height, width }, size) {
  if (size === height) return { values, height, width };
  const scale = height / size, support = Math.max(scale, 1), output = new Float64Array(size * width);
  for (let row = 0; row < size; row++) {
    const center = scale * (row + 0.5);
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const last = Math.min(height, Math.trunc(center + support + 0.5));
    const weights = [];
    for (let i = first; i < last; i++)
      weights.push(Math.max(0, 1 - Math.abs((i - center + 0.5) / support)));
    const sum = weights.reduce((a, b) => a + b);
    for (let column = 0; column < width; column++) {
      let value = 0;
      for (let i = first; i < last; i++) value += weights[i - first] * values[i * width + column];
      output[row * width + column] = value / sum;
    }
  }
  return { values: output, height: size, width };
}

function transpose({ values, height, width }) {
  const turned = new Float64Array(values.length);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++)
      turned[column * height + row] = values[row * width + column];
  return { values: turned, height: width, width: height };
}

export function resize(picture, height, width) {
  return resizeRows(transpose(resizeRows(transpose(picture), width)), height);
}

// The longer side scaled to 20 pixels, and the other side with it.
export function scaleTo20(picture) {
  const { height, width } = picture, longer = Math.max(height, width);
  if (longer < 4) throw new Error(`only a dot is drawn, ${width} by ${height} pixels`);
  const side = length => Math.max(1, roundHalfEven((20 * length) / longer));
  const scaled = resize(picture, side(height), side(width));
  const most = highest(scaled.values);
  return { ...scaled, values: scaled.values.map(value => value / most) };
}

// The centre of mass in the middle of 28 × 28, as near as whole pixels allow.
export function center({ values, height, width }) {
  let mass = 0, y = 0, x = 0;
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const value = values[row * width + column];
      mass += value; y += value * row; x += value * column;
    }
  const corner = (middle, side) => Math.min(Math.max(roundHalfEven(14 - middle), 0), 28 - side);
  const top = corner(y / mass, height), left = corner(x / mass, width);
  const image = new Float32Array(784);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++)
      image[(top + row) * 28 + left + column] = values[row * width + column];
  return { values: image, height: 28, width: 28 };
}

// What `to_mnist` makes of a grey picture (0 to 255). The steps are put into `steps` one by one, so that
// those before a refusal can be shown, too; `image` is what the network reads.
export function toMnist(values, height, width = height, steps = {}) {
  const grey = steps.grey = averageBlocks(makePicture(height, width, new Float64Array(values)));
  const paper = steps.paper = findPaper(grey);
  steps.photograph = !isDrawing(grey);
  let ink = steps.ink = findInk(grey, paper);
  if (steps.photograph) {
    ink = steps.unruled = eraseLines(ink);
    ink = eraseSurroundings(ink);
  }
  steps.digit = pickDigit(ink);
  steps.cropped = crop(steps.digit);
  steps.scaled = scaleTo20(steps.cropped);
  steps.centered = center(steps.scaled);
  steps.image = steps.centered.values.map(value => 2 * value - 1);
  return steps;
}

// The image moved by whole pixels; paper comes in.
export function shift(image, right, down) {
  const moved = new Float32Array(784).fill(-1);
  for (let row = 0; row < 28; row++)
    for (let column = 0; column < 28; column++)
      if (inside(row - down, column - right, 28))
        moved[row * 28 + column] = image[(row - down) * 28 + column - right];
  return moved;
}

// ------------------------------------------------------------------ colours and words

// 256 colours, linear between those given (in hexadecimal digits, without spaces).
function colorMap(text) {
  const anchors = text.match(/.{6}/g).map(hex => [0, 2, 4].map(i => parseInt(hex.slice(i, i + 2), 16)));
  const map = new Uint8Array(768);
  for (let i = 0; i < 256; i++) {
    const place = (i / 255) * (anchors.length - 1), low = Math.min(Math.floor(place), anchors.length - 2);
    for (let c = 0; c < 3; c++)
      map[3 * i + c] = Math.round(anchors[low][c] + (place - low) * (anchors[low + 1][c] - anchors[low][c]));
  }
  return map;
}

// matplotlib's RdBu_r for signed values, viridis for amounts, grey for pictures.
export const SIGNED = colorMap("0530612166ac4393c392c5ded1e5f0f7f7f7fddbc7f4a582d6604db2182b67001f");
export const AMOUNT = colorMap(
  "44015448186a472d7b4240863b528b33638d2c728e26828e21918c1fa08828ae803fbc735ec96284d44baddc30d8e219fde725");
export const GREY = colorMap("000000ffffff");

export function colorOf(map, value, low, high) {
  const share = high > low ? (value - low) / (high - low) : 0.5;
  const i = 3 * Math.min(255, Math.max(0, Math.floor(256 * share)));
  return [map[i], map[i + 1], map[i + 2]];
}

const css = ([r, g, b]) => `rgb(${r}, ${g}, ${b})`;
const signColor = value => css(colorOf(SIGNED, value < 0 ? -0.7 : 0.7, -1, 1));  // of bars and lines
const sumOf = values => values.reduce((sum, value) => sum + value, 0);

// Black or white, whichever is easier to read on a colour.
export function inkOn([r, g, b]) {
  const linear = [r, g, b].map(c => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return luminance > 0.179 ? "#000" : "#fff";
}

export function format(value, digits = 3) {
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

// A large or small number, short.
export function formatShort(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e5 || size < 1e-3)) {
    const [mantissa, exponent] = value.toExponential(1).split("e");
    const raised = String(Number(exponent)).replace(/./g, c => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
    return `${mantissa.replace("-", "−")} · 10${raised}`;
  }
  if (size >= 1000) return thousands(format(value, 0));
  return format(value, size >= 100 ? 1 : size >= 10 ? 2 : 3);
}

// With three places, or as a power of ten: for those who calculate it again.
const percentLong = share => `${share < 5e-6 && share > 0 ? formatShort(100 * share) : format(100 * share, 3)} %`;

export function percent(share) {
  const value = 100 * share;
  if (value > 0 && value < 0.1) return "< 0.1 %";
  if (value < 100 && value > 99.9) return "> 99.9 %";
  return `${value.toFixed(value > 0 && (value < 1 || value > 99) && value < 100 ? 1 : 0)} %`;
}

// What is read, in words.
export function sentence(probabilities) {
  const order = Array.from(probabilities, (share, digit) => ({ share, digit })).sort((a, b) => b.share - a.share);
  const [first, second] = order;
  let words = `${first.digit} with ${percent(first.share).replace(">", "more than")}`;
  if (second.share >= 0.01) words += `, then ${second.digit} with ${percent(second.share)}`;
  return words;
}

const thousands = number => String(number).replace(/\B(?=(\d{3})+$)/g, ",");

// ------------------------------------------------------------------ building blocks of the page

function h(tag, attributes = {}, ...children) {
  const node = tag.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

const button = (text, click, attributes = {}) =>
  h("button", { type: "button", class: "xp-button", click, ...attributes }, text);

// A number is the only thing that a class in this table may hold.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function makeCanvas(size, attributes = {}) {
  return h("canvas", { width: size, height: size, "aria-hidden": "true", ...attributes });
}

// Draw size × size numbers, from `start` on, with one pixel each, and `pad` pixels of zeros around.
function paint(canvas, values, start, size, scale, pad = 0, fade = false) {
  const whole = size + 2 * pad, context = canvas.getContext("2d");
  const image = context.createImageData(whole, whole), rgba = image.data;
  const { map, low, high } = scale, factor = high > low ? 256 / (high - low) : 0;
  for (let row = -pad, to = 0; row < size + pad; row++)
    for (let column = -pad; column < size + pad; column++, to += 4) {
      const value = inside(row, column, size) ? values[start + row * size + column] : 0;
      const i = 3 * (factor ? Math.min(255, Math.max(0, Math.floor((value - low) * factor))) : 128);
      rgba[to] = map[i]; rgba[to + 1] = map[i + 1]; rgba[to + 2] = map[i + 2];
      rgba[to + 3] = fade ? 230 * Math.sqrt(Math.abs(value) / high) : 255;
    }
  context.putImageData(image, 0, 0);
}

// One scale for all maps of a layer: zero in the middle for signed values, from zero for amounts.
export function scaleOf(values, kind) {
  if (kind === "input") return { map: GREY, low: -1, high: 1 };
  let most = 0;
  for (const value of values) if (Math.abs(value) > most) most = Math.abs(value);
  if (!(most > 0) || most === Infinity) most = 1;
  return kind === "signed" || kind === "conv"
    ? { map: SIGNED, low: -most, high: most }
    : { map: AMOUNT, low: 0, high: most };
}

const gradient = map =>
  `linear-gradient(to right, ${Array.from({ length: 17 }, (_, i) => css(colorOf(map, i, 0, 16))).join(", ")})`;

// A colour bar with its lowest and highest number.
function colorBar() {
  const strip = h("div", { class: "xp-strip" });
  const [low, middle, high] = [h("span"), h("span"), h("span")];
  const node = h("div", { class: "xp-bar" }, strip, h("div", { class: "xp-ticks" }, low, middle, high));
  let last;
  return {
    node,
    draw(scale) {
      if (scale.map !== last) strip.style.background = gradient((last = scale.map));
      const digits = scale.high >= 10 ? 0 : 1;
      setText(low, scale.low ? format(scale.low, scale.map === GREY ? 0 : digits) : "0");
      setText(middle, scale.low < 0 ? "0" : "");
      setText(high, format(scale.high, scale.map === GREY ? 0 : digits));
    },
  };
}

const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

// Arrow keys move the focus among the buttons of a grid; the tabulator passes over all but one.
function rove(container, buttons, columns) {
  buttons.forEach((node, i) => { node.tabIndex = i ? -1 : 0; });
  container.addEventListener("keydown", event => {
    const i = buttons.indexOf(event.target), arrow = ARROWS[event.key];
    if (i < 0 || !arrow) return;
    const wide = typeof columns === "function" ? columns() : columns;
    const next = buttons[i + arrow[0] * wide + arrow[1]];
    if (next) next.focus();
    event.preventDefault();
  });
  container.addEventListener("focusin", event => {
    if (buttons.includes(event.target)) for (const node of buttons) node.tabIndex = node === event.target ? 0 : -1;
  });
}

const columnsOf = node => getComputedStyle(node).gridTemplateColumns.split(" ").length;

// A choice of one of several, as a row of buttons.
function choice(label, options, onChoose) {
  const buttons = options.map(([value, content, name]) =>
    h("button", { type: "button", role: "radio", "aria-label": name, click: () => choose(value) }, content));
  const node = h("div", { class: "xp-choice", role: "radiogroup", "aria-label": label }, ...buttons);
  rove(node, buttons, options.length);
  function show(value) {
    buttons.forEach((b, i) => {
      b.setAttribute("aria-checked", options[i][0] === value);
      b.tabIndex = options[i][0] === value ? 0 : -1;
    });
  }
  function choose(value) { show(value); onChoose(value); }
  node.addEventListener("keydown", event => {
    const i = buttons.indexOf(document.activeElement) ;
    if (event.key in ARROWS && i >= 0) choose(options[i][0]);
  });
  return { node, show };
}

function slider(label, { low, high, value, step = 1, show = String }, onInput) {
  const output = h("output", {}, show(value));
  const input = h("input", {
    type: "range", min: low, max: high, step, value,
    input: () => { setText(output, show(Number(input.value))); onInput(Number(input.value)); },
  });
  const node = h("label", { class: "xp-slider" }, h("span", {}, label), input, output);
  return { node, input, set(next) { input.value = next; setText(output, show(next)); } };
}

// A map, enlarged, with a window on it that mouse, finger and arrow keys move.
function makeField({ size, pad = 0, name, onMove }) {
  const whole = size + 2 * pad;
  const canvas = makeCanvas(whole), marker = h("div", { class: "xp-window" });
  const inner = pad ? [h("div", { class: "xp-padding", style: `inset: ${(100 * pad) / whole}%` })] : [];
  const node = h("div", {
    class: "xp-field", tabindex: 0, role: "slider", "aria-label": name,
    "aria-valuemin": 0, "aria-valuemax": size * size - 1, "aria-valuenow": 0,
  }, canvas, ...inner, marker);
  let place = [0, 0], held = false;
  const at = event => {
    const box = canvas.getBoundingClientRect();
    const cell = (offset, length) => Math.min(whole - 1, Math.max(0, Math.floor((offset / length) * whole))) - pad;
    onMove(cell(event.clientY - box.top, box.height), cell(event.clientX - box.left, box.width));
  };
  node.addEventListener("pointerdown", event => {
    held = true;
    node.setPointerCapture(event.pointerId);
    node.focus({ preventScroll: true });
    at(event);
    event.preventDefault();
  });
  node.addEventListener("pointermove", event => { if (held) at(event); });
  for (const kind of ["pointerup", "pointercancel"]) node.addEventListener(kind, () => { held = false; });
  node.addEventListener("keydown", event => {
    const arrow = ARROWS[event.key];
    if (event.key === "Home") onMove(0, 0);
    else if (event.key === "End") onMove(size - 1, size - 1);
    else if (arrow) onMove(place[0] + arrow[0], place[1] + arrow[1], arrow);
    else return;
    event.preventDefault();
  });
  return {
    node,
    paint: (values, start, scale) => paint(canvas, values, start, size, scale, pad),
    // Where the arrow keys go on from, and the cells that the window covers.
    mark(row, column, value, top = row, left = column, side = 1) {
      place = [row, column];
      const share = cells => `${(100 * cells) / whole}%`;
      Object.assign(marker.style, {
        top: share(top + pad), left: share(left + pad), width: share(side), height: share(side),
      });
      node.setAttribute("aria-valuenow", Math.max(0, Math.min(size * size - 1, row * size + column)));
      node.setAttribute("aria-valuetext", `row ${row}, column ${column}: ${value}`);
    },
  };
}

// Numbers in a small grid, each on its colour.
function makeNumbers(rows, columns, name) {
  const cells = Array.from({ length: rows * columns }, () => h("span"));
  const grid = h("div", { class: "xp-numbers", style: `--columns: ${columns}` }, ...cells);
  const caption = h("figcaption");
  const node = h("figure", { class: "xp-figure", "data-numbers": name }, grid, caption);
  return {
    node,
    cells,
    draw(values, scale, title) {
      values.forEach((value, i) => {
        const color = colorOf(scale.map, value, scale.low, scale.high);
        cells[i].style.background = css(color);
        cells[i].style.color = inkOn(color);
        setText(cells[i], format(value));
        cells[i].dataset.value = value;
      });
      if (title !== undefined) setText(caption, title);
    },
  };
}

const sign = text => h("span", { class: "xp-sign", "aria-hidden": "true" }, text);

// A number on its colour, with a name below.
function makeNumber(name) {
  const value = h("span", { class: "xp-number" }), caption = h("figcaption");
  const node = h("figure", { class: "xp-figure", "data-number": name }, value, caption);
  return {
    node,
    draw(number, title, scale) {
      setText(value, format(number));
      value.dataset.value = number;
      if (scale) {
        const color = colorOf(scale.map, number, scale.low, scale.high);
        value.style.background = css(color);
        value.style.color = inkOn(color);
      }
      setText(caption, title);
    },
  };
}

const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// Play, pause, step and speed. `step(1)` goes on by one place, `step(-1)` back.
function makePlayer(step) {
  let timer = 0, speed = reducedMotion() ? 2 : 8;
  const play = button("▶ Play", () => (timer ? stop() : start()), { class: "xp-button xp-play" });
  const pace = slider("Speed", { low: 1, high: 40, value: speed, show: x => `${x} a second` }, value => {
    speed = value;
    if (timer) { clearInterval(timer); start(); }
  });
  function start() {
    timer = setInterval(() => (node.isConnected ? step(1) : stop()), 1000 / speed);
    setText(play, "⏸ Pause");
  }
  function stop() {
    clearInterval(timer);
    timer = 0;
    setText(play, "▶ Play");
  }
  const place = h("span", { class: "xp-place" });
  const node = h("div", { class: "xp-player" },
    button("◀", () => { stop(); step(-1); }, { "aria-label": "One place back" }), play,
    button("▶", () => { stop(); step(1); }, { "aria-label": "One place on" }), pace.node, place);
  return { node, stop, at: text => setText(place, text) };
}

// ------------------------------------------------------------------ the pad

const SIDE = 140;  // pixels of a drawing, as Python gets them
const SHOWN = 3;  // the pad is drawn so many times finer, for the eye
const STEP = 5;  // pixels that an arrow key goes
export const PENS = { thin: 8, medium: 11, thick: 15 };

function makePad({ onDraw, onLift }) {
  const screen = h("canvas", {
    width: SIDE * SHOWN, height: SIDE * SHOWN, class: "xp-screen", tabindex: 0, role: "application",
    "aria-label": "Drawing pad for a digit. The arrow keys move, space puts the pen down or lifts it, "
      + "Delete clears.",
  });
  const cursorDot = h("div", { class: "xp-cursor", hidden: true });
  const status = h("span", { class: "xp-status", "aria-live": "polite" });
  const sheet = makeCanvas(SIDE);
  const contexts = [[screen, SHOWN], [sheet, 1]].map(([canvas, factor]) => {
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.scale(factor, factor);
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = "white";
    return context;
  });
  let pen = PENS.medium, last = null, cursor = [SIDE / 2, SIDE / 2], penDown = false, shown = false;
  const blank = () => {
    shown = false;
    for (const context of contexts) {
      context.fillStyle = "black";
      context.fillRect(0, 0, SIDE, SIDE);
    }
  };
  const line = (from, to) => {
    if (shown) blank();
    for (const context of contexts) {
      context.lineWidth = pen;
      context.beginPath();
      context.moveTo(...from);
      context.lineTo(...to);
      context.stroke();
    }
    onDraw();
  };
  const place = event => {
    const box = screen.getBoundingClientRect();
    return [((event.clientX - box.left) * SIDE) / box.width, ((event.clientY - box.top) * SIDE) / box.height];
  };
  screen.addEventListener("pointerdown", event => {
    if (!event.isPrimary || event.button) return;
    screen.setPointerCapture(event.pointerId);
    screen.focus({ preventScroll: true });
    cursorDot.hidden = true;
    last = place(event);
    line(last, last);
    event.preventDefault();
  });
  screen.addEventListener("pointermove", event => {
    if (!last || !event.isPrimary) return;
    // Fast strokes come as several places in one event.
    const events = event.getCoalescedEvents?.() ?? [];
    for (const next of (events.length ? events : [event]).map(place)) {
      line(last, next);
      last = next;
    }
  });
  const lift = () => {
    if (last) {
      last = null;
      onLift();
    }
  };
  screen.addEventListener("pointerup", lift);
  screen.addEventListener("pointercancel", lift);

  const liftKey = () => {
    if (penDown) {
      penDown = false;
      onLift();
    }
  };
  const showCursor = () => {
    cursorDot.hidden = false;
    cursorDot.classList.toggle("xp-down", penDown);
    cursorDot.style.left = `${(100 * cursor[0]) / SIDE}%`;
    cursorDot.style.top = `${(100 * cursor[1]) / SIDE}%`;
    setText(status, `pen ${penDown ? "down" : "up"} at ${cursor[0]}, ${cursor[1]}`);
  };
  screen.addEventListener("keydown", event => {
    if (event.key in ARROWS) {
      const [down, right] = ARROWS[event.key], most = SIDE - STEP;
      const next = [cursor[0] + STEP * right, cursor[1] + STEP * down].map(x => Math.min(most, Math.max(STEP, x)));
      if (penDown) line(cursor, next);
      cursor = next;
    } else if (event.key === " ") {
      if (penDown) liftKey();
      else {
        penDown = true;
        line(cursor, cursor);
      }
    } else if (event.key === "Delete" || event.key === "Backspace") clear();
    else return;
    showCursor();
    event.preventDefault();
    event.stopPropagation();
  });
  screen.addEventListener("blur", () => {
    liftKey();
    cursorDot.hidden = true;
    setText(status, "");
  });
  const clear = () => {
    last = null;
    penDown = false;
    blank();
    onDraw();
    onLift();
  };
  blank();

  const dot = size => h("span", { class: "xp-dot", style: `width: ${size}px; height: ${size}px` });
  const pens = choice("Pen", [
    ["thin", dot(5), "Thin pen"], ["medium", dot(9), "Medium pen"], ["thick", dot(13), "Thick pen"],
  ], name => { pen = PENS[name]; });
  pens.show("medium");
  const clearButton = button("Clear", clear);
  const node = h("div", { class: "xp-pad" },
    h("div", { class: "xp-sheet" }, screen, cursorDot),
    h("div", { class: "xp-tools" }, pens.node, clearButton), status);
  return {
    node,
    grey() {
      const rgba = contexts[1].getImageData(0, 0, SIDE, SIDE).data, grey = new Uint8Array(SIDE * SIDE);
      for (let i = 0; i < grey.length; i++) grey[i] = rgba[4 * i];
      return grey;
    },
    // Show an image of 28 × 28 instead of a drawing; the next stroke begins a new one.
    show(image) {
      blank();
      shown = true;
      const small = makeCanvas(28);
      paint(small, image, 0, 28, { map: GREY, low: -1, high: 1 });
      contexts[0].imageSmoothingEnabled = false;
      contexts[0].drawImage(small, 0, 0, SIDE, SIDE);
    },
    // Show a photograph, whole; the next stroke begins a drawing.
    showPicture(canvas) {
      blank();
      shown = true;
      if (!canvas) return;
      const factor = SIDE / Math.max(canvas.width, canvas.height);
      const [width, height] = [factor * canvas.width, factor * canvas.height];
      contexts[0].imageSmoothingEnabled = true;
      contexts[0].drawImage(canvas, (SIDE - width) / 2, (SIDE - height) / 2, width, height);
    },
    // Show a drawing again.
    restore(grey) {
      blank();
      const image = contexts[1].getImageData(0, 0, SIDE, SIDE);
      for (let i = 0; i < grey.length; i++) image.data.fill(grey[i], 4 * i, 4 * i + 3);
      contexts[1].putImageData(image, 0, 0);
      contexts[0].imageSmoothingEnabled = true;
      contexts[0].drawImage(sheet, 0, 0, SIDE, SIDE);
    },
    isDown: () => Boolean(last) || penDown,
  };
}

// ------------------------------------------------------------------ photographs and files

const LARGEST = 1000;  // pixels of a side: `toMnist` needs 400, and only this is kept of a photograph

// A file as {canvas, pixels}: upright, as its EXIF says, and small.
async function openPicture(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new Error(`the file ${file.name} is not a picture that the browser can read: choose a JPEG or a PNG `
      + "(HEIC, as iPhones take them, can be saved as JPEG)");
  }
  const factor = Math.min(1, LARGEST / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map(side => Math.max(1, Math.round(factor * side)));
  const canvas = h("canvas", { width, height }), context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return { canvas, pixels: context.getImageData(0, 0, width, height) };
}

// What `toMnist` makes of a file: {steps, refusal, canvas}, without a canvas where it is no picture.
async function readPicture(file) {
  const steps = {};
  let canvas = null;
  try {
    const opened = await openPicture(file), { height, width } = opened.pixels;
    canvas = opened.canvas;
    toMnist(toGrey(opened.pixels).values, height, width, steps);
    return { steps, refusal: "", canvas };
  } catch (error) {
    return { steps, refusal: error.message, canvas };
  }
}

// ------------------------------------------------------------------ the explorer

const shapeOf = ({ maps, size }) => `${maps} × ${size} × ${size}`;
const parametersOf = count => (count ? `${thousands(count)} parameters` : "no parameters");
const WHAT = {
  conv: "convolution 3 × 3", relu: "negative numbers become 0", pool: "the largest of each 2 × 2",
};

function makeExplorer(root, options) {
  const state = {
    weights: null, before: null, useBefore: false, fault: "",
    digits: [], labels: [], index: 0, foreign: null, picture: null, own: false,
    image: null, refusal: "", steps: null, values: null, probabilities: null, baseline: null, scales: {},
    off: { conv1: new Set(), conv2: new Set() }, right: 0, down: 0,
    tab: "network", layer: null, map: 0, row: 0, column: 0, channel: 0, digit: 0,
  };
  const current = () => (state.useBefore && state.before ? state.before : state.weights);
  const changed = () => state.off.conv1.size + state.off.conv2.size > 0 || state.right || state.down;

  // ---- what is computed

  let frame = 0, version = 0, settling = 0;
  const later = () => { frame ||= requestAnimationFrame(refresh); };

  function read() {
    let plain = null;
    state.refusal = "";
    state.steps = null;
    if (state.foreign) plain = state.foreign;
    else if (state.picture) {
      ({ steps: state.steps, refusal: state.refusal } = state.picture);
      plain = state.steps.image ?? null;
    } else if (!state.own) plain = state.digits[state.index] ?? null;
    else
      try {
        state.steps = toMnist(pad.grey(), SIDE);
        plain = state.steps.image;
      } catch (error) {
        state.refusal = error.message;
      }
    return plain;
  }

  function compute() {
    const plain = read(), weights = current();
    state.image = plain && shift(plain, state.right, state.down);
    if (!weights) return;
    state.values = forward(weights, state.image ?? new Float32Array(784).fill(-1), state.off);
    const finite = state.values.fc.every(Number.isFinite);
    state.fault = finite ? "" : "Some weights are no numbers any more (NaN or infinite): the training has "
      + "diverged. A lower learning rate helps.";
    state.probabilities = plain && finite ? state.values.probabilities : null;
    state.baseline = plain && finite && (changed() || state.useBefore)
      ? forward(state.weights, plain).probabilities : null;
    state.scales = { input: scaleOf([], "input") };
    for (const { name, kind } of LAYERS) state.scales[name] = scaleOf(state.values[name], kind);
    for (const name of ["conv1", "conv2", "fc"])
      state.scales[`${name}.weight`] = scaleOf(weights[name].weight, "signed");
  }

  function refresh() {
    cancelAnimationFrame(frame);
    frame = 0;
    compute();
    drawAll();
    root.dataset.version = ++version;
    clearTimeout(settling);
    settling = setTimeout(settle, 80);
  }

  // When nothing has changed for a moment: tell Python, and a screen reader.
  function settle() {
    if (pad.isDown()) return;
    setText(spoken, state.probabilities ? `It reads ${sentence(state.probabilities)}.` : reading.textContent);
    options.onImage?.(state.image, state.probabilities ?? []);
    whatIf.settle();
  }

  // ---- the digit, on the left

  const pad = makePad({
    onDraw() { state.own = true; forget(); later(); },
    onLift() { later(); },
  });
  const digitName = h("span", { class: "xp-digit-name" });
  const browse = h("div", { class: "xp-browse", role: "group", "aria-label": "Ready-made digits" },
    button("‹", () => go(state.index - 1), { "aria-label": "Previous digit" }),
    digitName,
    button("›", () => go(state.index + 1), { "aria-label": "Next digit" }),
    button("Random", () => {
      const other = Math.floor(Math.random() * (state.digits.length - 1));
      go(other >= state.index ? other + 1 : other);
    }));
  function go(index) {
    state.index = (index + state.digits.length) % state.digits.length;
    state.own = false;
    forget();
    pad.show(state.digits[state.index]);
    later();
  }

  let chosen = 0;  // counts what was chosen, drawn or set: a picture that comes after the next is dropped
  function forget() {
    chosen++;
    state.foreign = state.picture = null;
  }
  async function choosePicture(file) {
    if (!file) return;
    const mine = ++chosen, picture = await readPicture(file);
    if (mine !== chosen) return;
    forget();
    state.picture = picture;
    pad.showPicture(picture.canvas);
    later();
  }
  const fileInput = h("input", {
    type: "file", accept: "image/*", hidden: true, tabindex: -1, "aria-label": "Photograph or file",
    change() {
      choosePicture(fileInput.files[0]);
      fileInput.value = "";  // so that the same file can be chosen again
    },
  });
  const upload = h("div", { class: "xp-upload" },
    button("Photograph or file…", () => fileInput.click(), { title: "Or drop a file here" }), fileInput);
  const stages = [
    ["grey", "photographed: in grey, at most 400 pixels high and wide"],
    ["paper", "the paper alone: how bright it is, without the ink"],
    ["ink", "drawn: how much ink lies on each pixel"],
    ["unruled", "cleared: ruled lines go"],
    ["digit", "picked: specks, and what reaches the edge, go"],
    ["cropped", "cut out: rows and columns without ink go"],
    ["scaled", "made small: the longer side gets 20 pixels"],
    ["centered", "placed: the centre of mass comes to the middle of 28 × 28"],
  ].map(([name, text]) => {
    const canvas = makeCanvas(28), size = h("b");
    return { name, canvas, size, node: h("li", {}, canvas, h("span", {}, size, ` ${text}`)) };
  });
  const ofPhotographs = new Set(["grey", "paper", "unruled", "digit"]);
  const noStages = h("p", { class: "xp-hint" }, "Draw a digit, or choose a photograph, to see what is done to it.");
  const stageList = h("ol", { class: "xp-stages" });
  const preparation = h("details", { class: "xp-preparation", toggle: () => drawStages() },
    h("summary", {}, "How a drawing is prepared"), noStages, stageList);
  function drawStages() {
    if (!preparation.open) return;
    const steps = state.steps ?? {};
    const shown = stages.filter(({ name }) => steps[name] && (steps.photograph || !ofPhotographs.has(name)));
    noStages.hidden = shown.length > 0;
    stageList.hidden = shown.length === 0;
    stageList.replaceChildren(...shown.map(stage => stage.node));
    for (const { name, canvas, size } of shown) {
      const { values, height, width } = steps[name], side = Math.max(height, width);
      const square = new Float64Array(side * side);
      const top = Math.floor((side - height) / 2), left = Math.floor((side - width) / 2);
      for (let row = 0; row < height; row++)
        square.set(values.subarray(row * width, (row + 1) * width), (top + row) * side + left);
      canvas.width = canvas.height = side;
      paint(canvas, square, 0, side, { map: GREY, low: 0, high: name === "grey" || name === "paper" ? 255 : 1 });
      setText(size, `${height} × ${width}`);
    }
  }
  const padSection = h("section", { class: "xp-left", "aria-label": "The digit" },
    h("h2", {}, "Draw a digit"), pad.node, browse, upload, preparation);
  const carriesFile = event => event.dataTransfer?.types.includes("Files");
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"])
    padSection.addEventListener(kind, event => {
      if (!carriesFile(event)) return;
      event.preventDefault();
      event.stopPropagation();
      const over = kind !== "drop" && (kind !== "dragleave" || padSection.contains(event.relatedTarget));
      padSection.classList.toggle("xp-dropping", over);
      if (kind === "drop") choosePicture(event.dataTransfer.files[0]);
    });

  // ---- the answer, on the right

  const reading = h("p", { class: "xp-reading" });
  const spoken = h("p", { class: "xp-hidden", role: "status" });
  const rows = Array.from({ length: 10 }, (_, digit) => {
    const logit = h("span", { class: "xp-logit" }), logitBar = h("i");
    const share = h("span", { class: "xp-share" }), bar = h("i"), ghost = h("b", { class: "xp-ghost" });
    const toLogit = h("button", { type: "button", class: "xp-to-logit", click: () => open("fc", digit) },
      h("span", { class: "xp-rail" }, logitBar), logit);
    const toShare = h("button", { type: "button", class: "xp-to-share", click: () => open("softmax", digit) },
      h("span", { class: "xp-rail" }, bar, ghost), share);
    const node = h("div", { class: "xp-row" }, h("span", { class: "xp-digit" }, String(digit)), toLogit, toShare);
    for (const kind of ["pointerenter", "focus"])
      toLogit.addEventListener(kind, () => overview.traceDigit(digit, node));
    for (const kind of ["pointerleave", "blur"]) toLogit.addEventListener(kind, () => overview.clearTrace());
    return { node, logit, logitBar, share, bar, ghost, toLogit, toShare };
  });
  const rowsName = "Logits and probabilities of the ten digits";
  const rowsNode = h("div", { class: "xp-rows", role: "group", "aria-label": rowsName },
    h("div", { class: "xp-row xp-heads" }, h("span"), h("span", {}, "logit"), h("span", {}, "probability")),
    ...rows.map(row => row.node));
  rove(rowsNode, rows.flatMap(row => [row.toLogit, row.toShare]), 2);
  const changes = h("div", { class: "xp-changes", hidden: true });
  const changesText = h("span");
  changes.append(changesText, button("Undo all", () => {
    state.off.conv1.clear();
    state.off.conv2.clear();
    state.right = state.down = 0;
    state.useBefore = false;
    later();
  }));
  const stepsNote = h("p", { class: "xp-hint" });
  const answerSection = h("section", { class: "xp-right", "aria-label": "The answer" },
    h("h2", {}, "The answer"), reading, spoken, rowsNode, changes, stepsNote);

  function drawAnswer() {
    const shares = state.probabilities, logits = state.values?.fc;
    const winner = shares ? shares.indexOf(Math.max(...shares)) : -1;
    if (state.fault) reading.textContent = state.fault;
    else if (!shares) reading.textContent = wordsOf(state.refusal);
    else {
      const words = sentence(shares);
      reading.replaceChildren("It reads ", h("strong", {}, words[0]), words.slice(1));
    }
    const most = shares ? Math.max(1, ...logits.map(Math.abs)) : 1;
    rows.forEach((row, digit) => {
      const logit = shares ? logits[digit] : 0, share = shares ? shares[digit] : 0;
      row.node.classList.toggle("xp-winner", digit === winner);
      Object.assign(row.logitBar.style, {
        left: `${50 + Math.min(0, (50 * logit) / most)}%`, width: `${(50 * Math.abs(logit)) / most}%`,
        background: signColor(logit),
      });
      row.bar.style.width = `${100 * share}%`;
      row.ghost.hidden = !state.baseline;
      if (state.baseline) {
        const before = state.baseline[digit];
        row.ghost.hidden = before < 0.005 && share < 0.005;
        row.ghost.style.left = `${100 * before}%`;
      }
      setText(row.logit, shares ? format(logit, 1) : "");
      setText(row.share, shares ? percent(share) : "");
      row.share.dataset.value = share;
      row.logit.dataset.value = logit;
      row.toLogit.setAttribute("aria-label", `${digit}: logit ${format(logit, 1)}. How it came about`);
      row.toShare.setAttribute("aria-label", `${digit}: probability ${percent(share)}. How it came about`);
    });
    const words = changesInWords();
    changes.hidden = !words;
    setText(changesText, words);
  }

  function wordsOf(refusal) {
    if (!state.picture && (!refusal || refusal.startsWith("nothing drawn")))
      return "Draw a digit on the black square, or take a ready-made one.";
    return refusal[0].toUpperCase() + refusal.slice(1) + ".";
  }

  function changesInWords() {
    const words = [];
    for (const layer of ["conv1", "conv2"]) {
      const count = state.off[layer].size;
      if (count) words.push(`${count} of ${LAYER[layer].maps} filters of ${layer} off`);
    }
    if (state.right || state.down) words.push(`digit moved ${movedInWords()}`);
    if (state.useBefore && state.before) words.push("weights from before the training");
    return words.join(" · ");
  }

  function movedInWords() {
    const words = [];
    if (state.right) words.push(`${Math.abs(state.right)} ${state.right > 0 ? "right" : "left"}`);
    if (state.down) words.push(`${Math.abs(state.down)} ${state.down > 0 ? "down" : "up"}`);
    return words.join(", ") || "by nothing";
  }

  // ---- the views

  const overview = makeOverview(state, { open, root });
  const whatIf = makeWhatIf(state, { later, current, movedInWords });
  const playground = makePlayground();
  const detail = h("div", { class: "xp-detail" });
  let opened = null, openedFrom = null;

  function open(layer, map) {
    const focused = root.contains(document.activeElement) ? document.activeElement : null;
    if (!state.layer) openedFrom = focused;
    state.layer = layer;
    state.map = map;
    state.tab = "network";
    if (LAYER[layer]) [state.row, state.column] = strongest(state.values[layer], LAYER[layer].size, map);
    if (layer === "fc") {
      state.digit = map;
      const parts = contributions(current(), state.values.pool2, map);
      let most = 0;
      parts.forEach((part, i) => { if (Math.abs(part) > Math.abs(parts[most])) most = i; });
      state.channel = Math.floor(most / 49);
      state.row = Math.floor((most % 49) / 7);
      state.column = most % 7;
    } else if (layer === "softmax") state.digit = map;
    else state.channel = layer === "conv2" ? strongestPart(map) : 0;
    build();
    // Whoever pages through the maps stays on the same button.
    const name = focused?.getAttribute("aria-label");
    const same = name && detail.querySelector(`.xp-actions [aria-label="${CSS.escape(name)}"]`);
    (same || detail.querySelector(".xp-back")).focus({ preventScroll: true });
    if (root.dataset.size !== "wide")
      main.scrollIntoView({ block: "start", behavior: reducedMotion() ? "auto" : "smooth" });
  }

  function strongestPart(map) {
    const { parts } = convolutionAt(current(), "conv2", state.values, map, state.row, state.column);
    const sums = parts.map(part => Math.abs(part.sum));
    return sums.indexOf(Math.max(...sums));
  }

  function close() {
    state.layer = null;
    build();
    const there = openedFrom?.isConnected && openedFrom.offsetParent;
    const back = there ? openedFrom : tabs.node.querySelector("[tabindex='0']");
    back?.focus({ preventScroll: root.dataset.size === "wide" });
  }

  // Put the view that is asked for into the page.
  function build() {
    opened?.stop?.();
    opened = null;
    overview.clearTrace();
    const tab = state.tab;
    root.dataset.tab = tab;
    root.dataset.view = tab === "network" && state.layer ? state.layer : tab;
    tabs.show(tab);
    if (tab === "network" && state.layer) {
      opened = makeDetail(state, { later: drawMain, open, close, current, toggle });
      detail.replaceChildren(opened.node);
      main.replaceChildren(detail);
    } else main.replaceChildren({ network: overview, whatif: whatIf, playground }[tab].node);
    drawMain();
    whatIf.settle();
  }

  function toggle(layer, map) {
    const off = state.off[layer];
    if (!off.delete(map)) off.add(map);
    later();
  }

  function drawMain() {
    if (!state.values && state.tab !== "playground") return;
    if (opened) opened.draw();
    else if (state.tab === "network") overview.draw();
    else if (state.tab === "whatif") whatIf.draw();
  }

  function drawAll() {
    const label = state.labels[state.index], kind = options.ownImages ? "image" : "test digit";
    const name = `${kind} ${state.index + 1} of ${state.digits.length}`;
    setText(digitName, state.foreign || state.picture ? "your picture" : state.own ? "your drawing"
      : label === undefined ? name : `${name}: a ${label}`);
    drawStages();
    drawAnswer();
    drawMain();
  }

  // ---- the whole

  const tabs = choice("View", [
    ["network", "Look inside", null], ["whatif", "What if?", null], ["playground", "Playground", null],
  ], tab => { state.tab = tab; state.layer = null; build(); });
  tabs.node.classList.add("xp-tabs");
  const main = h("div", { class: "xp-main" });
  const title = h(options.heading ?? "div", { class: "xp-title" }, options.title ?? "Look inside your network");
  root.append(
    h("div", { class: "xp-head" }, title, tabs.node),
    h("div", { class: "xp-body" }, padSection, main, answerSection));
  root.addEventListener("keydown", event => {
    if (event.key === "Escape" && state.layer) { close(); event.stopPropagation(); }
  });

  function setWeights({ weights, checksum, before, steps }) {
    if (weights !== undefined) state.weights = decodeWeights(weights, checksum);
    if (before !== undefined) state.before = before ? decodeWeights(before) : null;
    setText(stepsNote, steps ? `Weights after ${thousands(steps)} steps of training.` : "");
  }

  function setImages({ images, digits, labels }) {
    options.ownImages = Boolean(images);
    state.digits = images ? decodeImages(images) : unpackDigits(digits);
    state.labels = labels ?? [];
    state.index = 0;
  }

  setWeights(options);
  setImages(options);
  if (state.digits.length) pad.show(state.digits[0]);
  browse.hidden = state.digits.length === 0;
  browse.classList.toggle("xp-single", state.digits.length === 1);
  build();
  refresh();

  return {
    state,
    setWeights(changes) { setWeights(changes); later(); },
    setImage(image) {
      forget();
      state.foreign = image;
      state.own = !image;
      if (image) pad.show(image); else pad.restore(new Uint8Array(SIDE * SIDE));
      later();
    },
    resized() { overview.clearTrace(); },
    stop() { opened?.stop?.(); playground.stop(); clearTimeout(settling); cancelAnimationFrame(frame); },
  };
}

// The place of the number that is furthest from zero.
function strongest(values, size, map) {
  let most = 0;
  for (let i = 0; i < size * size; i++)
    if (Math.abs(values[map * size * size + i]) > Math.abs(values[map * size * size + most])) most = i;
  return [Math.floor(most / size), most % size];
}

// ------------------------------------------------------------------ view 1: all layers

function makeOverview(state, { open, root }) {
  const lines = h("svg:svg", { class: "xp-lines", "aria-hidden": "true" });
  const caption = h("p", { class: "xp-caption" });
  const HINT = "From left to right: sixteen kernels of 3 × 3 look at the digit (conv1), negative numbers "
    + "become 0 (relu1), the largest of each 2 × 2 stays (pool1); then the same again, with 32 filters. "
    + "The last 1,568 numbers make the ten logits. "
    + (matchMedia("(hover: none)").matches ? "Tap a map to follow every number."
      : "Point at a map to see what it is made from, and click it to follow every number.");
  const inputCanvas = makeCanvas(28), inputBar = colorBar();
  const input = h("div", { class: "xp-tile xp-input" }, inputCanvas);
  const head = (name, shape, text) =>
    h("div", { class: "xp-layer-head" }, h("b", {}, name), h("span", {}, shape), h("span", {}, text));
  const flow = h("div", { class: "xp-flow" },
    h("div", { class: "xp-layer", "data-layer": "input" }, head("input", "28 × 28", "the digit"),
      h("div", { class: "xp-grid" }, input), inputBar.node));
  const layers = LAYERS.map(layer => {
    const bar = colorBar();
    const tiles = Array.from({ length: layer.maps }, (_, map) => {
      const canvas = makeCanvas(layer.size);
      const kernel = layer.name === "conv1" ? makeCanvas(3, { class: "xp-kernel" }) : null;
      const node = h("button", {
        type: "button", class: "xp-tile", "aria-label": `${layer.name}, map ${map}`, click: () => open(layer.name, map),
      }, ...(kernel ? [kernel] : []), canvas);
      for (const kind of ["pointerenter", "focus"]) node.addEventListener(kind, () => trace(layer, map));
      for (const kind of ["pointerleave", "blur"]) node.addEventListener(kind, clearTrace);
      return { node, canvas, kernel };
    });
    const grid = h("div", { class: "xp-grid", role: "group", "aria-label": `${layer.name}: ${layer.maps} maps` },
      ...tiles.map(tile => tile.node));
    rove(grid, tiles.map(tile => tile.node), () => columnsOf(grid));
    flow.append(h("div", { class: "xp-layer", "data-layer": layer.name },
      head(layer.name, shapeOf(layer), parametersOf(layer.parameters)), grid, bar.node));
    return { ...layer, tiles, bar };
  });
  flow.append(lines);
  const node = h("div", { class: "xp-overview" }, flow, caption);
  setText(caption, HINT);
  const byName = Object.fromEntries(layers.map(layer => [layer.name, layer]));
  const tileOf = (name, map) => (name === "input" ? input : byName[name].tiles[map].node);

  // What a map is made from, back to the last convolution: [[from, map, to, map, strength], …]
  function sources(layer, map) {
    if (layer.kind !== "conv") {
      const from = byName[layer.from];
      return [[layer.from, map, layer.name, map, 0.6], ...sources(from, map)];
    }
    if (layer.name === "conv1") return [["input", 0, "conv1", map, 0.6]];
    const parts = shares(stateWeights(), "conv2", state.values, map), most = Math.max(...parts) || 1;
    return parts.map((part, i) => ["pool1", i, "conv2", map, part / most]);
  }
  const stateWeights = () => (state.useBefore && state.before ? state.before : state.weights);

  const WORDS = {
    conv1: map => `conv1, map ${map}: the digit, seen through one kernel of 3 × 3.`,
    conv2: map => `conv2, map ${map}: all 16 maps of pool1, each through its own kernel, added up. Thick lines add most.`,
    relu: (name, map, from) => `${name}, map ${map}: map ${map} of ${from}, with negative numbers set to 0.`,
    pool: (name, map, from) => `${name}, map ${map}: the largest of each 2 × 2 of map ${map} of ${from}.`,
  };

  function trace(layer, map) {
    if (!state.values) return;
    clearTrace();
    const words = WORDS[layer.name]?.(map) ?? WORDS[layer.kind](layer.name, map, layer.from);
    setText(caption, `${words} Click to follow every number.`);
    light(sources(layer, map));
  }

  function light(links) {
    flow.classList.add("xp-tracing");
    for (const [from, i, to, j] of links)
      for (const tile of [tileOf(from, i), to === "fc" ? null : tileOf(to, j)]) tile?.classList.add("xp-lit");
    if (root.dataset.size === "narrow" || (links[0][2] === "fc" && root.dataset.size !== "wide")) return;
    const box = flow.getBoundingClientRect();
    lines.setAttribute("viewBox", `0 0 ${box.width} ${box.height}`);
    for (const [from, i, to, j, strength, color] of links) {
      const a = tileOf(from, i).getBoundingClientRect();
      const b = (to === "fc" ? j : tileOf(to, j)).getBoundingClientRect();
      const [x1, y1] = [a.right - box.left, a.top + a.height / 2 - box.top];
      const [x2, y2] = [b.left - box.left, b.top + b.height / 2 - box.top];
      const middle = (x1 + x2) / 2;
      lines.append(h("svg:path", {
        d: `M${x1},${y1} C${middle},${y1} ${middle},${y2} ${x2},${y2}`, style: color ? `stroke: ${color}` : null,
        "stroke-width": 0.5 + 3 * strength, "stroke-opacity": 0.25 + 0.75 * strength,
      }));
    }
  }

  function traceDigit(digit, target) {
    if (!state.values || state.layer || state.tab !== "network") return;
    clearTrace();
    const parts = contributions(stateWeights(), state.values.pool2, digit);
    const sums = Array.from({ length: 32 }, (_, map) => sumOf(parts.subarray(49 * map, 49 * map + 49)));
    const most = Math.max(...sums.map(Math.abs)) || 1;
    setText(caption, `Logit of ${digit}: all 32 maps of pool2. Red pushes it up, blue down; thick lines push most.`);
    light(sums.map((sum, map) => ["pool2", map, "fc", target, Math.abs(sum) / most, signColor(sum)]));
  }

  function clearTrace() {
    if (!flow.classList.contains("xp-tracing")) return;
    flow.classList.remove("xp-tracing");
    lines.replaceChildren();
    for (const tile of flow.querySelectorAll(".xp-lit")) tile.classList.remove("xp-lit");
    setText(caption, HINT);
  }

  return {
    node, traceDigit, clearTrace,
    draw() {
      paint(inputCanvas, state.values.input, 0, 28, state.scales.input);
      inputBar.draw(state.scales.input);
      for (const { name, size, tiles, bar } of layers) {
        const values = state.values[name], scale = state.scales[name];
        const off = state.off[name.replace(/\D+/, "conv")];
        bar.draw(scale);
        tiles.forEach(({ node, canvas, kernel }, map) => {
          paint(canvas, values, map * size * size, size, scale);
          if (kernel) paint(kernel, stateWeights().conv1.weight, 9 * map, 3, state.scales["conv1.weight"]);
          node.classList.toggle("xp-off", off.has(map));
        });
      }
    },
  };
}

// ------------------------------------------------------------------ view 2: one map

const NEXT = { conv1: "relu1", relu1: "pool1", pool1: "conv2", conv2: "relu2", relu2: "pool2" };

function makeDetail(state, tools) {
  const { open, close, toggle } = tools, { layer, map } = state;
  const known = LAYER[layer];
  const total = known ? known.maps : 10;
  const step = by => open(layer, (map + by + total) % total);
  const name = known ? `map ${map}` : `digit ${map}`;
  const back = button("← All layers", close, { class: "xp-button xp-back" });
  const where = h("span", { class: "xp-where" }, h("b", {}, layer), layer === "softmax" ? "" : ` › ${name}`);
  const actions = [];
  if (layer !== "softmax")
    actions.push(
      button("‹", () => step(-1), { "aria-label": known ? "Previous map" : "Previous digit" }),
      button("›", () => step(1), { "aria-label": known ? "Next map" : "Next digit" }));
  let offButton = null;
  if (known?.kind === "conv") {
    offButton = button("", () => toggle(layer, map), { class: "xp-button xp-toggle" });
    actions.push(offButton);
  }
  if (NEXT[layer]?.startsWith("relu") || NEXT[layer]?.startsWith("pool"))
    actions.push(button(`→ ${NEXT[layer]}`, () => open(NEXT[layer], map), { title: `The same map in ${NEXT[layer]}` }));
  if (layer === "fc") actions.push(button("→ softmax", () => open("softmax", map)));
  const head = h("div", { class: "xp-detail-head" }, back, where, h("span", { class: "xp-actions" }, ...actions));
  const make = { conv1: makeConv1, conv2: makeConv2, fc: makeFc, softmax: makeSoftmax }[layer]
    ?? (known.kind === "relu" ? makeRelu : makePool);
  const view = make(state, tools);
  return {
    node: h("div", {}, head, view.node),
    stop: view.stop,
    draw() {
      if (offButton) setText(offButton, state.off[layer].has(map) ? "Switch on again" : "Switch off");
      offButton?.setAttribute("aria-pressed", state.off[layer].has(map));
      view.draw();
    },
  };
}

// Fields, numbers and a player that share one place: what all views of a map are made of.
function makeWalk(state, size, draw) {
  const move = (row, column) => {
    state.row = Math.min(size - 1, Math.max(0, row));
    state.column = Math.min(size - 1, Math.max(0, column));
    draw();
  };
  const player = makePlayer(by => {
    const next = (state.row * size + state.column + by + size * size) % (size * size);
    move(Math.floor(next / size), next % size);
  });
  return { move, player };
}

const labelled = (text, ...nodes) => h("div", { class: "xp-labelled" }, h("div", { class: "xp-label" }, text), ...nodes);

function makeConv1(state, tools) {
  const { map } = state, size = 28;
  const { move, player } = makeWalk(state, size, tools.later);
  const input = makeField({ size, pad: 1, name: "Input: moves the window", onMove: move });
  const output = makeField({ size, name: `Map ${map} of conv1`, onMove: move });
  const inputBar = colorBar(), outputBar = colorBar();
  const sum = makeArithmetic();
  const node = h("div", { class: "xp-view" },
    h("div", { class: "xp-fields" },
      labelled("input, 28 × 28, with a rim of zeros", input.node, inputBar.node),
      sign("→"),
      labelled(`map ${map}, 28 × 28`, output.node, outputBar.node)),
    player.node, sum.node,
    h("p", { class: "xp-hint" }, "Drag the window, or use the arrow keys. The same nine weights are used at every place."));
  return {
    node, stop: player.stop,
    draw() {
      const { row, column, values, scales } = state, number = values.conv1[map * 784 + row * size + column];
      const at = convolutionAt(tools.current(), "conv1", values, map, row, column);
      input.paint(values.input, 0, scales.input);
      input.mark(row, column, format(values.input[row * size + column]), row - 1, column - 1, 3);
      output.paint(values.conv1, map * 784, scales.conv1);
      output.mark(row, column, format(number));
      inputBar.draw(scales.input);
      outputBar.draw(scales.conv1);
      player.at(`row ${row}, column ${column}`);
      sum.draw(at.parts[0], "patch", scales.input, scales["conv1.weight"]);
      sum.total(at.parts[0].sum, at.bias, number, scales.conv1, state.off.conv1.has(map));
    },
  };
}

// patch × kernel = products; their sum + bias = result.
function makeArithmetic(end = true) {
  const patch = makeNumbers(3, 3, "patch"), kernel = makeNumbers(3, 3, "kernel"), products = makeNumbers(3, 3, "products");
  const sum = makeNumber("sum"), bias = makeNumber("bias"), result = makeNumber("result");
  const off = h("span", { class: "xp-hint", hidden: true }, "switched off: 0");
  const node = h("div", { class: "xp-sum" },
    patch.node, sign("×"), kernel.node, sign("="), products.node,
    h("div", { class: "xp-sum-end" }, sign("adds up to"), sum.node,
      ...(end ? [sign("+"), bias.node, sign("="), result.node, off] : [])));
  return {
    node,
    draw(part, name, inputScale, kernelScale, kernelName = "kernel") {
      patch.draw(part.patch, inputScale, name);
      kernel.draw(part.kernel, kernelScale, kernelName);
      products.draw(part.products, scaleOf(part.products, "signed"), "products");
      sum.draw(part.sum, "sum");
    },
    total(part, b, number, scale, isOff) {
      sum.draw(part, "sum of 9");
      bias.draw(b, "bias");
      result.draw(number, "result", scale);
      off.hidden = !isOff;
    },
  };
}

function makeConv2(state, tools) {
  const { map } = state, size = 14;
  const { move, player } = makeWalk(state, size, tools.later);
  const choose = channel => { state.channel = channel; tools.later(); };
  const tiles = Array.from({ length: 16 }, (_, channel) => {
    const canvas = makeCanvas(16), kernel = makeCanvas(3, { class: "xp-kernel" });
    const marker = h("div", { class: "xp-window" }), sum = h("span", { class: "xp-partial" });
    const node = h("button", { type: "button", class: "xp-part", click: () => choose(channel) },
      h("span", { class: "xp-mini" }, canvas, marker), kernel, sum);
    return { node, canvas, kernel, marker, sum };
  });
  const grid = h("div", { class: "xp-parts", role: "group", "aria-label": "Sixteen inputs, kernels and partial sums" },
    ...tiles.map(tile => tile.node));
  rove(grid, tiles.map(tile => tile.node), () => columnsOf(grid));
  const output = makeField({ size, name: `Map ${map} of conv2`, onMove: move });
  const bar = colorBar(), found = h("div", { class: "xp-label" });
  const fall = makeWaterfall(choose);
  const sum = makeArithmetic(false);
  const node = h("div", { class: "xp-view" },
    labelled("1. Each of the 16 maps of pool1 has its own kernel here. Patch × kernel gives a sum: sixteen sums.", grid),
    h("div", { class: "xp-fields xp-fields-conv2" },
      h("div", { class: "xp-labelled" },
        h("div", { class: "xp-label" }, "2. The sixteen sums and the bias, added one after the other, make one number."),
        fall.node, player.node),
      h("div", { class: "xp-labelled" }, found, output.node, bar.node)),
    sum.node);
  return {
    node, stop: player.stop,
    draw() {
      const { row, column, values, scales } = state, number = values.conv2[map * 196 + row * size + column];
      const at = convolutionAt(tools.current(), "conv2", values, map, row, column);
      const sums = at.parts.map(part => part.sum), sumScale = scaleOf(sums, "signed");
      tiles.forEach(({ node, canvas, kernel, marker, sum }, channel) => {
        paint(canvas, values.pool1, channel * 196, size, scales.pool1, 1);
        paint(kernel, at.parts[channel].kernel, 0, 3, scales["conv2.weight"]);
        Object.assign(marker.style,
          { top: `${(100 * row) / 16}%`, left: `${(100 * column) / 16}%`, width: "18.75%", height: "18.75%" });
        setText(sum, format(sums[channel]));
        const color = colorOf(SIGNED, sums[channel], sumScale.low, sumScale.high);
        sum.style.background = css(color);
        sum.style.color = inkOn(color);
        node.setAttribute("aria-pressed", channel === state.channel);
        node.setAttribute("aria-label", `Map ${channel} of pool1: partial sum ${format(sums[channel])}`);
      });
      output.paint(values.conv2, map * 196, scales.conv2);
      output.mark(row, column, format(number));
      bar.draw(scales.conv2);
      player.at(`row ${row}, column ${column}`);
      setText(found, `3. In map ${map}: ${state.off.conv2.has(map) ? "switched off, so 0" : format(number)}`);
      fall.draw(sums, at.bias, number, state.channel, state.off.conv2.has(map));
      const chosen = state.channel;
      sum.draw(at.parts[chosen], `patch of map ${chosen}`, scales.pool1, scales["conv2.weight"], `kernel for map ${chosen}`);
    },
  };
}

// Bars that start where the last one ended.
function makeWaterfall(choose) {
  const svg = h("svg:svg", { class: "xp-fall", viewBox: "0 0 560 132", role: "img" });
  const text = (x, y, content, attributes = {}) => h("svg:text", { x, y, "text-anchor": "middle", ...attributes }, content);
  return {
    node: svg,
    draw(sums, bias, result, chosen, isOff) {
      const bars = [...sums, bias], ends = [0];
      for (const value of bars) ends.push(ends.at(-1) + value);
      const low = Math.min(...ends), high = Math.max(...ends), room = high - low || 1;
      const y = value => 16 + ((high - value) / room) * 84, width = 560 / 18;
      const bar = (x, a, b, attributes) => h("svg:rect",
        { x: x + 3, y: Math.min(a, b), width: width - 6, height: Math.max(1.5, Math.abs(a - b)), ...attributes });
      svg.replaceChildren(h("svg:line", { x1: 0, x2: 560, y1: y(0), y2: y(0), class: "xp-zero" }));
      bars.forEach((value, i) => {
        const [a, b] = [y(ends[i]), y(ends[i + 1])], x = i * width;
        const group = h("svg:g", { class: i === chosen ? "xp-chosen" : "", click: () => i < 16 && choose(i) },
          h("svg:rect", { x, y: 0, width, height: 132, class: "xp-hit" }),
          bar(x, a, b, { style: `fill: ${signColor(value)}` }),
          h("svg:line", { x1: x + width - 3, x2: x + width + 3, y1: b, y2: b, class: "xp-zero" }),
          text(x + width / 2, 122, i < 16 ? String(i) : "bias"));
        svg.append(group);
      });
      const a = y(0), b = y(ends.at(-1)), x = 17 * width;
      svg.append(bar(x, a, b, { class: "xp-result" }), text(x + width / 2, 122, "sum"),
        text(x + width, Math.max(11, Math.min(a, b) - 4), format(ends.at(-1)), { class: "xp-strong", "text-anchor": "end" }));
      const sum = `Sixteen partial sums and the bias ${format(bias)} add up to ${format(ends.at(-1))}.`;
      svg.setAttribute("aria-label", sum + (isOff ? " The map is switched off, so 0 is passed on." : ` The result is ${format(result)}.`));
    },
  };
}

function makeRelu(state, tools) {
  const { layer, map } = state, { from, size } = LAYER[layer], area = size * size;
  const { move, player } = makeWalk(state, size, tools.later);
  const input = makeField({ size, name: `Map ${map} of ${from}`, onMove: move });
  const output = makeField({ size, name: `Map ${map} of ${layer}`, onMove: move });
  const bars = [colorBar(), colorBar()];
  const dot = h("svg:circle", { r: 5, class: "xp-spot" });
  const plot = h("svg:svg", { class: "xp-plot", viewBox: "-60 -60 120 80", "aria-hidden": "true" },
    h("svg:line", { x1: -56, x2: 56, y1: 0, y2: 0, class: "xp-zero" }),
    h("svg:line", { x1: 0, x2: 0, y1: -56, y2: 14, class: "xp-zero" }),
    h("svg:path", { d: "M-56,0 L0,0 L52,-52", class: "xp-curve" }), dot);
  const before = makeNumber("before"), after = makeNumber("result"), words = h("p", { class: "xp-hint" });
  const node = h("div", { class: "xp-view" },
    h("div", { class: "xp-fields" },
      labelled(`map ${map} of ${from}`, input.node, bars[0].node),
      h("div", { class: "xp-between" }, plot, h("div", { class: "xp-label" }, "max(0, x)")),
      labelled(`map ${map} of ${layer}`, output.node, bars[1].node)),
    player.node,
    h("div", { class: "xp-sum" }, sign("max( 0,"), before.node, sign(") ="), after.node), words);
  return {
    node, stop: player.stop,
    draw() {
      const { row, column, values, scales } = state, i = map * area + row * size + column;
      const [x, y] = [values[from][i], values[layer][i]];
      input.paint(values[from], map * area, scales[from]);
      input.mark(row, column, format(x));
      output.paint(values[layer], map * area, scales[layer]);
      output.mark(row, column, format(y));
      bars[0].draw(scales[from]);
      bars[1].draw(scales[layer]);
      player.at(`row ${row}, column ${column}`);
      before.draw(x, "before", scales[from]);
      after.draw(y, "result", scales[layer]);
      const reach = 52 / scales[from].high;
      dot.setAttribute("cx", x * reach);
      dot.setAttribute("cy", -y * reach);
      const zeros = values[layer].subarray(map * area, (map + 1) * area).filter(value => value === 0).length;
      setText(words, `${zeros} of the ${area} numbers of this map are 0 after ReLU. `
        + "Nothing else changes, and nothing is learned here.");
    },
  };
}

const CORNERS = ["top left", "top right", "bottom left", "bottom right"];

function makePool(state, tools) {
  const { layer, map } = state, { from, size } = LAYER[layer], wide = 2 * size;
  const { move, player } = makeWalk(state, size, tools.later);
  const input = makeField({
    size: wide, name: `Map ${map} of ${from}`,
    onMove: (row, column, arrow) =>
      (arrow ? move(state.row + arrow[0], state.column + arrow[1]) : move(Math.floor(row / 2), Math.floor(column / 2))),
  });
  const output = makeField({ size, name: `Map ${map} of ${layer}`, onMove: move });
  const bars = [colorBar(), colorBar()];
  const four = makeNumbers(2, 2, "patch"), result = makeNumber("result"), words = h("p", { class: "xp-hint" });
  const node = h("div", { class: "xp-view" },
    h("div", { class: "xp-fields" },
      labelled(`map ${map} of ${from}, ${wide} × ${wide}`, input.node, bars[0].node), sign("→"),
      labelled(`map ${map} of ${layer}, ${size} × ${size}`, output.node, bars[1].node)),
    player.node,
    h("div", { class: "xp-sum" }, sign("the largest of"), four.node, sign("is"), result.node), words);
  return {
    node, stop: player.stop,
    draw() {
      const { row, column, values, scales } = state, start = map * wide * wide;
      const places = [[0, 0], [0, 1], [1, 0], [1, 1]].map(([y, x]) => start + (2 * row + y) * wide + 2 * column + x);
      const numbers = places.map(i => values[from][i]), best = Math.max(...numbers);
      const winner = numbers.indexOf(best), equal = numbers.every(value => value === best);
      input.paint(values[from], start, scales[from]);
      input.mark(2 * row, 2 * column, numbers.map(value => format(value)).join(", "), 2 * row, 2 * column, 2);
      output.paint(values[layer], map * size * size, scales[layer]);
      output.mark(row, column, format(best));
      bars[0].draw(scales[from]);
      bars[1].draw(scales[layer]);
      player.at(`row ${row}, column ${column}`);
      four.draw(numbers, scales[from], "");
      four.cells.forEach((cell, i) => cell.classList.toggle("xp-won", i === winner && !equal));
      result.draw(best, "result", scales[layer]);
      setText(words, equal ? "All four are equal." : `The ${CORNERS[winner]} one wins. The other three are dropped.`);
    },
  };
}

function makeFc(state, tools) {
  const digit = state.map;
  const walk = makeWalk(state, 7, tools.later);
  const digits = choice("Digit", Array.from({ length: 10 }, (_, d) => [d, String(d), `Digit ${d}`]), d => {
    const root = digits.node.closest(".mnist-explorer"), focused = digits.node.contains(document.activeElement);
    tools.open("fc", d);
    if (focused) root.querySelector(".xp-digits [aria-checked='true']").focus();
  });
  digits.node.classList.add("xp-digits");
  digits.show(digit);
  const tiles = Array.from({ length: 32 }, (_, map) => {
    const canvas = makeCanvas(7), sum = h("span", { class: "xp-partial" });
    const node = h("button", { type: "button", class: "xp-push", click: () => { state.channel = map; tools.later(); } },
      canvas, sum);
    return { node, canvas, sum };
  });
  const grid = h("div", { class: "xp-pushes", role: "group", "aria-label": "What the 32 maps of pool2 add" },
    ...tiles.map(tile => tile.node));
  rove(grid, tiles.map(t => t.node), () => columnsOf(grid));
  const bar = colorBar();
  const place = makeCanvas(7, { class: "xp-over" }), under = makeCanvas(28);
  const fields = ["activation", "weight", "contribution"].map(name => makeField({ size: 7, name, onMove: walk.move }));
  const [activation, weight, product] = ["activation", "weight", "product"].map(makeNumber);
  const up = makeNumber("up"), down = makeNumber("down"), bias = makeNumber("bias"), result = makeNumber("result");
  const chosen = h("div", { class: "xp-label" });
  const node = h("div", { class: "xp-view" },
    digits.node,
    h("div", { class: "xp-fields xp-fields-fc" },
      labelled(`What pool2 adds to the logit of ${digit}: red pushes it up, blue down`, grid, bar.node),
      h("div", { class: "xp-together" },
        labelled("All maps together, on the digit", h("div", { class: "xp-field xp-overlay" }, under, place)),
        h("div", { class: "xp-sum" }, up.node, sign("−"), down.node, sign("+"), bias.node, sign("="), result.node))),
    chosen,
    h("div", { class: "xp-sum xp-three" },
      fields[0].node, sign("×"), fields[1].node, sign("="), fields[2].node,
      h("div", { class: "xp-sum-end" }, activation.node, sign("×"), weight.node, sign("="), product.node)));
  return {
    node, stop: walk.player.stop,
    draw() {
      const { row, column, values, scales, channel } = state, weights = tools.current();
      const parts = contributions(weights, values.pool2, digit), scale = scaleOf(parts, "signed");
      const sums = tiles.map((_, map) => sumOf(parts.subarray(49 * map, 49 * map + 49)));
      const sumScale = scaleOf(sums, "signed");
      tiles.forEach(({ node, canvas, sum }, map) => {
        paint(canvas, parts, 49 * map, 7, scale);
        setText(sum, format(sums[map], 1));
        const color = colorOf(SIGNED, sums[map], sumScale.low, sumScale.high);
        sum.style.background = css(color);
        sum.style.color = inkOn(color);
        node.setAttribute("aria-pressed", map === channel);
        node.setAttribute("aria-label", `Map ${map} of pool2 adds ${format(sums[map], 2)}`);
      });
      bar.draw(scale);
      const together = new Float32Array(49);
      parts.forEach((part, i) => { together[i % 49] += part; });
      paint(under, values.input, 0, 28, scales.input);
      paint(place, together, 0, 7, scaleOf(together, "signed"), 0, true);
      const i = 49 * channel + 7 * row + column, w = weights.fc.weight.subarray(1568 * digit, 1568 * digit + 1568);
      [[values.pool2, scales.pool2], [w, scales["fc.weight"]], [parts, scale]].forEach(([numbers, its], k) => {
        fields[k].paint(numbers, 49 * channel, its);
        fields[k].mark(row, column, format(numbers[i]));
      });
      setText(chosen, `Map ${channel} of pool2, row ${row}, column ${column}: one of the 1,568 products`);
      activation.draw(values.pool2[i], "activation", scales.pool2);
      weight.draw(w[i], "weight", scales["fc.weight"]);
      product.draw(parts[i], "product", scale);
      up.draw(sumOf(parts.filter(part => part > 0)), "up");
      down.draw(-sumOf(parts.filter(part => part < 0)), "down");
      bias.draw(weights.fc.bias[digit], "bias");
      result.draw(values.fc[digit], `logit of ${digit}`, scaleOf(values.fc, "signed"));
    },
  };
}

function makeSoftmax(state, tools) {
  const rows = Array.from({ length: 10 }, (_, digit) => {
    const cells = [h("td"), h("td"), h("td")], bar = h("i");
    const toLogit = h("button", { type: "button", class: "xp-link", click: () => tools.open("fc", digit) });
    cells[0].append(toLogit);
    const node = h("tr", {}, h("th", { scope: "row" }, String(digit)), ...cells,
      h("td", { class: "xp-rail-cell" }, h("span", { class: "xp-rail" }, bar)));
    return { node, cells, bar, toLogit };
  });
  const total = h("td"), shareTotal = h("td", {}, "100 %");
  const words = h("p", { class: "xp-formula" });
  const node = h("div", { class: "xp-view" },
    h("p", { class: "xp-hint" }, "Softmax turns ten logits into ten shares of 1: raise e to each logit, and divide "
      + "by the sum of all ten. A logit that is larger by 1 means a share 2.718 times as large."),
    h("table", { class: "xp-softmax" },
      h("thead", {}, h("tr", {},
        ...["digit", "logit", "e to the logit", "share", ""].map(text => h("th", { scope: "col" }, text)))),
      h("tbody", {}, ...rows.map(row => row.node)),
      h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, "sum"), h("td"), total, shareTotal, h("td")))),
    words);
  return {
    node,
    draw() {
      const { fc, probabilities } = state.values, exponentials = Array.from(fc, Math.exp);
      const sum = exponentials.reduce((a, b) => a + b);
      rows.forEach(({ node, cells, bar, toLogit }, digit) => {
        setText(toLogit, format(fc[digit], 3));
        setText(cells[1], formatShort(exponentials[digit]));
        setText(cells[2], percentLong(probabilities[digit]));
        cells[2].dataset.value = probabilities[digit];
        bar.style.width = `${100 * probabilities[digit]}%`;
        node.classList.toggle("xp-chosen", digit === state.digit);
      });
      setText(total, formatShort(sum));
      const d = state.digit;
      setText(words, `digit ${d}:  ${formatShort(exponentials[d])} / ${formatShort(sum)} = ${percentLong(probabilities[d])}`);
    },
  };
}

// ------------------------------------------------------------------ view 3: what if

function makeWhatIf(state, { later, current, movedInWords }) {
  const toggles = {};
  const groups = ["conv1", "conv2"].map(layer => {
    const tiles = Array.from({ length: LAYER[layer].maps }, (_, map) => {
      const canvas = makeCanvas(LAYER[layer].size), share = h("span", { class: "xp-partial" });
      const node = h("button", {
        type: "button", class: "xp-switch", click: () => {
          if (!state.off[layer].delete(map)) state.off[layer].add(map);
          later();
        },
      }, canvas, share);
      return { node, canvas, share };
    });
    const grid = h("div", { class: `xp-switches xp-switches-${layer}`, role: "group", "aria-label": `Filters of ${layer}` },
      ...tiles.map(tile => tile.node));
    rove(grid, tiles.map(tile => tile.node), () => columnsOf(grid));
    toggles[layer] = tiles;
    return labelled(`the ${LAYER[layer].maps} filters of ${layer}, after ReLU`, grid);
  });
  const all = on => {
    for (const layer of ["conv1", "conv2"])
      for (let map = 0; map < LAYER[layer].maps; map++) state.off[layer][on ? "delete" : "add"](map);
    later();
  };

  const losses = h("span");
  const moved = makeCanvas(28), movedText = h("span", { class: "xp-place", "aria-live": "polite" });
  const go = (right, down) => {
    state.right = Math.max(-14, Math.min(14, state.right + right));
    state.down = Math.max(-14, Math.min(14, state.down + down));
    later();
  };
  const arrow = (text, name, right, down) =>
    button(text, () => go(right, down), { "aria-label": `Move the digit ${name}`, class: `xp-button xp-to-${name}` });
  const middle = button("●", () => go(-state.right, -state.down),
    { "aria-label": "Move the digit back", class: "xp-button xp-middle" });
  const cross = h("div", { class: "xp-cross", role: "group", "aria-label": "Move the digit; the arrow keys move it, too" },
    arrow("↑", "up", 0, -1), arrow("←", "left", -1, 0), middle, arrow("→", "right", 1, 0), arrow("↓", "down", 0, 1));
  cross.addEventListener("keydown", event => {
    const by = ARROWS[event.key];
    if (!by) return;
    go(by[1], by[0]);
    event.preventDefault();
  });

  const which = choice("Weights", [["now", "Now", null], ["before", "Before the training", null]], value => {
    state.useBefore = value === "before";
    later();
  });
  const kernels = ["before", "now"].map(name => {
    const canvases = Array.from({ length: 16 }, () => makeCanvas(3, { class: "xp-kernel" }));
    return { name, canvases, node: h("div", { class: "xp-kernels" }, h("span", {}, name), ...canvases) };
  });
  const answers = h("p", { class: "xp-hint" });
  const training = h("section", { class: "xp-box" }, h("h2", {}, "Before and after the training"),
    which.node, ...kernels.map(row => row.node), answers);
  const node = h("div", { class: "xp-whatif" },
    h("section", { class: "xp-box" },
      h("div", { class: "xp-box-head" }, h("h2", {}, "Switch filters off"),
        button("All on", () => all(true)), button("All off", () => all(false))),
      h("p", { class: "xp-hint" }, "Click a filter: its map becomes 0 everywhere, and the answer may change. ", losses),
      h("div", { class: "xp-groups" }, ...groups)),
    h("div", { class: "xp-pair" },
      h("section", { class: "xp-box" }, h("h2", {}, "Move the digit"),
        h("div", { class: "xp-moving" }, cross, h("div", { class: "xp-field xp-moved" }, moved), h("p", {}, movedText,
          h("span", { class: "xp-hint" }, "The network learned from digits in the middle. How far can this one go?")))),
      training));

  // How far the logit of the answer falls or rises when one filter more is off.
  function change(layer, map, answer) {
    const off = { conv1: new Set(state.off.conv1), conv2: new Set(state.off.conv2) };
    off[layer].add(map);
    return forward(current(), state.image, off).fc[answer] - state.values.fc[answer];
  }

  return {
    node,
    draw() {
      for (const [layer, tiles] of Object.entries(toggles)) {
        const name = layer.replace("conv", "relu"), { size } = LAYER[layer];
        tiles.forEach(({ node, canvas }, map) => {
          const off = state.off[layer].has(map);
          paint(canvas, state.values[name], map * size * size, size, state.scales[name]);
          node.setAttribute("aria-pressed", !off);
          node.setAttribute("aria-label", `Filter ${map} of ${layer}, ${off ? "off" : "on"}`);
        });
      }
      paint(moved, state.values.input, 0, 28, state.scales.input);
      setText(movedText, `Moved ${movedInWords()}.`);
      training.hidden = !state.before;
      if (!state.before) return;
      which.show(state.useBefore ? "before" : "now");
      const image = state.image;
      const parts = { before: state.before, now: state.weights };
      for (const { name, canvases } of kernels) {
        const { weight } = parts[name].conv1, scale = scaleOf(weight, "signed");
        canvases.forEach((canvas, map) => paint(canvas, weight, 9 * map, 3, scale));
      }
      const read = name => sentence(forward(parts[name], image, state.off).probabilities);
      setText(answers, image ? `Before it reads ${read("before")}. Now it reads ${read("now")}.` : "");
    },
    settle() {
      if (!node.isConnected || !state.values) return;
      const answer = state.probabilities ? state.probabilities.indexOf(Math.max(...state.probabilities)) : -1;
      setText(losses, answer < 0 ? "" : `The number below each: what the logit of ${answer} would gain or lose without it.`);
      for (const [layer, tiles] of Object.entries(toggles)) {
        const gains = tiles.map((_, map) => (answer < 0 || state.off[layer].has(map) ? 0 : change(layer, map, answer)));
        const scale = scaleOf(gains, "signed");
        tiles.forEach(({ share }, map) => {
          const off = state.off[layer].has(map), color = colorOf(SIGNED, gains[map], scale.low, scale.high);
          setText(share, off ? "off" : answer < 0 ? "" : `${gains[map] > 0.05 ? "+" : ""}${format(gains[map], 1)}`);
          share.style.background = off ? "" : css(color);
          share.style.color = off ? "" : inkOn(color);
        });
      }
    },
  };
}

// ------------------------------------------------------------------ view 4: the playground

const KERNELS = {
  vertical: ["upright edges", (row, column, size) => edge(column, size)],
  horizontal: ["level edges", (row, column, size) => edge(row, size)],
  sum: ["the sum of all", () => 1],
};
const edge = (i, size) => (size === 1 ? 1 : Math.sign(2 * i - (size - 1)));
const PRESETS = [
  ["as in conv1", { kernel: 3, stride: 1, padding: 1, dilation: 1 }],
  ["no padding", { kernel: 3, stride: 1, padding: 0, dilation: 1 }],
  ["every second place", { kernel: 3, stride: 2, padding: 1, dilation: 1 }],
  ["as in pooling", { kernel: 2, stride: 2, padding: 0, dilation: 1 }],
  ["dilated", { kernel: 3, stride: 1, padding: 0, dilation: 2 }],
];

// A small seven.
function drawSeven(size) {
  const cells = Array.from({ length: size * size }, () => 0), top = size > 4 ? 1 : 0;
  for (let column = top; column < size - top; column++) cells[top * size + column] = 1;
  for (let row = top; row < size - top; row++)
    cells[row * size + Math.max(0, size - 1 - top - Math.floor((row - top) / 2))] = 1;
  return cells;
}

export function makePlayground() {
  const set = { input: 7, kernel: 3, stride: 1, padding: 1, dilation: 1 };
  let cells = drawSeven(7), kernel = [], kernelName = "vertical", row = 0, column = 0, size = 0;
  const bounds = {
    input: [1, 12, "Input size"], kernel: [1, 7, "Kernel size"], stride: [1, 4, "Stride"],
    padding: [0, 4, "Padding"], dilation: [1, 3, "Dilation"],
  };
  const sliders = Object.entries(bounds).map(([name, [low, high, label]]) => {
    const made = slider(label, { low, high, value: set[name] }, value => change({ [name]: value }));
    made.input.dataset.setting = name;
    return [name, made];
  });
  const presets = h("div", { class: "xp-presets", role: "group", "aria-label": "Examples" },
    ...PRESETS.map(([name, values]) => button(name, () => change(values))));
  const kernels = choice("Kernel", Object.entries(KERNELS).map(([name, [label]]) => [name, label, null]), name => {
    kernelName = name;
    change({}, true);
  });
  kernels.show(kernelName);
  const inputGrid = h("svg:svg", { class: "xp-cells", tabindex: 0, role: "application" });
  const outputGrid = h("svg:svg", { class: "xp-cells", role: "img" });
  const kernelGrid = h("svg:svg", { class: "xp-cells xp-cells-kernel", role: "img" });
  const [inputLabel, outputLabel, kernelLabel] = Array.from({ length: 3 }, () => h("div", { class: "xp-label" }));
  const formula = h("p", { class: "xp-filled", "aria-live": "polite" }), words = h("p", { class: "xp-hint xp-words" });
  const sumLine = h("p", { class: "xp-formula xp-sum-line" });
  const player = makePlayer(by => {
    if (!size) return;
    const next = (row * size + column + by + size * size) % (size * size);
    row = Math.floor(next / size);
    column = next % size;
    draw();
  });
  const node = h("div", { class: "xp-playground" },
    h("div", { class: "xp-settings" }, h("h2", {}, "A convolution, step by step"), ...sliders.map(([, made]) => made.node),
      h("div", { class: "xp-label" }, "The kernel looks for"), kernels.node, h("div", { class: "xp-label" }, "Examples"), presets),
    h("div", { class: "xp-stage" },
      h("div", { class: "xp-formula" },
        h("p", { class: "xp-hint" }, "output = ⌊(input + 2 · padding − dilation · (kernel − 1) − 1) / stride⌋ + 1"), formula),
      h("div", { class: "xp-boards" },
        h("div", { class: "xp-board" }, inputLabel, inputGrid), sign("×"),
        h("div", { class: "xp-board" }, kernelLabel, kernelGrid), sign("="),
        h("div", { class: "xp-board" }, outputLabel, outputGrid)),
      sumLine, player.node, words));

  function change(values, newKernel = false) {
    const before = { ...set };
    Object.assign(set, values);
    for (const [name, made] of sliders) made.set(set[name]);
    if (set.input !== before.input) cells = drawSeven(set.input);
    if (newKernel || set.kernel !== before.kernel || !kernel.length)
      kernel = Array.from({ length: set.kernel ** 2 }, (_, i) =>
        KERNELS[kernelName][1](Math.floor(i / set.kernel), i % set.kernel, set.kernel));
    draw();
  }

  // The places of the input that one place of the output reads, in the order of the kernel.
  const taps = (r, c) => Array.from({ length: set.kernel ** 2 }, (_, i) => [
    r * set.stride - set.padding + Math.floor(i / set.kernel) * set.dilation,
    c * set.stride - set.padding + (i % set.kernel) * set.dilation,
  ]);
  const valueAt = ([y, x]) => (inside(y, x, set.input) ? cells[y * set.input + x] : 0);
  const resultAt = (r, c) => taps(r, c).reduce((sum, place, i) => sum + kernel[i] * valueAt(place), 0);

  function board(svg, side, draw) {
    svg.setAttribute("viewBox", `-1 -1 ${side * 30 + 2} ${side * 30 + 2}`);
    svg.style.setProperty("--cells", side);
    svg.replaceChildren();
    for (let r = 0; r < side; r++)
      for (let c = 0; c < side; c++) {
        const { fill, text, ink, kind = "", click } = draw(r, c);
        const group = h("svg:g", { class: kind, click: click ?? null },
          h("svg:rect", { x: 30 * c, y: 30 * r, width: 30, height: 30, style: fill ? `fill: ${fill}` : null }));
        if (text !== undefined)
          group.append(h("svg:text",
            { x: 30 * c + 15, y: 30 * r + 20, "text-anchor": "middle", style: ink ? `fill: ${ink}` : null }, text));
        svg.append(group);
      }
  }

  const minus = number => String(number).replace("-", "−");

  function draw() {
    const found = outputSize(set), { span, padded, unused } = found, { input, stride, padding, dilation } = set;
    size = found.size;
    row = Math.max(0, Math.min(row, size - 1));
    column = Math.max(0, Math.min(column, size - 1));
    const reached = new Set();
    for (let r = 0; r < size; r++)
      for (let c = 0; c < size; c++) for (const [y, x] of taps(r, c)) reached.add(y * 100 + x);
    board(inputGrid, padded, (r, c) => {
      const [y, x] = [r - padding, c - padding], key = y * 100 + x, real = inside(y, x, input), value = valueAt([y, x]);
      const kind = [real ? "xp-real" : "xp-rim", reached.has(key) ? "" : "xp-unread", ""].join(" ");
      return {
        kind, text: String(value), fill: real ? (value ? "#fff" : "#000") : null, ink: real ? (value ? "#000" : "#fff") : null,
        click: real ? () => { cells[y * input + x] = 1 - value; draw(); } : undefined,
      };
    });
    if (size) {
      // One frame around the window, or one around each pixel that a dilated kernel reads.
      const frames = dilation === 1 ? [[row * stride, column * stride, span]]
        : taps(row, column).map(([y, x]) => [y + padding, x + padding, 1]);
      for (const [r, c, side] of frames)
        for (const kind of ["xp-frame-dark", "xp-frame"])
          inputGrid.append(h("svg:rect", { x: 30 * c, y: 30 * r, width: 30 * side, height: 30 * side, class: kind }));
    }
    const results = Array.from({ length: size * size }, (_, i) => resultAt(Math.floor(i / size), i % size));
    const most = Math.max(1, ...results.map(Math.abs)), result = results[row * size + column];
    const signed = (value, high) => {
      const color = colorOf(SIGNED, value, -high * 1.25, high * 1.25);
      return { text: minus(value), fill: css(color), ink: inkOn(color) };
    };
    board(kernelGrid, set.kernel, (r, c) => {
      const i = r * set.kernel + c;
      return { ...signed(kernel[i], 1), click: () => { kernel[i] = kernel[i] === 1 ? -1 : kernel[i] + 1; draw(); } };
    });
    board(outputGrid, Math.max(size, 1), (r, c) => (size
      ? {
        ...signed(results[r * size + c], most), kind: r === row && c === column ? "xp-now" : "",
        click: () => { row = r; column = c; draw(); },
      }
      : { kind: "xp-unread" }));
    outputGrid.classList.toggle("xp-none", !size);
    setText(inputLabel, `input ${input} × ${input}${padding ? `, and ${padding} of padding` : ""}`);
    setText(kernelLabel, `kernel ${set.kernel} × ${set.kernel}`);
    setText(outputLabel, size ? `output ${size} × ${size}` : "no output");
    inputGrid.setAttribute("aria-label", `Input of ${input} by ${input}. The arrow keys move the window, `
      + "the space bar changes the pixel in its middle.");
    kernelGrid.setAttribute("aria-label", `Kernel: ${kernel.map(minus).join(", ")}`);
    outputGrid.setAttribute("aria-label",
      size ? `Output of ${size} by ${size}; row ${row}, column ${column} is ${minus(result)}` : "No output");
    node.dataset.size = size;
    setText(formula, `output = ⌊(${input} + 2 · ${padding} − ${dilation} · (${set.kernel} − 1) − 1) / ${stride}⌋ + 1 `
      + `= ${minus(Math.floor((padded - span) / stride) + 1)}${size ? "" : ", impossible"}`);
    player.at(size ? `row ${row}, column ${column}` : "");
    if (size) {
      const terms = taps(row, column).map((place, i) => [valueAt(place), kernel[i]])
        .filter(([value, weight]) => value && weight)
        .map(([value, weight]) => `${value}·${weight < 0 ? `(${minus(weight)})` : weight}`);
      setText(sumLine, `${terms.join(" + ") || "only zeros"} = ${minus(result)}`);
    } else setText(sumLine, "");
    const covers = `the kernel covers ${span} × ${span} pixels`;
    if (size) {
      const every = dilation > 1 ? ` and reads every ${dilation === 2 ? "second" : "third"} one` : "";
      const last = unused === 1 ? "row and column are" : `${unused} rows and columns are`;
      const left = unused ? ` The last ${last} too few for another step: no window reaches them.` : "";
      setText(words, `Here ${covers}${every}.${left} Click a pixel or a weight to change it.`);
    } else
      setText(words, `This cannot work: ${covers}, but the input with its padding has only ${padded} × ${padded}. `
        + "Make the input larger, add padding, or choose a smaller kernel.");
  }

  inputGrid.addEventListener("keydown", event => {
    const by = ARROWS[event.key];
    if (by && size) {
      row = Math.max(0, Math.min(size - 1, row + by[0]));
      column = Math.max(0, Math.min(size - 1, column + by[1]));
    } else if (event.key === " " && size) {
      const places = taps(row, column), [y, x] = places[Math.floor(places.length / 2)];
      if (inside(y, x, set.input)) cells[y * set.input + x] = 1 - cells[y * set.input + x];
    } else return;
    draw();
    event.preventDefault();
  });
  change({});
  return { node, stop: player.stop };
}

// ------------------------------------------------------------------ where it lives

// JupyterLab, Notebook, VS Code and Colab say which theme they have; otherwise the system does.
function isDark() {
  const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
  if (jpThemeLight) return jpThemeLight === "false";
  if (vscodeThemeKind) return !vscodeThemeKind.includes("light");
  const theme = document.documentElement.getAttribute("theme");
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

// Put the explorer (or the playground, or the pad) into an element.
export function mount(element, options = {}) {
  const root = h("div", { class: "mnist-explorer" });
  element.append(root);
  // Without this, JupyterLab takes letters for itself (x deletes the cell). It looks for the mark on
  // what has the focus before it looks further up.
  root.addEventListener("focusin", event => event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
  const follow = () => { root.dataset.theme = isDark() ? "dark" : "light"; options.onTheme?.(root.dataset.theme); };
  follow();
  const media = matchMedia("(prefers-color-scheme: dark)"), themes = new MutationObserver(follow);
  media.addEventListener("change", follow);
  for (const node of [document.body, document.documentElement])
    themes.observe(node, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind", "theme"] });
  const measure = () => {
    const width = root.clientWidth;
    if (width === lastWidth) return;
    lastWidth = width;
    const size = width >= 1080 ? "wide" : width >= 640 ? "medium" : "narrow";
    if (width && size !== root.dataset.size) root.dataset.size = size;
    app?.resized?.();
  };
  let app = null, lastWidth = -1;
  const sizes = new ResizeObserver(measure);
  root.dataset.size = "wide";
  const show = build => {
    try {
      app = build();
    } catch (error) {
      root.replaceChildren(h("p", { class: "xp-error", role: "alert" }, error.message));
    }
  };
  measure();
  if (options.view === "playground") {
    root.dataset.tab = "playground";
    show(() => { const made = makePlayground(); root.append(made.node); return made; });
  } else if (options.view === "pad")
    show(() => {
      const pad = makePad({ onDraw() {}, onLift: () => options.onLift(pad.grey()) });
      root.append(pad.node);
      return pad;
    });
  else show(() => makeExplorer(root, options));
  sizes.observe(root);
  return {
    root,
    get app() { return app; },
    destroy() {
      app?.stop?.();
      sizes.disconnect();
      themes.disconnect();
      media.removeEventListener("change", follow);
      root.remove();
    },
  };
}

const bytesOf = image => new Uint8Array(Float32Array.from(image).buffer);

// The widget: `model` holds the traits of the Python class.
function render({ model, el }) {
  const view = model.get("_part");
  if (view === "pad") return renderPad(model, el);
  const names = view === "playground" ? [] : ["weights", "before", "digits", "images", "labels", "steps"];
  const options = { view, ...Object.fromEntries(names.map(name => [name, model.get(`_${name}`)])) };
  options.onImage = (image, probabilities) => {
    const text = image ? encodeBase64(bytesOf(image)) : "", before = model.get("probabilities");
    const same = before.length === probabilities.length
      && before.every((share, i) => Math.abs(share - probabilities[i]) < 1e-4);
    if (same && text === model.get("image")) return;
    sent = text;
    model.set("image", text);
    model.set("probabilities", Array.from(probabilities));
    model.save_changes();
  };
  let sent = model.get("image");
  const mounted = mount(el, options);
  if (view === "playground" || !mounted.app) return mounted.destroy;
  const onWeights = () => mounted.app.setWeights({ weights: model.get("_weights"), steps: model.get("_steps") });
  const onImage = () => {
    const text = model.get("image");
    if (text === sent) return;
    sent = text;
    mounted.app.setImage(text ? decodeImages(text)[0] : null);
  };
  const first = options.images || options.digits;
  if (sent && first) {
    const shown = mounted.app.state.digits[0];
    if (encodeBase64(bytesOf(shown)) !== sent) mounted.app.setImage(decodeImages(sent)[0]);
  } else if (!sent) mounted.app.setImage(null);
  model.on("change:_weights", onWeights);
  model.on("change:image", onImage);
  return () => {
    model.off("change:_weights", onWeights);
    model.off("change:image", onImage);
    mounted.destroy();
  };
}

function renderPad(model, el) {
  const mounted = mount(el, {
    view: "pad",
    onLift(grey) {
      // Text, not bytes: Backbone, below the widgets, takes all binary values for equal.
      // An empty pad is "" or " ", by turns: clearing is heard even when nothing was drawn.
      const empty = model.get("pixels") === "" ? " " : "";
      model.set("pixels", grey.some(x => x) ? encodeBase64(grey) : empty);
      model.save_changes();
    },
  });
  const saved = model.get("pixels").trim();
  if (saved) mounted.app.restore(decodeBase64(saved));
  return mounted.destroy;
}

export default { render };
