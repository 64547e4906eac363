"""Gather all that pip needs for an installation without the internet: make wheels.

The wheels are for the operating system, processor and Python version that run this.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from project import PACKAGE, ROOT

CPU = "https://download.pytorch.org/whl/cpu"  # PyTorch's own: on Linux without CUDA


def requirements():
    """Return requirements.txt with the helper package by its name, in place of the checkout."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return text.replace("-e .\n", "mnist-helpers\n")


def copy_of_package(folder):
    """Copy what the helper package is built from: a build leaves files beside its sources."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, Path(folder, "mnist_helpers"), ignore=leave)
    return folder


def command(folder, package, cpu=False, test=False):
    """Return the command that gathers the wheels in ``folder``, and builds where there is none.

    Those of an earlier run are not fetched again.
    """
    arguments = ["--wheel-dir", str(folder), "--find-links", str(folder)]
    arguments += ["--extra-index-url", CPU] if cpu else []
    wanted = [f"{package}[test]" if test else str(package)]
    lines = requirements().splitlines()
    wanted += [line for line in lines if line[0] != "#" and line != "mnist-helpers"]
    return [sys.executable, "-m", "pip", "wheel", *arguments, *wanted]


def how_to_install(folder):
    """Return the lines to type where there is no internet."""
    return f"""\
To install from there without the internet (same system, same Python version):
  python -m venv .venv
  .venv/bin/python -m pip install --no-index --find-links "{folder}" -r "{folder}/requirements.txt"
On Windows, write .venv\\Scripts\\python in place of .venv/bin/python."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=ROOT / "output" / "wheels", metavar="FOLDER")
    parser.add_argument("--cpu", action="store_true", help="on Linux: PyTorch without CUDA")
    parser.add_argument("--test", action="store_true", help="with the packages that tests need")
    arguments = parser.parse_args()
    folder = arguments.to
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "requirements.txt").write_text(requirements(), encoding="utf-8", newline="\n")
    with tempfile.TemporaryDirectory() as package:
        gather = command(folder, copy_of_package(package), arguments.cpu, arguments.test)
        if status := subprocess.run(gather).returncode:
            sys.exit(f"pip could not gather everything (exit status {status}): see above")
    wheels = list(folder.glob("*.whl"))
    size = sum(wheel.stat().st_size for wheel in wheels) / 1e6
    print(f"{len(wheels)} wheels, {size:,.0f} MB, in {folder}")
    print(how_to_install(folder))


if __name__ == "__main__":
    main()
