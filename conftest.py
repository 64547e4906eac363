"""How the tests run: one thread each, the longest files first, and the data unpacked before."""

import os
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parent
MEMORY_OF_A_WORKER = 5e9  # bytes; the hungriest notebook, its kernel and the worker need as much

# Kernels and commands inherit these. Two programs that train at the same time on two cores wait for
# each other's threads: 200 steps take 29 s each with two threads, 2.3 s with one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Learners get 5 seeds, and `make notebooks` commits what 10 give.
os.environ.setdefault("MNIST_SEEDS", "2")
# Notebook 09 fetches weights where it can. Tests do not: they take the same time everywhere.
os.environ.setdefault("MNIST_DOWNLOAD", "")

# Seconds on one core, roughly: what takes long begins first, so that no worker is left with it at
# the end. Whatever is not listed counts as 5.
SECONDS = {
    "08_best_practices.ipynb": 60,
    "14_alternatives.ipynb": 60,
}


def pytest_configure(config):
    config.option.nbval_sanitize_with = str(ROOT / "tests" / "sanitize.cfg")


def pytest_xdist_auto_num_workers(config):
    """Return the number of workers for ``-n auto``: one a core, but fewer where memory is short."""
    workers = psutil.virtual_memory().available // MEMORY_OF_A_WORKER
    return int(max(1, min(psutil.cpu_count() or 1, workers)))


def pytest_collection_modifyitems(items):
    items.sort(
        key=lambda item: -SECONDS.get(item.path.name, 5)
    )  # stable: order within a file stays


def pytest_collectstart(collector):
    # Warnings are worded differently from version to version. nbval compares a stream under its
    # name; which notebooks may show one at all is a rule of tools/form.py.
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
