"""Commands for the terminal: python -m mnist_helpers train, and predict."""

import argparse
import io
import json
import os
import pickle
import sys
import time
from pathlib import Path

import torch
from torch import distributed as dist
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, DistributedSampler, TensorDataset

from mnist_helpers import CNN, evaluate, fit, load_mnist, make_loader, predict, to_mnist
from mnist_helpers.checkpoints import load_checkpoint, save_checkpoint
from mnist_helpers.fast import bf16_is_fast, make_fast
from mnist_helpers.plots import plot_history


def default_data_folder():
    """Return the data folder of the clone that this package stands in, or else ./data."""
    in_clone = Path(__file__).parents[1] / "notebooks" / "data"
    return in_clone if in_clone.exists() else Path("data")


def number_from(lowest, kind=int, highest=2**63 - 1):
    """Return a function that parses a number of this kind and refuses one out of bounds."""

    def number(text):
        if not lowest <= (value := kind(text)) <= highest:
            raise ValueError(text)
        return value

    return number


def available_device(text):
    """Return the device of this name if it can compute, or raise ``ValueError``."""
    try:
        torch.zeros(1, device=text).item()
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        raise ValueError(text) from error
    return torch.device(text)


def folder_to_write(text):
    if Path(text).exists() and not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a file, but must be a folder")
    return Path(text)


def parse(arguments):
    """Return the parsed command line; a wrong value ends the program with status 2."""
    parser = argparse.ArgumentParser(prog="python -m mnist_helpers")
    commands = parser.add_subparsers(dest="command", required=True)
    what = "train the CNN on MNIST with the fast recipe of notebook 13; write cnn.pt and its curve"
    look = argparse.ArgumentDefaultsHelpFormatter
    train = commands.add_parser("train", help=what, description=what, formatter_class=look)
    add_train_options(train.add_argument)
    add_predict(commands)
    return parser.parse_args(arguments)


def add_train_options(add):
    best = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    add("--epochs", type=number_from(1), default=3, help="times to see all images")
    add("--images", type=number_from(1, int, 55_000), default=55_000, help="the first so many")
    add("--batch-size", type=number_from(1), default=128, help="images in a step")
    add("--lr", type=number_from(1e-12, float, 1e300), default=0.01, help="highest learning rate")
    add("--seed", type=number_from(0), default=0, help="of weights and order")
    add("--data", type=Path, default=default_data_folder(), help="folder of MNIST")
    add("--output", type=folder_to_write, default="output", help="folder to write")
    add("--device", type=available_device, default=best, help="such as cpu or cuda")
    add(
        "--precision",
        choices=["auto", "fp32", "bf16"],
        default="auto",
        help="bf16 where it is fast",
    )
    add("--resume", action="store_true", help="go on from checkpoint.pt in the output folder")


def join_others(device):
    """Return the rank of this process and the number of those that train together: often 0, 1."""
    if not dist.is_torchelastic_launched():
        return 0, 1
    if device.type != "cpu":
        torch.accelerator.set_device_index(int(os.environ["LOCAL_RANK"]))
    store, rank, workers = next(dist.rendezvous("env://"))
    # The engine keeps its store when it starts the workers anew: without a name for each start,
    # they might find each other's old addresses there, and wait for ever.
    store = dist.PrefixStore(os.environ["TORCHELASTIC_RESTART_COUNT"], store)
    dist.init_process_group(store=store, rank=rank, world_size=workers)
    return rank, workers


def load_share(options, rank, workers):
    """Return a loader of this process's share of every batch, and the sampler that shuffles."""
    if options.batch_size % workers:
        raise ValueError(f"--batch-size {options.batch_size} cannot be shared by {workers}")
    images, labels = load_mnist(options.data, "train")
    dataset = TensorDataset(images[: options.images], labels[: options.images])
    order = DistributedSampler(dataset, workers, rank, seed=options.seed)
    batches = BatchSampler(order, options.batch_size // workers, drop_last=False)
    return DataLoader(dataset, sampler=batches, batch_size=None), order


def train(options):
    """Train, alone or as one of several processes; the first of them writes what comes out."""
    options.output.mkdir(parents=True, exist_ok=True)
    rank, workers = join_others(options.device)
    torch.manual_seed(options.seed)
    loader, order = load_share(options, rank, workers)
    parts = make_fast(options.epochs * len(loader), options.lr, options.device)
    parts = dict(zip(("model", "optimizer", "scheduler"), parts, strict=True))
    path, history = options.output / "checkpoint.pt", None
    if options.resume and path.exists():
        history = load_checkpoint(path, **parts)["history"]
        order.set_epoch(len(history["validation_step"]))

    def after_epoch(epoch, history):
        order.set_epoch(epoch)
        share_losses(history["train_loss"], len(loader), workers)
        if rank == 0:
            save_checkpoint(path, history, **parts)

    history = fit_fast(options, loader, parts, history, after_epoch)
    if rank == 0:
        finish(options, parts["model"], history)
    leave_others()


def share_losses(losses, steps, workers):
    """Replace the last losses by their means over all processes: the losses of whole batches."""
    if workers > 1:
        latest = torch.tensor(losses[-steps:])
        dist.all_reduce(latest)
        losses[-steps:] = (latest / workers).tolist()


def leave_others():
    if dist.is_initialized():
        dist.destroy_process_group()
        time.sleep(0.5)  # else gloo's threads may still run at the exit, which aborts the process


def fit_fast(options, loader, parts, history, after_epoch):
    """Call ``fit`` with the parts, in bfloat16 if that is asked for."""
    model = parts["model"]
    worker = nn.parallel.DistributedDataParallel(model) if dist.is_initialized() else model
    low = options.precision == "bf16"
    low = low or (options.precision == "auto" and bf16_is_fast(options.device))
    validation_loader = make_loader(*load_mnist(options.data, "validation"), batch_size=1000)
    recipe = worker, loader, validation_loader, nn.CrossEntropyLoss(), parts["optimizer"]
    epochs = options.epochs - (len(history["validation_step"]) if history else 0)
    more = {"scheduler": parts["scheduler"], "after_epoch": after_epoch, "history": history}
    # No cache: it would keep the weights of the first step, in 16 bits, for the whole training.
    with torch.autocast(options.device.type, torch.bfloat16, low, cache_enabled=False):
        return fit(*recipe, epochs, **more)


def finish(options, model, history):
    """Write weights, curve and history, and say the accuracy on the test images."""
    for epoch, accuracy in enumerate(history["validation_accuracy"], start=1):
        print(f"Validation accuracy after epoch {epoch}: {100 * accuracy:.2f} %")
    whole = CNN()
    whole.load_state_dict(model.cpu().state_dict())
    torch.save(whole.state_dict(), options.output / "cnn.pt")
    plot_history(history).savefig(options.output / "learning_curve.png", dpi=150)
    (options.output / "history.json").write_text(json.dumps(history))
    print(f"Wrote {options.output / 'cnn.pt'} and {options.output / 'learning_curve.png'}")
    test_loader = make_loader(*load_mnist(options.data, "test"), batch_size=1000)
    _, accuracy = evaluate(whole, test_loader, nn.CrossEntropyLoss())
    print(f"Test accuracy: {100 * accuracy:.2f} %")


def add_predict(commands):
    add = commands.add_parser("predict", help="read the digit in each picture").add_argument
    add("--checkpoint", required=True, help="weights of the CNN, such as cnn.pt")
    add("files", nargs="+", metavar="FILE", help="a picture of one digit")


def load_cnn(path):
    """Return the CNN with the weights in the file at ``path``.

    Raises:
        OSError: when there is no such file.
        ValueError: when it is damaged, fits another network, or holds more than weights, which
            could be code. It is not run.
    """
    model, fault = CNN(), "is cut short, or is no checkpoint"
    file = io.BytesIO(Path(path).read_bytes())
    try:
        weights = torch.load(file, map_location="cpu", weights_only=True)
        fault = "holds weights of another network, not of the CNN"
        model.load_state_dict(weights.get("model", weights))  # in a checkpoint, they have a name
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path} holds more than weights, perhaps code: not loaded") from error
    except Exception as error:  # damaged files raise nearly anything
        raise ValueError(f"{path} {fault}") from error
    return model


def predict_files(options):
    """Print file, digit and probability, a line each; what is wrong with a file goes to stderr."""
    model, failed = load_cnn(options.checkpoint), False
    for file in options.files:
        try:
            probability, digit = predict(model, to_mnist(file)[None])[0].softmax(dim=0).max(dim=0)
            print(file, digit.item(), f"{probability:.3f}", sep="\t")
        except (OSError, ValueError) as error:
            print(f"{file}: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
            failed = True
    sys.exit(failed)


def main(arguments=None):
    options = parse(arguments)
    try:
        predict_files(options) if options.command == "predict" else train(options)
    except (FloatingPointError, OSError, ValueError) as error:
        sys.exit(f"python -m mnist_helpers: {error}")


if __name__ == "__main__":
    main()
