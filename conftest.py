"""How the tests run: the settings of nbval, the number of seeds, and the data unpacked first."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent

# Kernels inherit this. Learners get 5 seeds, and `make notebooks` commits what 10 give.
os.environ.setdefault("MNIST_SEEDS", "2")
# Notebook 09 fetches weights where it can. Tests do not: they take the same time everywhere.
os.environ.setdefault("MNIST_DOWNLOAD", "")


def pytest_configure(config):
    config.option.nbval_sanitize_with = str(ROOT / "tests" / "sanitize.cfg")


def pytest_collectstart(collector):
    # Warnings are worded differently from version to version. nbval compares a stream under its
    # name; which notebooks may show one at all is a rule of test_notebook_form.py.
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr",)


def pytest_sessionstart(session):
    # Once, before xdist starts its workers, so that they do not all unpack at the same time.
    if hasattr(session.config, "workerinput"):
        return
    from mnist_helpers.files import mend_files

    faults = mend_files(ROOT / "notebooks" / "data")
    if faults:
        pytest.exit("The tests need the data:\n" + "\n".join(faults), returncode=2)
