"""Notebooks run in JupyterLab, in a real browser, and their widgets appear."""

import nbformat
import pytest
from browser import copy_data, problems, run_all_cells, serve
from playwright.sync_api import expect
from project import read, tags, write

# The page of the lesson, and the notebook with live plots and an explorer that follows.
NAMES = ["00_start_here", "05_training"]
FOR_EACH_PUSH = [NAMES[0], pytest.param(NAMES[1], marks=pytest.mark.weekly)]
# A few steps are enough to see that everything appears. What they lead to, other tests check.
FEW_STEPS = """
import itertools

from torch.utils.data import DataLoader

all_batches = DataLoader.__iter__
DataLoader.__iter__ = lambda loader: itertools.islice(all_batches(loader), 4)
"""
# JupyterLab asks for a picture that lies in the notebook by this address before it looks there.
OF_AN_ATTACHMENT = "Failed to load resource: net::ERR_UNKNOWN_URL_SCHEME"
# The badge would come from the web.
ALL_PICTURES_ARE_SHOWN = """
[...document.images].every(image => image.naturalWidth || image.src.startsWith("https:"))
"""


def is_left_out(cell):
    """Tell whether a cell is expensive, or asserts what the whole training leads to."""
    return "slow" in tags(cell) or ("collapsed" in tags(cell) and "assert " in cell.source)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on copies of the notebooks, so that nothing here is changed."""
    folder = tmp_path_factory.mktemp("notebooks")
    copy_data(folder)
    for name in NAMES:
        notebook = read(name)
        notebook.cells = [cell for cell in notebook.cells if not is_left_out(cell)]
        notebook.cells.insert(0, nbformat.v4.new_code_cell(FEW_STEPS))
        write(notebook, folder / f"{name}.ipynb")
    with serve(folder, tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.mark.parametrize("name", FOR_EACH_PUSH)
def test_all_cells_run_and_widgets_appear(page, lab, name):
    cells = run_all_cells(page, lab, name)
    assert problems(cells) == []
    interactive = [n for n, c in enumerate(cells) if "interactive" in c["metadata"].get("tags", [])]
    assert interactive
    for number in interactive:
        cell = page.locator(f".jp-Notebook-cell[data-windowed-list-index='{number}']")
        expect(cell.locator(".mnist-explorer").first).to_be_visible()
    assert [error for error in page.console_errors if error != OF_AN_ATTACHMENT] == []
    assert page.evaluate(ALL_PICTURES_ARE_SHOWN)
