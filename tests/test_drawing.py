"""What is drawn on the pad in a real browser, with mouse, finger or keys, arrives in the kernel."""

import re

import nbformat
import pytest
from browser import LAB, NOTEBOOK_7, drag, new_page, problems, run_all_cells, serve
from playwright.sync_api import expect

# A pad that says between which rows and columns of its 140 by 140 pixels there is ink.
PROGRAM = """
from ipywidgets import HTML, VBox

from mnist_helpers.explorer import DigitPad

pad, said = DigitPad(), HTML("nothing yet")


def tell(change):
    rows, columns = (pad.image() > 127).nonzero(as_tuple=True)
    found = [f"{axis.min()} to {axis.max()}" for axis in (columns, rows) if len(axis)]
    said.value = f"ink: {', '.join(found) or 'none'}"


pad.observe(tell, "pixels")
VBox([pad, said])
"""
# Strokes, in hundredths of the pad's width and height.
ONE = [[(50, 20), (48, 50), (46, 80)]]
SEVEN = [[(30, 20), (70, 20), (46, 85)], [(38, 55), (66, 54)]]
PIXELS, NEAR = 140, 8  # how far from the middle of the pen the ink may end
# Notebook 7.6 says this for an empty notebook without any widget, too: its settings are at fault.
OF_NOTEBOOK_ITSELF = "Cannot read properties of undefined (reading 'schema')"


@pytest.fixture(scope="module", params=[LAB, NOTEBOOK_7], ids=["lab", "notebook"])
def page(request, browser, tmp_path_factory):
    """A page on which the program has been run."""
    folder, home = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("home")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(PROGRAM)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, folder / "pad.ipynb")
    with serve(folder, home, request.param) as address, new_page(browser) as page:
        assert problems(run_all_cells(page, address, "pad")) == []
        yield page


@pytest.fixture
def pad(page):
    """The drawing pad, emptied."""
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.locator(".widget-html")).to_have_text(re.compile("nothing yet|ink: none"))
    pad = page.get_by_role("application", name="Drawing pad")
    pad.scroll_into_view_if_needed()
    return pad


def on_page(pad, stroke):
    """Return the points of a stroke where they lie on the page."""
    box = pad.bounding_box()
    width, height = box["width"] / 100, box["height"] / 100
    return [(box["x"] + x * width, box["y"] + y * height) for x, y in stroke]


# Wait until the kernel says where the ink is: first and last column, first and last row.
INK = """([expected, near]) => {
    const text = document.querySelector(".widget-html").innerText;
    const said = text.match(/ink: (\\d+) to (\\d+), (\\d+) to (\\d+)/);
    return said?.slice(1).every((edge, i) => Math.abs(edge - expected[i]) < near);
}"""


def expect_ink(page, strokes):
    axes = zip(*(point for stroke in strokes for point in stroke), strict=True)
    edges = [edge * PIXELS / 100 for axis in axes for edge in (min(axis), max(axis))]
    page.wait_for_function(INK, arg=[edges, NEAR])


@pytest.mark.parametrize("strokes", [ONE, SEVEN], ids=["one", "seven"])
def test_mouse(page, pad, strokes):
    for stroke in strokes:
        drag(page, on_page(pad, stroke))
    expect_ink(page, strokes)


def test_clear(page, pad):
    drag(page, on_page(pad, ONE[0]))
    expect_ink(page, ONE)
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.locator(".widget-html")).to_have_text("ink: none")


def test_finger(page, pad):
    kinds = page.evaluate_handle("[]")
    pad.evaluate(
        "(pad, kinds) => pad.addEventListener('pointerup', e => kinds.push(e.pointerType))", kinds
    )
    screen = page.context.new_cdp_session(page)
    screen.send("Emulation.setTouchEmulationEnabled", {"enabled": True})

    def touch(kind, *points):
        points = [{"x": x, "y": y} for x, y in points]
        screen.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    for stroke in SEVEN:
        first, *others = on_page(pad, stroke)
        touch("touchStart", first)
        for point in others:
            touch("touchMove", point)
        touch("touchEnd")
    expect_ink(page, SEVEN)
    assert kinds.json_value() == ["touch"] * len(SEVEN)
    screen.send("Emulation.setTouchEmulationEnabled", {"enabled": False})


def test_keys(page, pad):
    cells = page.locator(".jp-Notebook-cell").count()
    pad.focus()
    for key in [" ", *["ArrowDown"] * 3, " "]:
        page.keyboard.press(key)
    expect(page.locator(".widget-html")).to_have_text(re.compile(r"ink: \d+ to \d+, \d+ to \d+"))
    page.keyboard.press("Delete")
    expect(page.locator(".widget-html")).to_have_text("ink: none")
    assert page.locator(".jp-Notebook-cell").count() == cells


def test_all_came_from_this_machine_and_without_errors(page):
    assert page.hosts - {None} == {"127.0.0.1"}  # data: and blob: addresses have no host
    assert [error for error in page.console_errors if error != OF_NOTEBOOK_ITSELF] == []
