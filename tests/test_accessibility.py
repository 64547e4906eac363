"""Somebody who cannot see a figure, or not its colours, loses nothing."""

import re

import matplotlib
import pytest
from matplotlib.colors import to_rgb
from project import code_cells, paths, read

from mnist_helpers.plots import CLASS_COLORS

SENTENCE = re.compile(  # followed by eight words or more
    r"(?:\*+What you should see:\*+|The picture in words:)\s+((?:\S+\s+){7,})"
)
GRAPHICS = 3.0  # WCAG 2.2, 1.4.11: what a graphic needs against its background

# Lighter than that, and why nothing is lost.
EXCEPTIONS = {
    "C1": "thick, beside C0, and named in the legend",
    "#88CCEE": "one of ten classes: always with its digit beside it or in the legend",
    "#44AA99": "as above",
    "#DDCC77": "as above",
    "#E5F0F8": "fills boxes that have a dark frame and dark writing",
}


def luminance(color):
    """Return the relative luminance of WCAG 2.2 for a colour of matplotlib."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(color, background="white"):
    light, dark = sorted([luminance(color), luminance(background)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def figures_without_sentence(notebook):
    """Yield the code cells that draw, and whose next Markdown cell does not say what is seen."""
    for number, cell in enumerate(notebook.cells):
        kinds = [kind for output in cell.get("outputs", []) for kind in output.get("data", {})]
        if any(kind.startswith("image/") for kind in kinds):
            following = (c for c in notebook.cells[number + 1 :] if c.cell_type == "markdown")
            if not SENTENCE.search(next(following, {"source": ""})["source"] + " "):
                yield cell.source


def colors(notebook):
    """Return the colours that a notebook names for lines, dots, bars and text."""
    source = "\n".join(cell.source for cell in code_cells(notebook))
    named = re.findall(r'"(C\d)"|\bcolor="(\w+)"|"(#[0-9A-Fa-f]{6})"', source)
    return {part for parts in named for part in parts if part}


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_every_figure_has_its_sentence(path):
    assert not list(figures_without_sentence(read(path)))


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_colors_can_be_told_from_the_paper(path):
    # White is for writing on dark cells of a heat map, and is chosen by how dark they are.
    used = colors(read(path)) - {"white"} - EXCEPTIONS.keys()
    pale = {color: round(contrast(color), 2) for color in used if contrast(color) < GRAPHICS}
    assert not pale, f"less than {GRAPHICS} : 1 against white"


def test_the_ten_class_colors_are_dark_enough_or_excepted():
    pale = {color for color in CLASS_COLORS if contrast(color) < GRAPHICS}
    assert pale == EXCEPTIONS.keys() - {"C1", "#E5F0F8"}
    assert len(set(CLASS_COLORS)) == 10


def test_exceptions_are_needed():
    assert all(contrast(color) < GRAPHICS for color in EXCEPTIONS)
    assert matplotlib.rcParamsDefault["figure.facecolor"] == "white"  # in a dark theme too


def test_contrast_is_that_of_wcag():
    assert contrast("black") == pytest.approx(21)
    assert contrast("#767676") == pytest.approx(4.54, abs=0.01)
