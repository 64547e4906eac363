"""Typical wrong answers to the exercises, and the hint that the check must give for each.

For each notebook one list an exercise, in order: (code in place of the exercise, part of the hint).
"""

# The right way, but with the data, the digit that should be positive, and the other one to fill in.
NINE_OR_FOUR = """
mean_first = pictures_of({1}, dataset).mean(dim=0)
mean_second = pictures_of({2}, dataset).mean(dim=0)
between = mean_first - mean_second
halfway = -(between * (mean_first + mean_second) / 2).sum()
positive = (pictures_of(9, {0}) * between).sum(dim=(1, 2, 3)) + halfway > 0
negative = (pictures_of(4, {0}) * between).sum(dim=(1, 2, 3)) + halfway < 0
right = torch.cat([positive, negative]).float()
share_right = right.mean()
"""

WRONG_ANSWERS = {
    "01_imports": [
        [
            ("shape = (32, 224, 224, 3)\nflat_shape = (32, 150528)", "channels come before height"),
            ("shape = (3, 224, 224)\nflat_shape = (32, 150528)", "pictures, channels, height"),
            ("shape = (32, 3, 224, 224)\nflat_shape = (32, 224 * 224)", "three numbers for each"),
            ("shape = (32, 3, 224, 224)\nflat_shape = (4816896,)", "keeps the pictures apart"),
            ("shape = (32, 3, 224, 224)\nflat_shape = (32, 3, 50176)", "multiply the other three"),
        ],
        [
            ("black_on_white = -dataset.data[7]", "empty corner should be 255"),
            ("black_on_white = 255.0 - dataset.data[7].float()", "should be torch.uint8"),
        ],
        [
            (NINE_OR_FOUR.format("dataset", "9", "4"), "pictures that made the averages"),
            (NINE_OR_FOUR.format("test", "4", "9"), "the two are swapped"),
            (NINE_OR_FOUR.format("test", "9", "4") + "\nshare_right = right.sum()", "how many"),
            (NINE_OR_FOUR.format("test", "9", "4") + "\nshare_right = right", "more than one"),
            ("share_right = 0.99", "expected about 0.88"),
        ],
        [
            ("weights = torch.tensor([1.0, 1.0, -1.0, -1.0])", "should be (2, 2)"),
            ("weights = torch.tensor([[1.0, 1.0], [0.0, 0.0]])", "the same as four black ones"),
            ("weights = [[1.0, 1.0], [-1.0, -1.0]]\nbias = 0.5", "the bias alone is left"),
            ("weights = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])\nbias = 0.0", "bright upper row"),
            ("weights = torch.tensor([[1.0, -1.0], [1.0, -1.0]])\nbias = 0.0", "bright upper row"),
        ],
    ],
    "02_architecture": [
        [
            ("end_filter = edge_filter", "where the ink begins"),
            ("end_filter = edge_filter.T", "silent at the lower edge"),
            (
                "end_filter = torch.tensor([[1.0, 1, 1], [0, 0, 0], [0, 0, 0]])",
                "let the weights add up to 0",
            ),
            ("end_filter = torch.tensor([-1.0, 0.0, 1.0])", "should be 3 × 3"),
        ],
        [
            ("shape = (1, 8, 16, 16)", "there is no padding here"),
            ("shape = (1, 8, 28, 28)", "Now pool"),
            ("shape = (1, 3, 14, 14)", "filters give the channels"),
        ],
        [
            ("inputs, field = 64 * 7 * 7, 22", "halves the 7 × 7 maps once more"),
            ("inputs, field = 64 * 4 * 4, 22", "drops the last row and column"),
            ("inputs, field = 3 * 3, 22", "channels times rows times columns"),
            ("inputs, field = 576, 18", "takes in neighbours too"),
            ("inputs, field = 576, 13", "times the distance"),
        ],
        [
            (
                "wide_features = nn.Sequential("
                "nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), "
                "nn.Conv2d(16, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))",
                "as many channels as it is given",
            ),
            (
                "wide_features = nn.Sequential("
                "nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), "
                "nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2))",
                "without padding=1",
            ),
            (
                "wide_features = nn.Sequential("
                "nn.Conv2d(1, 32, 3, padding=1), nn.MaxPool2d(2), "
                "nn.Conv2d(32, 64, 3, padding=1), nn.MaxPool2d(2))",
                "a ReLU is missing",
            ),
            (
                "wide_features = nn.Sequential("
                "nn.Conv2d(1, 64, 1), nn.ReLU(), nn.ReLU(), nn.MaxPool2d(4))",
                "two convolutions, with 32 and 64 filters",
            ),
            ("wide_features = None", "as many channels as it is given"),
        ],
    ],
    "03_data_loading": [
        [
            (
                "to_wide = v2.Compose([v2.ToDtype(torch.float32), v2.Normalize((0.5,), (0.25,))])",
                "scale=True",
            ),
            (
                "to_wide = v2.Compose([v2.ToDtype(torch.float32, scale=True), "
                "v2.Normalize((0.5,), (0.5,))])",
                "255 became 1.0",
            ),
            ("to_wide = v2.Normalize((0.5,), (0.25,))", "first ToDtype, then Normalize"),
        ],
        [
            (
                "pixels_as_float = raw_dataset.data.float()\n"
                "pixel_mean, pixel_std = pixels_as_float.mean(), pixels_as_float.std()",
                "divide by 255 first",
            ),
            ("pixel_mean, pixel_std = 0.5, 0.5", "Got 0.5000 and 0.5000"),
        ],
        [
            (
                "class EvenDigits(DigitsInMemory):\n"
                "    def __init__(self, images, labels):\n"
                "        super().__init__(images[labels % 2 == 1], labels[labels % 2 == 1])",
                "the odd ones",
            ),
            (
                "class EvenDigits(DigitsInMemory):\n"
                "    def __init__(self, images, labels):\n"
                "        super().__init__(images, labels[labels % 2 == 0])",
                "Choose from both",
            ),
            (
                "class EvenDigits(DigitsInMemory):\n"
                "    def __init__(self, images, labels):\n"
                "        even = (labels % 2 == 0) & (labels > 0)\n"
                "        super().__init__(images[even], labels[even])",
                "yours keeps [2, 8]",
            ),
        ],
        [
            (
                "train_positions = torch.randperm(60_000)[:55_000]\n"
                "validation_positions = torch.randperm(60_000)[55_000:]",
                "are in both parts",
            ),
            (
                "train_positions = torch.arange(55_000)\n"
                "validation_positions = torch.arange(55_000, 60_000)",
                "Shuffle the positions first",
            ),
            (
                "train_positions = torch.randperm(55_000)\n"
                "validation_positions = torch.arange(60_000)[-10_000:]",
                "the parts have 55000 and 10000",
            ),
        ],
    ],
    "04_loss_and_optimizer": [
        [
            ("loss_of_a_quarter = math.log(0.25)", "Mind the sign"),
            ("loss_of_a_quarter = -math.log10(0.25)", "natural logarithm, math.log"),
            ("loss_of_a_quarter = 0.75", "minus the natural logarithm"),
        ],
        [
            (
                "def sgd_step(weights, learning_rate):\n"
                "    with torch.no_grad():\n"
                "        for weight in weights:\n"
                "            weight += learning_rate * weight.grad",
                "uphill",
            ),
            (
                "def sgd_step(weights, learning_rate):\n"
                "    with torch.no_grad():\n"
                "        for weight in weights:\n"
                "            weight -= weight.grad",
                "by the learning rate",
            ),
            (
                "def sgd_step(weights, learning_rate):\n"
                "    with torch.no_grad():\n"
                "        for weight in weights:\n"
                "            weight = weight - learning_rate * weight.grad",
                "in place",
            ),
            (
                "def sgd_step(weights, learning_rate):\n"
                "    with torch.no_grad():\n"
                "        weights[0] -= learning_rate * weights[0].grad",
                "all of them",
            ),
            (
                "def sgd_step(weights, learning_rate):\n"
                "    for weight in weights:\n"
                "        weight -= learning_rate * weight.grad",
                "Python says",
            ),
        ],
        [
            ("largest_rate = 50", "along the valley"),
            ("largest_rate = 0.5", "exactly at the bottom"),
            ("largest_rate = 2", "no further from 0"),
        ],
        [
            (
                "def safe_softmax(logits):\n"
                "    return logits.exp() / logits.exp().sum(dim=1, keepdim=True)",
                "infinity divided by infinity",
            ),
            (
                "def safe_softmax(logits):\n"
                "    return (logits - logits.max(dim=1, keepdim=True).values).exp()",
                "must add up to 1",
            ),
            ("def safe_softmax(logits):\n    logits.exp()", "returns nothing"),
        ],
    ],
    "05_training": [
        [
            (
                "def train(model, loader, criterion, optimizer):\n"
                "    for images, labels in loader:\n"
                "        loss = criterion(model(images), labels)\n"
                "        loss.backward()\n"
                "        optimizer.step()",
                "gradients add up",
            ),
            (
                "def train(model, loader, criterion, optimizer):\n"
                "    for images, labels in loader:\n"
                "        loss = criterion(model(images), labels)\n"
                "        optimizer.zero_grad()\n"
                "        loss.backward()",
                "no weight has moved",
            ),
            (
                "def train(model, loader, criterion, optimizer):\n"
                "    for images, labels in loader:\n"
                "        loss = criterion(model(images), labels)\n"
                "        loss.backward()\n"
                "        optimizer.zero_grad()\n"
                "        optimizer.step()",
                "no weight has moved",
            ),
            (
                "def train(model, loader, criterion, optimizer):\n"
                "    for images, labels in loader:\n"
                "        loss = criterion(model(images), labels)\n"
                "        optimizer.zero_grad()\n"
                "        loss.backward()\n"
                "    optimizer.step()",
                "One step for each batch",
            ),
            (
                "def train(model, loader, criterion, optimizer):\n"
                "    for images, labels in loader:\n"
                "        loss = criterion(labels, model(images))\n"
                "        loss.backward()",
                "Python says",
            ),
        ],
        [
            (
                "def stop_early(epoch, history):\n"
                "    history['validation_loss'][-1] > min(history['validation_loss'])",
                "return whether the latest loss",
            ),
            (
                "def stop_early(epoch, history):\n"
                "    return history['validation_loss'] > min(history['validation_loss'])",
                "compare two numbers",
            ),
            (
                "def stop_early(epoch, history):\n"
                "    return history['validation_loss'][-1] > history['validation_loss'][-2]",
                "only one loss",
            ),
            (
                "def stop_early(epoch, history):\n"
                "    return history['validation_loss'][-1] <= min(history['validation_loss'])",
                "wrong way round",
            ),
            (
                "def stop_early(epoch, history):\n"
                "    return history['validation_loss'][-1] >= min(history['validation_loss'])",
                "lowest of all",
            ),
            (
                "def stop_early(epoch, history):\n"
                "    return history['validation_loss'][-1] > history['validation_loss'][-2:][0]",
                "the min of the list",
            ),
        ],
        [
            ("mean_loss = (0.2 + 0.4 + 1.0) / 3", "weigh each batch by its size"),
            ("mean_loss = 0.2 * 64 + 0.4 * 64 + 1.0 * 16", "Divide by their number"),
        ],
    ],
    "06_evaluation": [
        [
            (
                "def precision_of(digit, labels, predictions):\n"
                "    return (predictions[labels == digit] == digit).float().mean()",
                "that is the recall",
            ),
            (
                "def precision_of(digit, labels, predictions):\n"
                "    return ((labels == digit) & (predictions == digit)).float().mean()",
                "not by all",
            ),
            (
                "def precision_of(digit, labels, predictions):\n"
                "    return labels[predictions == digit] == digit",
                "one True or False per image",
            ),
            ("def precision_of(digit, labels, predictions):\n    return 0.9", "two are a 7"),
        ],
        [
            ("friend_half_width = (0.9 * 0.1 / 100) ** 0.5", "takes 1.96 of them"),
            ("friend_half_width = 1.96 * 0.9 * 0.1 / 100", "square root is missing"),
        ],
        [
            (
                "def only_first(labels, first, second):\n"
                "    return (first == labels) & (second != labels)",
                "Count them",
            ),
            (
                "def only_first(labels, first, second):\n    return (first == labels).sum().item()",
                "The second must be wrong",
            ),
            (
                "def only_first(labels, first, second):\n"
                "    return ((first != labels) & (second == labels)).sum().item()",
                "second != labels",
            ),
            (
                "def only_first(labels, first, second):\n"
                "    return ((first == labels) & (second == labels)).sum().item()",
                "first == labels",
            ),
        ],
    ],
    "07_filters_and_predictions": [
        [
            (
                "def cover(image, row, column, size, value):\n"
                "    image[..., row : row + size, column : column + size] = value\n"
                "    return image",
                "Make a copy first",
            ),
            (
                "def cover(image, row, column, size, value):\n"
                "    copy = image.clone()\n"
                "    copy[..., column : column + size, row : row + size] = value\n"
                "    return copy",
                "swapped",
            ),
            (
                "def cover(image, row, column, size, value):\n"
                "    copy = image.clone()\n"
                "    copy[..., row:size, column:size] = value\n"
                "    return copy",
                "nothing is covered",
            ),
        ],
        [
            (
                "def nudge(images, gradient, size):\n"
                "    return (images + size * gradient).clamp(-1, 1)",
                "Take the sign",
            ),
            (
                "def nudge(images, gradient, size):\n"
                "    return (images - size * gradient.sign()).clamp(-1, 1)",
                "Go the other way",
            ),
            (
                "def nudge(images, gradient, size):\n    return images + size * gradient.sign()",
                "between -1 and 1",
            ),
            (
                "def nudge(images, gradient, size):\n"
                "    images += size * gradient.sign()\n"
                "    return images.clamp(-1, 1)",
                "you have changed the images",
            ),
        ],
        [
            (
                "def move_right(images, pixels):\n    return images.roll(pixels, dims=3)",
                "comes back on the left",
            ),
            (
                "def move_right(images, pixels):\n"
                "    return nn.functional.pad(images, (pixels, 0), value=-1)",
                "the shape became",
            ),
            (
                "def move_right(images, pixels):\n"
                "    return nn.functional.pad(images, (pixels, 0))[..., :-pixels]",
                "columns 0 to 2 should be -1",
            ),
        ],
    ],
    "08_best_practices": [
        [
            ("def enough(epoch, history):\n    return False", "but it goes on"),
            (
                "def enough(epoch, history):\n"
                "    losses = history['validation_loss']\n"
                "    return epoch - (losses.index(min(losses)) + 1) >= 2",
                "but it stops",
            ),
            ("def enough(epoch, history):\n    return epoch >= 5", "only one epoch old"),
            (
                "def enough(epoch, history):\n"
                "    losses = history['validation_loss']\n"
                "    return epoch > 3 and min(losses[-3:-1]) > min(losses[:-3])",
                "where does it stand",
            ),
            (
                "def enough(epoch, history):\n"
                "    losses = history['validation_loss']\n"
                "    return epoch > 3 and losses[-1] >= losses[-2] >= losses[-3] >= losses[-4]",
                "does not have to rise each time",
            ),
            (
                "def enough(epoch, history):\n"
                "    losses = history['validation_loss']\n"
                "    return epoch >= 5 and losses[-1] > min(losses)",
                "only one epoch old",
            ),
        ],
        [
            (
                "def drop(values, p):\n    return values * (torch.rand_like(values) >= p)",
                "scale what is left",
            ),
            (
                "def drop(values, p):\n    return values * (torch.rand_like(values) < p) / p",
                "0.80 is zero, but p = 0.2",
            ),
            (
                "def drop(values, p):\n    return (torch.rand_like(values) >= p) / (1 - p)",
                "values themselves",
            ),
            (
                "def drop(values, p):\n"
                "    return values * (torch.arange(len(values)) >= p * len(values)) / (1 - p)",
                "draw anew",
            ),
        ],
    ],
    "10_memory_footprint": [
        [
            ("largest = 100_000_000 // an_image", "need room too"),
            ("largest = (100_000_000 - fixed - 4) / an_image", "a whole number"),
            ("largest = (100_000_000 - fixed - 4) // an_image + 1", "does not fit"),
            ("largest = 100_000_000 // 135", "what is left for activations"),
        ],
        [
            ("def columns_to_keep(keep):\n    return 49 * keep", "filter 1 owns the columns"),
            (
                "def columns_to_keep(keep):\n    return 49 * keep[:, None] + torch.arange(49)",
                "in one row and in order",
            ),
            ("def columns_to_keep(keep):\n    return [49 * k for k in keep]", "return a tensor"),
        ],
    ],
    "09_transfer_learning": [
        [
            ("trained_numbers = 512 * 7", "Each class has a bias"),
            ("trained_numbers = 513 * 10", "that is a head for ten classes"),
            ("trained_numbers = 11_689_512", "Nothing else moves"),
        ],
        [
            (
                "def freeze_for_good(network):\n    return network.requires_grad_(False)",
                "these have moved: ['1.running_mean'",
            ),
            (
                "def freeze_for_good(network):\n    return network.requires_grad_(False).eval()",
                "these have moved: ['1.running_mean'",
            ),
            (
                "def freeze_for_good(network):\n"
                "    network.train = lambda mode=True: network\n"
                "    return network.eval()",
                "no parameter that wants a gradient",
            ),
            (
                "def freeze_for_good(network):\n"
                "    network.requires_grad_(False)\n"
                "    network[1].momentum = 0.0\n"
                "    return network",
                "num_batches_tracked",
            ),
        ],
    ],
    "11_strengths_and_limits": [
        [
            (
                "def multiply_adds(layer, height, width):\n"
                "    rows, columns = layer.kernel_size\n"
                "    channels = layer.in_channels * layer.out_channels\n"
                "    return 2 * height * width * channels * rows * columns",
                "A multiply-add is one",
            ),
            (
                "def multiply_adds(layer, height, width):\n"
                "    channels = layer.in_channels * layer.out_channels\n"
                "    return height * width * channels * layer.kernel_size",
                "multiply its two numbers",
            ),
            (
                "def multiply_adds(layer, height, width):\n    return layer.weight.numel()",
                "that is for one place",
            ),
            (
                "def multiply_adds(layer, height, width):\n"
                "    return height * width * layer.out_channels * 5 * 3",
                "as deep as its input",
            ),
        ],
        [
            (
                "def unshuffle(shuffled, order):\n"
                "    return shuffled.flatten(1)[:, order].reshape(shuffled.shape)",
                "shuffles a second time",
            ),
            (
                "def unshuffle(shuffled, order):\n"
                "    return shuffled.flatten(1)[:, order.argsort()]",
                "the shape became",
            ),
            (
                "def unshuffle(shuffled, order):\n"
                "    return shuffled.flatten(1)[:, order.flip(0)].reshape(shuffled.shape)",
                "Where did pixel order[0] go",
            ),
        ],
        [
            ("invariant = [4, 8, 12, 16]", "Here are three"),
            ("invariant = list(range(1, 17))", "each pooling has a grid"),
            ("invariant = [3, 6, 9, 12, 15]", "one place in the last map"),
        ],
    ],
    "12_your_own_images": [
        [
            ("height, width = 20, 20", "the shape is kept"),
            ("height, width = 6, 20", "the longer side becomes 20"),
        ],
        [
            (
                "def balanced_accuracy(predictions, labels):\n"
                "    return (predictions == labels).float().mean()",
                "that is the accuracy",
            ),
            (
                "def balanced_accuracy(predictions, labels):\n"
                "    return (predictions[labels == 1] == 1).float().mean()",
                "finds all zeros and no one",
            ),
            (
                "def balanced_accuracy(predictions, labels):\n"
                "    found = [(predictions[labels == k] == k).float().mean() for k in (0, 1)]\n"
                "    return sum(found) / 2",
                "more than two classes",
            ),
        ],
    ],
    "13_speed_and_scale": [
        [
            ('missing = ["optimizer"]', "who knows where in its cycle"),
            ('missing = ["scheduler"]', "Adam has running means"),
            ('missing = ["optimizer", "criterion"]', "remembers nothing"),
            ('missing = ["optimizer", "loader"]', "taken care of"),
        ],
        [
            (
                "def share_of(batch, rank, workers):\n"
                "    size = len(batch) // workers\n"
                "    return batch[rank * size : (rank + 1) * size]",
                "in no share",
            ),
            ("def share_of(batch, rank, workers):\n    return batch[rank:]", "in two shares"),
            (
                "def share_of(batch, rank, workers):\n"
                "    size = len(batch) // workers\n"
                "    end = len(batch) if rank == workers - 1 else (rank + 1) * size\n"
                "    return batch[rank * size : end]",
                "differ by more than one",
            ),
        ],
    ],
    "14_alternatives": [
        [
            (
                "def scores_of(height, width, patch):\n"
                "    return (height // patch) * (width // patch)",
                "the number of tokens",
            ),
            (
                "def scores_of(height, width, patch):\n    return (height // patch) ** 4",
                "Height and width may differ",
            ),
            (
                "def scores_of(height, width, patch):\n    return (height * width) ** 2",
                "tokens down, times tokens across",
            ),
        ],
        [
            (
                "def attend(queries, keys, values):\n"
                "    return (queries @ keys.mT).softmax(dim=-1) @ values",
                "by the root of the width",
            ),
            (
                "def attend(queries, keys, values):\n"
                "    return (queries @ keys.mT / math.sqrt(4)).softmax(dim=1) @ values",
                "each row must add up to 1",
            ),
            (
                "def attend(queries, keys, values):\n    return queries @ keys.mT",
                "the shape of the values",
            ),
            (
                "def attend(queries, keys, values):\n    return queries @ keys.mT @ values",
                "scores, root, softmax",
            ),
        ],
    ],
}
