"""Train MNIST in several ways, side by side, and compare seconds and accuracy: make bench.

The clock runs from bytes in memory to trained weights. The plain lesson transforms every picture
whenever a batch needs it; the fast recipe is that of notebook 13. The other two are networks and
recipes of other projects, written anew: the MNIST example of PyTorch (2 of its 14 epochs) and
train_mnist_fast (https://github.com/tuomaso/train_mnist_fast).
"""

import argparse
import platform
import time
from functools import partial
from pathlib import Path

import torch
from recipes import Recipe, Wide, clock, load_data
from recipes import train as train_recorded
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR, StepLR
from torch.utils.data import DataLoader, Subset
from torchvision.datasets import MNIST
from torchvision.transforms import v2

from mnist_helpers import CNN, accuracy_of, make_loader, train_one_epoch
from mnist_helpers.fast import FastCNN, bf16_is_fast, make_fast
from mnist_helpers.files import make_ready

TO_FLOAT = v2.ToDtype(torch.float32, scale=True)
HALF = v2.Normalize((0.5,), (0.5,))
MEAN_AND_STD = v2.Normalize((0.1307,), (0.3081,))


class Example(nn.Module):
    """The network of PyTorch's own MNIST example, 1.2 million parameters."""

    def __init__(self):
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.linear = nn.Sequential(
            nn.Dropout(0.25), nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5)
        )
        self.last = nn.Linear(128, 10)

    def forward(self, images):
        return self.last(self.linear(self.convolutions(images)))


def as_numbers(pixels, normalize):
    return normalize(TO_FLOAT(pixels.unsqueeze(1)))


def picture_loader(folder, normalize, count):
    """Return a loader that makes a picture of each image and transforms it."""
    transform = v2.Compose([v2.ToImage(), TO_FLOAT, normalize])
    dataset = Subset(MNIST(folder, transform=transform), range(count))
    return DataLoader(dataset, batch_size=64, shuffle=True)


def run_epochs(epochs, model, loader, optimizer, scheduler=None, each_epoch=None):
    """Train as lessons do, without a check of the loss."""
    model.train()
    device = next(model.parameters()).device
    for _ in range(epochs):
        for images, labels in loader:
            loss = F.cross_entropy(model(images.to(device)), labels.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
        if each_epoch is not None:
            each_epoch.step()
    return model


def plain_lesson(folder, pixels, labels):
    """Notebook 05's network, data and recipe, as a first lesson writes them."""
    model = CNN()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    return run_epochs(3, model, picture_loader(folder, HALF, 55_000), optimizer)


def example(folder, pixels, labels):
    """PyTorch's example, two epochs of it."""
    model = Example()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    loader = picture_loader(folder, MEAN_AND_STD, 60_000)
    return run_epochs(2, model, loader, optimizer, each_epoch=StepLR(optimizer, 1, gamma=0.7))


def train_mnist_fast(folder, pixels, labels):
    """One epoch of batches of 256 in a fixed order, OneCycle up to 0.01; channels_last is ours."""
    images = as_numbers(pixels, MEAN_AND_STD)
    loader = list(zip(images.split(256), labels.split(256), strict=True))
    model = Wide().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.7, 0.9))
    scheduler = OneCycleLR(optimizer, 0.01, total_steps=len(loader), cycle_momentum=False)
    return run_epochs(1, model, loader, optimizer, scheduler)


def in_16_bits():
    """Return the context in which products are computed in bfloat16, where that is fast."""
    enabled = bf16_is_fast("cpu")
    return torch.autocast("cpu", torch.bfloat16, enabled=enabled, cache_enabled=False)


def as_cnn(model):
    """Return the whole network with the weights of a ``FastCNN``."""
    cnn = CNN().to(memory_format=torch.channels_last)
    cnn.load_state_dict(model.state_dict())
    return cnn


def fast_recipe(folder, pixels, labels, epochs, count=55_000, smoothing=0.0):
    """Train with the recipe of notebook 13, for so many epochs of the first so many images."""
    images, seed = as_numbers(pixels[:count], HALF), torch.initial_seed()
    loader = make_loader(images, labels[:count], batch_size=128, shuffle=True, seed=seed)
    model, optimizer, scheduler = make_fast(epochs * len(loader))
    criterion = nn.CrossEntropyLoss(label_smoothing=smoothing)
    with in_16_bits():
        for _ in range(epochs):
            train_one_epoch(model, loader, criterion, optimizer, scheduler)
    return as_cnn(model)


def first_maps(model, images):
    """Return what the first half of a ``FastCNN`` makes of images: (N, 16, 12, 12)."""
    maps = F.conv2d(images[:, :, 1:27, 1:27], model.conv1.weight, model.conv1.bias)
    return F.max_pool2d(maps, 2).relu()


def logits_of(model, maps):
    """Return what the other half makes of that: (N, 10)."""
    maps = F.max_pool2d(F.conv2d(maps, model.conv2.weight, model.conv2.bias), 2).relu()
    weight = model.fc.weight.view(10, 32, 7, 7)[:, :, 1:6, 1:6].flatten(1)
    return F.linear(maps.flatten(1), weight, model.fc.bias)


def hard_images(losses, count):
    """Return numbers of images: seven tenths those with the largest losses, the rest drawn."""
    ranked, hardest = losses.argsort(descending=True), 7 * count // 10
    others = ranked[hardest:]
    return torch.cat([ranked[:hardest], others[torch.randperm(len(others))[: count - hardest]]])


def hard_ones_again(folder, pixels, labels):
    """One epoch; then two of a quarter of the images, mostly the hard ones, with conv1 kept.

    The maps of the first convolution are computed once, and its gradients not at all.
    """
    images, labels, batch = as_numbers(pixels[:55_000], HALF), labels[:55_000], 128
    quarter = len(images) // 4
    first = torch.randperm(len(images)).split(batch)
    again = quarter // batch
    model, optimizer, scheduler = make_fast(len(first) + 2 * again)
    losses = torch.zeros(len(images))

    def step(logits, labels):
        each = F.cross_entropy(logits, labels, reduction="none", label_smoothing=0.05)
        optimizer.zero_grad()
        each.mean().backward()
        optimizer.step()
        scheduler.step()
        return each.detach().float()

    with in_16_bits():
        for chosen in first:
            losses[chosen] = step(model(images[chosen]), labels[chosen])
        losses[torch.cat(first[: len(first) // 5])] = 0  # those were read by a beginner
        chosen = hard_images(losses, quarter)
        with torch.no_grad():
            parts = [first_maps(model, images[part]) for part in chosen.split(500)]
        maps = torch.cat(parts).permute(0, 2, 3, 1).contiguous()  # to cut batches out of it
        model.conv1.requires_grad_(False)
        for order in (torch.randperm(quarter) for _ in range(2)):
            for part in order[: again * batch].split(batch):
                step(logits_of(model, maps[part].permute(0, 3, 1, 2)), labels[chosen[part]])
    return as_cnn(model)


# name: (function that trains, how its network expects the images)
WAYS = {
    "plain lesson, 3 epochs": (plain_lesson, HALF),
    "fast recipe, 36,000 images once, smoothed": (
        partial(fast_recipe, epochs=1, count=36_000, smoothing=0.05),
        HALF,
    ),
    "fast recipe, 1 epoch": (partial(fast_recipe, epochs=1), HALF),
    "fast recipe, 2 epochs, smoothed": (partial(fast_recipe, epochs=2, smoothing=0.05), HALF),
    "1 epoch, then the hard images, smoothed": (hard_ones_again, HALF),
    "fast recipe, 3 epochs": (partial(fast_recipe, epochs=3), HALF),
    "train_mnist_fast": (train_mnist_fast, MEAN_AND_STD),
    "PyTorch's example, 2 epochs": (example, MEAN_AND_STD),
}


# On a GPU, all images there, the step recorded. Rates and batches were chosen on the validation
# images, with other seeds.
GPU_WAYS = {
    "20,490 parameters, 2 epochs": Recipe(FastCNN, 2, 768, 0.03, smoothing=0.05),
    "compiled, batches of 512": Recipe(FastCNN, 2, 512, 0.02, smoothing=0.05, compiled=True),
    "train_mnist_fast, 1 epoch": Recipe(Wide, 1, 256, 0.01),
    "its network, 3 epochs, smoothed": Recipe(Wide, 3, 512, 0.01, smoothing=0.1),
}


def processor():
    """Return the processor's name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def measure(way, seed, folder):
    """Return the seconds from bytes to weights, and the accuracy on the test images in percent."""
    train, normalize = WAYS[way]
    train_set, test_set = MNIST(folder), MNIST(folder, train=False)
    torch.manual_seed(seed)
    started = time.perf_counter()
    model = train(folder, train_set.data, train_set.targets)
    seconds = time.perf_counter() - started
    return seconds, 100 * accuracy_of(model, as_numbers(test_set.data, normalize), test_set.targets)


def print_table(runs):
    """Print the means of each way's (seconds, accuracy), and how they compare with the first."""
    means = {way: torch.tensor(pairs).mean(dim=0).tolist() for way, pairs in runs.items()}
    first, _ = next(iter(means.values()))
    print("\n| way | seconds | test accuracy | times faster |\n|---|---|---|---|")
    for way, (seconds, accuracy) in means.items():
        print(f"| {way} | {seconds:.1f} | {accuracy:.2f} % | {first / seconds:.1f}x |")


def measure_on_gpu(recipe, seed, data):
    """Return seconds of training, seconds of recording, and the test accuracy in percent."""
    model, training, recording = train_recorded(recipe, *data["train"], seed)
    return training, recording, 100 * accuracy_of(model, *data["test"])


def eager_epoch(data, seed):
    """Train an epoch with the fast recipe, each step started from Python; return as above."""
    images, labels = data["train"]
    torch.manual_seed(seed)
    loader = make_loader(images, labels, batch_size=128, shuffle=True, seed=seed)
    model, optimizer, scheduler = make_fast(len(loader), device=images.device)
    started = clock(images.device)
    train_one_epoch(model, loader, nn.CrossEntropyLoss(), optimizer, scheduler)
    seconds = clock(images.device) - started
    return seconds, 0.0, 100 * accuracy_of(model, *data["test"])


def plain_epoch(folder, seed, device):
    """Train an epoch of the plain lesson; return as above, but no accuracy."""
    torch.manual_seed(seed)
    model = CNN().to(device)
    loader = picture_loader(folder, HALF, 55_000)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    started = clock(device)
    run_epochs(1, model, loader, optimizer)
    return clock(device) - started, 0.0, float("nan")


def bench_gpu(folder, seeds, device):
    """Print what training takes with all images on a GPU, for so many seeds."""
    torch.backends.cudnn.benchmark = True  # takes the fastest of several ways, after some trials
    torch.set_float32_matmul_precision("high")  # TF32, as the convolutions have it anyway
    started = clock(device)
    data = load_data(folder, device)
    print(f"reading MNIST and putting it on the GPU: {clock(device) - started:.2f} s")
    runs = {"plain lesson, 1 epoch": [plain_epoch(folder, 0, device)]}
    runs["fast recipe, 1 epoch, each step from Python"] = [
        eager_epoch(data, seed) for seed in range(3)
    ][1:]  # the first one sets things up
    for way, recipe in GPU_WAYS.items():
        count = min(seeds, 5) if recipe.compiled else seeds  # compiling takes its time
        first = measure_on_gpu(recipe, seeds, data)
        print(f"{way}: the first recording takes {first[1]:.2f} s", flush=True)
        runs[way] = [measure_on_gpu(recipe, seed, data) for seed in range(count)]
    print("\n| way | seeds | seconds | recording | test accuracy (lowest) |\n|---|---|---|---|---|")
    for way, triples in runs.items():
        seconds, recording, accuracy = torch.tensor(triples).unbind(dim=1)
        read = f"{accuracy.mean():.2f} % ({accuracy.min():.2f})"
        times = f"{seconds.mean():.3f} | {recording.mean():.3f}"
        print(f"| {way} | {len(triples)} | {times} | {read} |")
    print(f"\n{torch.cuda.get_device_name()}, torch {torch.__version__}")


def bench_processor(folder, seeds, names):
    runs = {way: [] for way in names}
    for seed in range(seeds):
        for way, pairs in runs.items():
            seconds, accuracy = measure(way, seed, folder)
            pairs.append((seconds, accuracy))
            print(f"seed {seed}, {way}: {seconds:.1f} s, {accuracy:.2f} %", flush=True)
    print_table(runs)
    machine = f"{processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    print(f"\n{seeds} seeds, {machine}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default="notebooks/data")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--skip-example", action="store_true", help="it takes longest")
    parser.add_argument("--device", default="cpu", help="cuda: another table, for a GPU")
    options = parser.parse_args()
    make_ready(options.data)
    device = torch.device(options.device)
    if device.type == "cuda":
        bench_gpu(options.data, options.seeds, device)
    else:
        example = "PyTorch's example, 2 epochs"
        names = [way for way in WAYS if way != example or not options.skip_example]
        bench_processor(options.data, options.seeds, names)


if __name__ == "__main__":
    main()
