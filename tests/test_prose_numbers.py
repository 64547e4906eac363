"""What the text says in figures is what the outputs say: a new run leaves no stale sentence."""

import nbformat
import pytest
from project import read
from prose_numbers import HELD, MOST_UNNOTICED, complaints, figures_in, unnoticed


@pytest.mark.parametrize("name", HELD)
def test_figures_in_prose_are_those_of_the_outputs(name):
    found = list(complaints(read(name)))
    assert not found, "\n".join(found)


def test_a_changed_digit_is_noticed():
    shares = [share for name in HELD for share in unnoticed(read(name)).values()]
    assert sum(shares) / len(shares) <= MOST_UNNOTICED


def figures(source):
    return [f"{figure.digits} {figure.unit}" for figure in figures_in(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("It is 98.6 % now, 0.7 points more.", ["98.6 %", "0.7 points"]),
        ("**98.6%** (85 kB, 16x, 16×)", ["98.6 %", "85 kB", "16 x", "16 ×"]),
        ("5.3 s, 12 ms, and 1,200 bytes", ["5.3 s", "12 ms", "1,200 bytes"]),
        ("from 93 to 97 %, −0.2 to +0.3 points", ["93 %", "97 %", "0.2 points", "0.3 points"]),
        ("95.8, 95.6 and 96.1 %", ["95.8 %", "95.6 %", "96.1 %"]),
        ("10–15 s, 1.5 times, 2 minutes", ["10 s", "15 s", "1.5 times", "2 minutes"]),
        ("a kernel of 3 × 3, 28x28 pixels, 5 steps, 3 samples, conv2, 7 MB/s", []),
        ("`5 %` and $5\\,\\%$ [5](x_5%.html)\n```python\n5 %\n```\n<img width='5%'>", []),
        ("**Time**: 40 minutes\n\nthe 95 % interval, one digit in 77", []),
    ],
)
def test_figures_are_found(source, expected):
    assert figures(source) == expected


def notebook(*cells):
    """Return a notebook of Markdown (text) and code cells (lists of what they print)."""
    v4, made = nbformat.v4, []
    for number, cell in enumerate(cells):
        if isinstance(cell, str):
            made.append(v4.new_markdown_cell(cell))
        else:
            outputs = [v4.new_output("stream", text=text) for text in cell]
            made.append(v4.new_code_cell("dropout = 0.25", outputs=outputs))
        made[-1].id = f"id-{number}"
    return v4.new_notebook(cells=made)


@pytest.mark.parametrize(
    ("said", "prose", "good"),
    [
        ("98.63%", "98.6 %", True),
        ("98.63%", "98.7 %", False),
        ("accuracy 0.9863", "98.6 %", True),
        ("accuracy 0.9863", "98.63 %", True),
        ("accuracy 0.986", "98.63 %", False),
        ("98.65%", "98.6 or 98.7 %", True),  # rounded up, or to even
        ("a gain of 0.0071", "0.7 points", True),
        ("a gain of 0.71 points", "0.7 %", True),
        ("81,960 bytes", "82 kB", True),
        ("81960", "82 kB", True),
        ("81,960 bytes", "0.08 MB", True),
        ("81,960 bytes", "83 kB", False),
        ("1,402.5 ms", "1.4 s", True),
        ("1.4 s", "1.4 ms", False),
        ("1.4 s", "1.4 times", False),
        ("1.45x", "1.5 times", True),
        ("epoch 3 of 3", "97 %", False),
        ("step 97 of 100", "97 %", True),  # what has no unit may be anything
        ("[0.25, 0.9863]", "25 %", True),
    ],
)
def test_an_output_supports_a_figure(said, prose, good):
    assert (not list(complaints(notebook([said], f"Here {prose}.")))) == good


@pytest.mark.parametrize(
    ("cells", "good"),
    [
        ((["5.3 s"], ["and"], "It took 5.3 s."), True),
        ((["5.3 s"], ["one"], ["two"], "It took 5.3 s."), False),
        ((["5.3 s"], [], [], "It took 5.3 s."), True),  # what says nothing is no output
        (("It took 5.3 s.", ["5.3 s"]), False),
        ((["5.3 s"], ["1"], ["2"], "It took 5.3 s. <!-- source: above -->"), True),
        ((["5.4 s"], ["1"], ["2"], "It took 5.3 s. <!-- source: above -->"), False),
        (("It takes 5.3 s. <!-- source: cell id-1 -->", ["5.3 s"]), True),
        (("It takes 5.4 s. <!-- source: cell id-1 -->", ["5.3 s"]), False),
        (("Dropout of 25 %. <!-- source: code -->", ["5.3 s"]), True),
        (("Dropout of 26 %. <!-- source: code -->", ["5.3 s"]), False),
        (("It takes 5.3 s. <!-- source: make bench -->",), True),
        (("It takes 5.3 s.\n\nA day. <!-- source: make bench -->",), False),
        (("<!-- source: make bench --> It takes 5.3 s.",), False),
        ((["6 %"], "5 s <!-- source: make bench --> and 7 %."), False),
    ],
)
def test_where_a_figure_is_looked_for(cells, good):
    assert (not list(complaints(notebook(*cells)))) == good


def test_another_notebook_can_be_the_source(monkeypatch):
    monkeypatch.setattr("prose_numbers.read", lambda name: notebook([f"{name}: 98.6%"]))
    assert not list(complaints(notebook("98.6 % <!-- source: 05 -->")))
    assert list(complaints(notebook("98.7 % <!-- source: 05 -->")))


def test_tables_count_and_checks_do_not():
    table = nbformat.v4.new_output("display_data", {"text/html": "<td>98.6</td><td>0.5</td>"})
    book = notebook([], "Here 98.6 %.")
    book.cells[0].outputs = [table]
    assert not list(complaints(book))
    book.cells[0].metadata.tags = ["check"]
    assert list(complaints(book))


def test_changed_digits_are_counted():
    (share,) = unnoticed(notebook(["5, 6 and 7"], "It is 5 %.")).values()
    assert share == pytest.approx(2 / 9)
    (share,) = unnoticed(notebook("It is 5 %. <!-- source: the manual -->")).values()
    assert share == 1
