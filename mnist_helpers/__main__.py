"""Commands for the terminal: python -m mnist_helpers train, predict, and export."""

import argparse
import copy
import glob
import io
import json
import os
import sys
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import TensorDataset

from mnist_helpers import CNN, evaluate, fit, load_mnist, make_loader, parallel, predict, to_mnist
from mnist_helpers.checkpoints import load_checkpoint, save_checkpoint
from mnist_helpers.fast import bf16_is_fast, make_fast, recorded_epoch
from mnist_helpers.files import at_home, load_weights, save_whole, written_together
from mnist_helpers.guards import guarded_epochs
from mnist_helpers.training import HISTORY

PROGRAM = "python -m mnist_helpers"

TRAIN = "train the CNN on MNIST with the fast recipe of notebook 13; write cnn.pt and its curve"
PREDICT = "read the digit in each picture"
EXPORT = "write a page that shows the inside of a network: one HTML file for any browser"
PRECISION = "of the multiplications, 32 or 16 bits; auto takes bf16 where it is fast"
PRECISIONS = ("auto", "fp32", "bf16")
RESUME = "go on from its checkpoint.pt, if there is one, with the options that it was planned with"
FILES = "a picture of one digit; a pattern such as *.png stands for all that match"

# The options on which each step depends: the learning rate rises and falls once over all steps.
# Device, precision, data folder and the number of processes may change on the way.
PLANNED = ("epochs", "images", "batch_size", "lr", "seed")

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
    folder = at_home(text)
    if folder.exists() and not folder.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a file, but must be a folder")
    return folder


def data_folder():
    """Return the data folder of the clone that this package stands in, or else ./data."""
    in_clone = Path(__file__).parents[1] / "notebooks" / "data"
    return in_clone if in_clone.exists() else Path("data")


def best_device():
    """Return the accelerator of this machine, or else the processor."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def parse(arguments):
    """Return the parsed command line; a wrong value ends the program with status 2."""
    parser = argparse.ArgumentParser(prog=PROGRAM)
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
    parser.add_argument("--data", type=at_home, default=data_folder(), help="folder of MNIST")
    parser.add_argument("--output", type=output_folder, default="output", help="folder to write")
    parser.add_argument("--device", type=device, default=best_device(), help="such as cpu or cuda")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto", help=PRECISION)
    parser.add_argument("--resume", action="store_true", help=RESUME)


def add_predict(commands):
    parser = commands.add_parser("predict", help=PREDICT, description=PREDICT)
    parser.add_argument("--checkpoint", required=True, help="weights of the CNN, such as cnn.pt")
    parser.add_argument("files", nargs="+", metavar="FILE", help=FILES)


def add_export(commands):
    parser = commands.add_parser("export", help=EXPORT, description=EXPORT)
    parser.add_argument("--checkpoint", required=True, help="weights of the CNN, such as cnn.pt")
    parser.add_argument("page", type=at_home, help="the file to write, such as my_network.html")


class Plan:
    """The options on which each step depends: a part of the checkpoint, as the model is one."""

    def __init__(self, options):
        self.options = options

    def state_dict(self):
        return {name: getattr(self.options, name) for name in PLANNED}


class RefusedError(Exception):
    """To go on is not possible with these options. Nothing has been changed."""


def train(options):
    """Train, alone or as one of several processes; the first of them writes what comes out."""
    options.output.mkdir(parents=True, exist_ok=True)
    check_plan(options)
    draw_into_files()
    rank, workers = parallel.join(options.device)
    torch.manual_seed(options.seed)
    loader, order = training_batches(options, rank, workers)
    steps = options.epochs * len(loader)
    model, optimizer, scheduler = make_fast(steps, options.lr, options.device)
    first_weights = copy.deepcopy(model.state_dict())
    history = history_so_far(options, model, optimizer, scheduler)
    saved = len(history["validation_step"])
    order.set_epoch(saved)

    def after_epoch(epoch, history):
        nonlocal saved
        order.set_epoch(epoch)
        parallel.average_last(history["train_loss"], len(loader))
        if rank == 0:
            parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
            save_checkpoint(checkpoint_of(options), history, plan=Plan(options), **parts)
        saved = epoch

    history = fit_fast(options, model, optimizer, scheduler, loader, after_epoch, history)
    if len(history["validation_step"]) < options.epochs:
        raise KeyboardInterrupt(how_to_go_on(options, saved))
    if rank == 0:
        write_results(options, model, history, first_weights)
    parallel.leave()


def checkpoint_of(options):
    return options.output / "checkpoint.pt"


def goes_on(options):
    """Return whether the training goes on from a checkpoint: if that is asked, and there is one."""
    return options.resume and checkpoint_of(options).exists()


def check_plan(options):
    """Raise ``RefusedError`` when the checkpoint to go on from was planned with other options."""
    if not goes_on(options):
        return
    path = checkpoint_of(options)
    planned, asked = load_checkpoint(path).get("plan"), Plan(options).state_dict()
    if not isinstance(planned, dict) or set(planned) != set(asked):
        raise RefusedError(
            f"{path} does not say how its training was planned; an older version wrote it. "
            "Start anew without --resume"
        )
    changed = [name for name in PLANNED if planned[name] != asked[name]]
    if changed:
        words = " ".join(f"--{name.replace('_', '-')} {planned[name]}" for name in changed)
        raise RefusedError(
            f"{path} was planned with {words}: the learning rate rises and falls once over the "
            f"whole plan, so it cannot change on the way. Go on with {words}, or start anew "
            "without --resume (into another --output, to keep this one)"
        )


def draw_into_files():
    """Let matplotlib draw without a window, whatever MPLBACKEND says; before the training starts.

    Raises:
        ValueError: when MPLBACKEND or a settings file names a backend that matplotlib lacks.
    """
    try:
        import matplotlib  # here, and not above: predict need not wait for it
    except ValueError as error:
        raise ValueError(f"matplotlib does not start (see MPLBACKEND): {error}") from error
    matplotlib.use("agg")


def how_to_go_on(options, saved):
    """Return what to say when the training was stopped after so many epochs had been saved."""
    if saved == 0:
        return "stopped before the end of the first epoch: all files are as they were"
    return (
        f"stopped; {checkpoint_of(options)} holds {saved} of {options.epochs} epochs, and all "
        "other files are as they were. To go on, give the same command with --resume"
    )


def training_batches(options, rank, workers):
    """Return a loader of this process's share of every batch, and the sampler that shuffles."""
    images, labels = load_mnist(options.data, "train")
    dataset = TensorDataset(images[: options.images], labels[: options.images])
    return parallel.share_batches(dataset, options.batch_size, options.seed, rank, workers)


def history_so_far(options, model, optimizer, scheduler):
    """Go back to the checkpoint, if that is asked for and there is one; return its history."""
    if not goes_on(options):
        return {name: [] for name in HISTORY}
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    return load_checkpoint(checkpoint_of(options), **parts)["history"]


def fit_fast(options, model, optimizer, scheduler, loader, after_epoch, history):
    """Train the epochs that are left, in bfloat16 if that is asked for; return the history."""
    left = options.epochs - len(history["validation_step"])
    images, labels = load_mnist(options.data, "validation")
    validation_loader = make_loader(images, labels, batch_size=1000)
    # No cache: it would keep the weights of the first step, in 16 bits, for the whole training.
    autocast = torch.autocast(
        options.device.type, torch.bfloat16, enabled=use_bf16(options), cache_enabled=False
    )
    with autocast, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "stopped in epoch")  # train says it in its own way
        if is_recorded(options):
            data = [part.to(options.device) for part in loader.dataset.tensors]
            train_epoch = recorded_epoch(model, optimizer, scheduler, *data, options.batch_size)
            parts = model, scheduler, train_epoch
            return fit_recorded(*parts, validation_loader, left, after_epoch, history)
        return fit(
            parallel.synchronized(model),
            loader,
            validation_loader,
            nn.CrossEntropyLoss(),
            optimizer,
            left,
            scheduler=scheduler,
            after_epoch=after_epoch,
            history=history,
        )


def is_recorded(options):
    """Return whether the steps are recorded: those of one process that trains alone on a GPU."""
    whole_batches = options.images >= options.batch_size
    return options.device.type == "cuda" and parallel.is_alone() and whole_batches


def fit_recorded(model, scheduler, train_epoch, validation_loader, left, after_epoch, history):
    """Do what ``fit`` does, with a recorded step: its losses come after each epoch."""
    with guarded_epochs(left, history, scheduler) as numbers:
        for epoch in numbers:
            history["train_loss"] += train_epoch()
            loss, accuracy = evaluate(model, validation_loader, nn.CrossEntropyLoss())
            history["validation_step"].append(len(history["train_loss"]))
            history["validation_loss"].append(loss)
            history["validation_accuracy"].append(accuracy)
            after_epoch(epoch, history)
    return history


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
    curve = io.BytesIO()
    plot_history(history).savefig(curve, dpi=150)
    with written_together(options.output) as folder:
        save_whole(cnn.state_dict(), folder / "cnn.pt")
        (folder / "learning_curve.png").write_bytes(curve.getvalue())
        (folder / "history.json").write_text(json.dumps(history))
        export_page(cnn, folder / "my_network.html", before=first_weights)
    print(f"Wrote {options.output / 'cnn.pt'} and {options.output / 'learning_curve.png'}")
    page = options.output / "my_network.html"
    print(f"Wrote {page}: open it in a browser to look inside your network")
    images, labels = load_mnist(options.data, "test")
    _, accuracy = evaluate(cnn, make_loader(images, labels, batch_size=1000), nn.CrossEntropyLoss())
    print(f"Test accuracy: {100 * accuracy:.2f} %")


def export(options):
    """Write the page that shows the inside of the network whose weights are given."""
    draw_into_files()
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
    for file in matching_files(options.files):
        try:
            image = to_mnist(file)
        except (OSError, ValueError) as error:
            print(f"{file}: {reason(error)}", file=sys.stderr)
            all_read = False
            continue
        probabilities = predict(model, image.unsqueeze(0)).softmax(dim=1)[0]
        digit = probabilities.argmax().item()
        print(file, digit, f"{probabilities[digit]:.3f}", sep="\t", flush=True)
    return all_read


def matching_files(texts):
    """Return the files that are meant: ~ is home, and * ? [ ] match names, as in a shell.

    Shells do that themselves; the Windows command line, quotes, and programs that start this one
    do not. What matches nothing stays as it is, to be named as missing.
    """
    files = []
    for text in texts:
        file = str(at_home(text))
        if Path(file).exists():
            files.append(file)
        else:
            files.extend(sorted(glob.glob(file)) or [file])
    return files


def reason(error):
    """Return what went wrong, without Python's numbers."""
    return getattr(error, "strerror", None) or str(error)


def one_line(error):
    """Return what went wrong, and with which file."""
    file = getattr(error, "filename", None)
    return f"{PROGRAM}: {file}: {reason(error)}" if file else f"{PROGRAM}: {reason(error)}"


def stop(status, words):
    print(f"{PROGRAM}: {words}", file=sys.stderr)
    sys.exit(status)


def run(arguments):
    try:
        options = parse(arguments)
        if options.command == "train":
            train(options)
        elif options.command == "export":
            export(options)
        elif not predict_files(options):
            sys.exit(1)
    finally:
        flush_output()


def flush_output():
    """Write what waits to be written; what nobody can take is dropped, and its error raised.

    Python would try again at its end, and complain there.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def main(arguments=None):
    if sys.stdout.errors == "strict":  # a letter that the terminal lacks must not cost a reading
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        run(arguments)
    except BrokenPipeError:  # head, or a pager, has seen enough: end as other programs do
        sys.exit(141)
    except RefusedError as error:
        stop(2, error)
    except KeyboardInterrupt as error:
        stop(130, str(error) or "stopped")
    except (FloatingPointError, OSError, ValueError) as error:
        sys.exit(one_line(error))


if __name__ == "__main__":
    main()
