"""How the tests run: one thread each, the longest files first, each notebook in its own folder."""

import os
import shutil
import tempfile
from pathlib import Path

import nbval.plugin
import psutil
import pytest

ROOT = Path(__file__).parent
MEMORY_OF_A_WORKER = 4e9  # bytes; the hungriest notebook, its kernel and the worker need as much

# Kernels and commands inherit these. Two programs that train at the same time on two cores wait for
# each other's threads: 200 steps take 29 s each with two threads, 2.3 s with one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # for the cells that ask for more threads
# Notebook 09 fetches weights where it can. Tests do not: they take the same time everywhere.
os.environ.setdefault("MNIST_DOWNLOAD", "")

# Seconds on one core, roughly: what takes long begins first, so that no worker is left with it at
# the end. Other notebooks count as 20, other tests as 5.
SECONDS = {
    "test_explorer_browser.py": 120,
    "13_speed_and_scale.ipynb": 90,
    "test_exercises.py": 30,
    "test_browser.py": 60,
    "05_training.ipynb": 75,
    "00_start_here.ipynb": 70,
    "test_explorer_script.py": 60,
    "test_site.py": 60,
    "test_slides.py": 10,
    "test_to_mnist.py": 60,
    "test_environments.py": 60,
    "test_checkpoints.py": 50,
    "08_best_practices.ipynb": 60,
    "09_transfer_learning.ipynb": 55,
    "10_memory_footprint.ipynb": 40,
    "11_strengths_and_limits.ipynb": 75,
    "12_your_own_images.ipynb": 40,
    "14_alternatives.ipynb": 40,
    "07_filters_and_predictions.ipynb": 30,
    "test_helpers.py": 30,
    "test_fork.py": 20,
    "test_transfer.py": 15,
}


def seconds(path):
    return SECONDS.get(path.name, 20 if path.suffix == ".ipynb" else 5)


def number_of_cores():
    """Return how many cores this process may use; outside Linux, how many there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class KernelInItsOwnFolder(nbval.plugin.RunningKernel):
    """A kernel that starts in an empty folder with the data: no notebook finds another's files."""

    def __init__(self, kernel_name, cwd, **options):
        # On Windows a file that is still open cannot be removed, and is left to the system.
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        data = Path(cwd, "data")
        if data.exists():
            link_or_copy(data, Path(self.folder.name, "data"))
        super().__init__(kernel_name, cwd=self.folder.name, **options)

    def stop(self):
        super().stop()
        self.folder.cleanup()


def link_or_copy(folder, place):
    try:
        place.symlink_to(folder, target_is_directory=True)
    except OSError:  # Windows asks for a privilege
        shutil.copytree(folder, place)


def pytest_configure(config):
    config.option.nbval_sanitize_with = str(ROOT / "tests" / "sanitize.cfg")
    # A busy machine is no reason to fail: nbval waits for a minute by default.
    config.option.nbval_kernel_startup_timeout = 600
    nbval.plugin.RunningKernel = KernelInItsOwnFolder


@pytest.hookimpl(optionalhook=True)  # who has nbval without xdist can run the notebooks, too
def pytest_xdist_auto_num_workers(config):
    """Return the number of workers for ``-n auto``: one more than cores, fewer in little memory.

    One more, because some tests wait, for a browser or for a kernel that starts.
    """
    workers = int(psutil.virtual_memory().available // MEMORY_OF_A_WORKER)
    return max(1, min(number_of_cores() + 1, workers))


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: -seconds(item.path))  # stable: the order within a file stays
    for item in items:
        if hasattr(item, "output_timeout"):
            item.output_timeout = 300  # nbval waits 5 s for what a cell prints


def pytest_collectstart(collector):
    # Warnings are worded differently from version to version. nbval compares a stream under its
    # name; which notebooks may show one at all is a rule of tools/form.py.
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr",)


def pytest_sessionstart(session):
    # Once, before xdist starts its workers, so that they do not all unpack at the same time.
    data = ROOT / "notebooks" / "data"
    unpacked = [path.with_suffix("").exists() for path in data.glob("MNIST/raw/*.gz")]
    if hasattr(session.config, "workerinput") or (len(unpacked) == 4 and all(unpacked)):
        return
    from mnist_helpers.files import mend_files  # takes seconds: it imports torch

    faults = mend_files(data)
    if faults:
        pytest.exit("The tests need the data:\n" + "\n".join(faults), returncode=2)
