"""Commands for the terminal: python -m mnist_helpers train, and predict."""

import argparse
import io
import pickle
import sys
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from mnist_helpers import CNN, evaluate, fit, load_mnist, make_loader, predict, to_mnist
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
    train = commands.add_parser(
        "train",
        help="train the CNN on MNIST",
        description="Train the CNN on MNIST; write cnn.pt and learning_curve.png.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    best = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    train.add_argument("--epochs", type=number_from(1), default=3, help="times to see all images")
    train.add_argument("--batch-size", type=number_from(1), default=64, help="images in a step")
    train.add_argument(
        "--lr", type=number_from(1e-12, float, 1e300), default=0.001, help="learning rate of Adam"
    )
    train.add_argument("--seed", type=number_from(0), default=0, help="of weights and order")
    train.add_argument("--data", type=Path, default=default_data_folder(), help="folder of MNIST")
    train.add_argument("--output", type=folder_to_write, default="output", help="folder to write")
    train.add_argument("--device", type=available_device, default=best, help="such as cpu or cuda")
    add_predict(commands)
    return parser.parse_args(arguments)


def fit_with_progress(model, train_loader, validation_loader, optimizer, epochs):
    """Call ``fit`` with a bar of its steps on stderr, and return the history."""
    recipe = model, train_loader, validation_loader, nn.CrossEntropyLoss(), optimizer
    with tqdm(total=epochs * len(train_loader), unit="step", mininterval=1) as bar:
        return fit(*recipe, epochs, after_step=lambda history: bar.update())


def train(options):
    """Train, evaluate on the test images once, and write the weights and the learning curve."""
    options.output.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    train_loader = make_loader(
        *load_mnist(options.data, "train"), options.batch_size, shuffle=True, seed=options.seed
    )
    validation_loader = make_loader(*load_mnist(options.data, "validation"), batch_size=1000)
    test_loader = make_loader(*load_mnist(options.data, "test"), batch_size=1000)
    model = CNN().to(options.device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=options.lr)
    history = fit_with_progress(model, train_loader, validation_loader, optimizer, options.epochs)
    for epoch, accuracy in enumerate(history["validation_accuracy"], start=1):
        print(f"Validation accuracy after epoch {epoch}: {100 * accuracy:.2f} %")
    torch.save(model.cpu().state_dict(), options.output / "cnn.pt")
    plot_history(history).savefig(options.output / "learning_curve.png", dpi=150)
    print(f"Wrote {options.output / 'cnn.pt'} and {options.output / 'learning_curve.png'}")
    _, accuracy = evaluate(model, test_loader, nn.CrossEntropyLoss())
    print(f"Test accuracy: {100 * accuracy:.2f} %")


def add_predict(commands):
    reader = commands.add_parser("predict", help="read the digit in each picture")
    reader.add_argument("--checkpoint", required=True, help="weights of the CNN, such as cnn.pt")
    reader.add_argument("files", nargs="+", metavar="FILE", help="a picture of one digit")


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
        model.load_state_dict(weights)
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
