"""Commands for the terminal: python -m mnist_helpers train, predict, and export."""

import argparse
import copy
import json
import sys
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import TensorDataset

from mnist_helpers import CNN, evaluate, fit, load_mnist, make_loader, parallel, predict, to_mnist
from mnist_helpers.checkpoints import load_checkpoint, save_checkpoint
from mnist_helpers.fast import bf16_is_fast, make_fast
from mnist_helpers.files import load_weights, save_whole, write_whole
from mnist_helpers.training import HISTORY

TRAIN = "train the CNN on MNIST with the fast recipe of notebook 13; write cnn.pt and its curve"
PREDICT = "read the digit in each picture"
EXPORT = "write a page that shows the inside of a network: one HTML file for any browser"
PRECISION = "of the multiplications, 32 or 16 bits; auto takes bf16 where it is fast"
PRECISIONS = ("auto", "fp32", "bf16")

# What an option may be. Each function takes the text from the command line, returns the value, and
# raises ArgumentTypeError when it is none.


def whole_number(text, lowest, highest):
    if not text.isdecimal() or not lowest <= int(text) <= highest:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a whole number from {lowest} to {highest:,}"
        )
    return int(text)


def count(text):
    return whole_number(text, 1, 10**9)


def image_count(text):
    return whole_number(text, 1, 55_000)


def seed(text):
    return whole_number(text, 0, 2**63 - 1)


def learning_rate(text):
    rate = float(text)
    if not 1e-12 <= rate <= 1e300:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1e-12 to 1e300")
    return rate


def device(text):
    try:
        torch.zeros(1, device=text).item()
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot compute here") from error
    return torch.device(text)


def output_folder(text):
    if Path(text).exists() and not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a file, but must be a folder")
    return Path(text)


def data_folder():
    """Return the data folder of the clone that this package stands in, or else ./data."""
    in_clone = Path(__file__).parents[1] / "notebooks" / "data"
    return in_clone if in_clone.exists() else Path("data")


def best_device():
    """Return the accelerator of this machine, or else the processor."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def parse(arguments):
    """Return the parsed command line; a wrong value ends the program with status 2."""
    parser = argparse.ArgumentParser(prog="python -m mnist_helpers")
    commands = parser.add_subparsers(dest="command", required=True)
    add_train(commands)
    add_predict(commands)
    add_export(commands)
    return parser.parse_args(arguments)


def add_train(commands):
    show_defaults = argparse.ArgumentDefaultsHelpFormatter
    parser = commands.add_parser(
        "train", help=TRAIN, description=TRAIN, formatter_class=show_defaults
    )
    parser.add_argument("--epochs", type=count, default=3, help="times to see all images")
    parser.add_argument("--images", type=image_count, default=55_000, help="the first so many")
    parser.add_argument("--batch-size", type=count, default=128, help="images in a step")
    parser.add_argument("--lr", type=learning_rate, default=0.01, help="highest learning rate")
    parser.add_argument("--seed", type=seed, default=0, help="of weights and order")
    parser.add_argument("--data", type=Path, default=data_folder(), help="folder of MNIST")
    parser.add_argument("--output", type=output_folder, default="output", help="folder to write")
    parser.add_argument("--device", type=device, default=best_device(), help="such as cpu or cuda")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto", help=PRECISION)
    parser.add_argument("--resume", action="store_true", help="go on from its checkpoint.pt")


def add_predict(commands):
    parser = commands.add_parser("predict", help=PREDICT, description=PREDICT)
    parser.add_argument("--checkpoint", required=True, help="weights of the CNN, such as cnn.pt")
    parser.add_argument("files", nargs="+", metavar="FILE", help="a picture of one digit")


def add_export(commands):
    parser = commands.add_parser("export", help=EXPORT, description=EXPORT)
    parser.add_argument("--checkpoint", required=True, help="weights of the CNN, such as cnn.pt")
    parser.add_argument("page", type=Path, help="the file to write, such as my_network.html")


def train(options):
    """Train, alone or as one of several processes; the first of them writes what comes out."""
    options.output.mkdir(parents=True, exist_ok=True)
    rank, workers = parallel.join(options.device)
    torch.manual_seed(options.seed)
    loader, order = training_batches(options, rank, workers)
    steps = options.epochs * len(loader)
    model, optimizer, scheduler = make_fast(steps, options.lr, options.device)
    first_weights = copy.deepcopy(model.state_dict())
    history = history_so_far(options, model, optimizer, scheduler)
    order.set_epoch(len(history["validation_step"]))

    def after_epoch(epoch, history):
        order.set_epoch(epoch)
        parallel.average_last(history["train_loss"], len(loader))
        if rank == 0:
            path = options.output / "checkpoint.pt"
            save_checkpoint(path, history, model=model, optimizer=optimizer, scheduler=scheduler)

    history = fit_fast(options, model, optimizer, scheduler, loader, after_epoch, history)
    if rank == 0:
        write_results(options, model, history, first_weights)
    parallel.leave()


def training_batches(options, rank, workers):
    """Return a loader of this process's share of every batch, and the sampler that shuffles."""
    images, labels = load_mnist(options.data, "train")
    dataset = TensorDataset(images[: options.images], labels[: options.images])
    return parallel.share_batches(dataset, options.batch_size, options.seed, rank, workers)


def history_so_far(options, model, optimizer, scheduler):
    """Go back to the checkpoint, if that is asked for and there is one; return its history."""
    path = options.output / "checkpoint.pt"
    if not options.resume or not path.exists():
        return {name: [] for name in HISTORY}
    state = load_checkpoint(path, model=model, optimizer=optimizer, scheduler=scheduler)
    return state["history"]


def fit_fast(options, model, optimizer, scheduler, loader, after_epoch, history):
    """Train the epochs that are left, in bfloat16 if that is asked for; return the history."""
    finished = len(history["validation_step"])
    images, labels = load_mnist(options.data, "validation")
    # No cache: it would keep the weights of the first step, in 16 bits, for the whole training.
    with torch.autocast(
        options.device.type, torch.bfloat16, enabled=use_bf16(options), cache_enabled=False
    ):
        return fit(
            parallel.synchronized(model),
            loader,
            make_loader(images, labels, batch_size=1000),
            nn.CrossEntropyLoss(),
            optimizer,
            options.epochs - finished,
            scheduler=scheduler,
            after_epoch=after_epoch,
            history=history,
        )


def use_bf16(options):
    if options.precision == "auto":
        return bf16_is_fast(options.device)
    return options.precision == "bf16"


def write_results(options, model, history, first_weights):
    """Write weights, curve and history, and say the accuracy on the test images."""
    # Here, and not above: predict need not wait a second for matplotlib.
    from mnist_helpers.explorer import export_page
    from mnist_helpers.plots import plot_history

    for epoch, accuracy in enumerate(history["validation_accuracy"], start=1):
        print(f"Validation accuracy after epoch {epoch}: {100 * accuracy:.2f} %")
    cnn = CNN()
    cnn.load_state_dict(model.cpu().state_dict())
    weights = options.output / "cnn.pt"
    curve = options.output / "learning_curve.png"
    save_whole(cnn.state_dict(), weights)
    plot_history(history).savefig(curve, dpi=150)
    write_whole(options.output / "history.json", json.dumps(history).encode())
    page = options.output / "my_network.html"
    export_page(cnn, page, before=first_weights)
    print(f"Wrote {weights} and {curve}")
    print(f"Wrote {page}: open it in a browser to look inside your network")
    images, labels = load_mnist(options.data, "test")
    _, accuracy = evaluate(cnn, make_loader(images, labels, batch_size=1000), nn.CrossEntropyLoss())
    print(f"Test accuracy: {100 * accuracy:.2f} %")


def export(options):
    """Write the page that shows the inside of the network whose weights are given."""
    from mnist_helpers.explorer import export_page

    model = CNN()
    load_weights(options.checkpoint, model)
    export_page(model, options.page)
    print(f"Wrote {options.page}: open it in a browser")


def predict_files(options):
    """Print file, digit and probability, a line each; what is wrong with a file goes to stderr.

    Returns whether all could be read.
    """
    model = CNN()
    load_weights(options.checkpoint, model)
    all_read = True
    for file in options.files:
        try:
            image = to_mnist(file)
        except (OSError, ValueError) as error:
            print(f"{file}: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
            all_read = False
            continue
        probabilities = predict(model, image.unsqueeze(0)).softmax(dim=1)[0]
        digit = probabilities.argmax().item()
        print(file, digit, f"{probabilities[digit]:.3f}", sep="\t")
    return all_read


def main(arguments=None):
    options = parse(arguments)
    try:
        if options.command == "train":
            train(options)
        elif options.command == "export":
            export(options)
        elif not predict_files(options):
            sys.exit(1)
    except (FloatingPointError, OSError, ValueError) as error:
        sys.exit(f"python -m mnist_helpers: {error}")


if __name__ == "__main__":
    main()
