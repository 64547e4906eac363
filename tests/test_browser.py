"""Notebooks run in JupyterLab, in a real browser, and their widgets appear and answer the mouse."""

import pytest
from browser import copy_data, drag_slider, problems, run_all_cells, serve
from playwright.sync_api import expect
from project import read, tags, write

# The page of the lesson, and the notebook with live plots and an explorer that follows.
# Cells tagged slow are left out: that they run is tested elsewhere, and the others can do without.
NAMES = ["00_start_here", "05_training"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on a copy of the notebooks, so that nothing here is changed."""
    folder = tmp_path_factory.mktemp("notebooks")
    copy_data(folder)
    for name in NAMES:
        notebook = read(name)
        notebook.cells = [cell for cell in notebook.cells if "slow" not in tags(cell)]
        write(notebook, folder / f"{name}.ipynb")
    with serve(folder, tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.mark.parametrize("name", NAMES)
def test_all_cells_run_and_widgets_answer(page, lab, name):
    cells = run_all_cells(page, lab, name)
    assert problems(cells) == []
    for number, cell in enumerate(cells):
        if "interactive" in cell["metadata"].get("tags", []):
            try_widgets(page.locator(f".jp-Notebook-cell[data-windowed-list-index='{number}']"))
    assert page.console_errors == []


def try_widgets(cell):
    """See that a cell shows a widget, and that its figure changes with its first slider."""
    expect(cell.locator(".jupyter-widgets, [class^=xp-]").first).to_be_visible()
    if cell.locator(".widget-slider").count():
        figure = cell.locator(".widget-output img")
        before = figure.get_attribute("src")
        drag_slider(cell.page, cell.locator(".widget-slider").first, 120)
        expect(figure).not_to_have_attribute("src", before)
