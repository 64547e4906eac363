"""Notebooks run in JupyterLab, in a real browser, and their widgets answer the mouse."""

import shutil

import pytest
from browser import NOTEBOOKS, copy_data, drag_slider, problems, run_all_cells, serve
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on a copy of the notebooks, so that nothing here is changed."""
    folder = tmp_path_factory.mktemp("notebooks")
    copy_data(folder)
    for file in NOTEBOOKS.glob("*.ipynb"):
        shutil.copy(file, folder)
    with serve(folder, tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.mark.parametrize("name", ["02_architecture", "05_training"])
def test_all_cells_run(page, lab, name):
    assert problems(run_all_cells(page, lab, name)) == []
    assert page.console_errors == []


def test_the_kernel_explorer_answers_the_mouse(page, lab):
    cells = run_all_cells(page, lab, "02_architecture")
    (number,) = [i for i, c in enumerate(cells) if "interactive" in c["metadata"].get("tags", [])]
    cell = page.locator(f".jp-Notebook-cell[data-windowed-list-index='{number}']")
    figure = cell.locator(".widget-output img")
    before = figure.get_attribute("src")
    drag_slider(page, cell.locator(".widget-slider").first, 120)
    expect(figure).not_to_have_attribute("src", before)
    assert page.console_errors == []
