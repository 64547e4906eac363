"""What is told of a notebook's minutes is told the same everywhere; no test counts its words."""

import re

import nbformat
import pytest
from project import DOCS, path_of, paths, read
from workshop import (
    ENVIRONMENTS,
    README,
    TIME,
    memory_told,
    minutes_of,
    row_of,
    run_time,
    seconds_told,
    sections,
    with_memory,
    with_row,
    with_time,
)

from slides import schedules

LENGTHS = {"two_hours": 120, "half_a_day": 210, "a_day": 420}
LATE = "run `make minutes`"
PATH = path_of(5)
ROW = f"| [05 Train](notebooks/{PATH.name}) | the loop | {{}} |"


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_notebook_and_readme_tell_the_same_minutes(path):
    said = TIME.search(read(path).cells[0].source)[0]
    row = row_of(path).search(README.read_text(encoding="utf-8"))
    assert row, f"the README's table has no row for {path.name}"
    assert with_time(said, row[2], f"{row[3]} {row[4]}") == said, LATE


def test_the_memory_of_every_notebook_is_known():
    text = ENVIRONMENTS.read_text(encoding="utf-8")
    memory = memory_told(text)
    assert memory.keys() == {path.name for path in paths()}, f"{LATE} ARGS=--measure"
    assert with_memory(text, memory) == text, LATE


@pytest.mark.parametrize("name", LENGTHS)
def test_a_schedule_adds_up_and_says_what_can_be_skipped(name):
    wanted, plans = schedules()
    rows = plans[name]["rows"]
    assert sum(row["minutes"] for row in rows) == LENGTHS[name]
    for row in rows:
        assert row["late"] and set(row.get("slides", [])) <= wanted.keys()
        assert all(slide.startswith(row["notebook"]) for slide in row.get("slides", []))


def test_the_guide_has_its_line_for_every_notebook():
    text = (DOCS / "workshop.md").read_text(encoding="utf-8")
    part = text.partition("\n## What to ask\n")[2].partition("\n## ")[0]
    linked = re.findall(r"^\| \[\d\d\]\(\.\./notebooks/(.*?)\) \|", part, re.MULTILINE)
    assert linked == [path.name for path in paths()]


def test_minutes_are_computed_and_rounded():
    v4 = nbformat.v4
    cells = [
        v4.new_markdown_cell("word " * 300 + "\n## Run\n**Predict:** what?"),
        v4.new_code_cell("x = 1\n" * 20),
        v4.new_code_cell("# Write your code here.", metadata={"tags": ["exercise"]}),
        v4.new_markdown_cell("## Where next\n" + "word " * 3000),
    ]
    notebook = v4.new_notebook(cells=cells)
    assert sections(notebook)["Title"] == 2
    assert sections(notebook)["Run"] == pytest.approx(3 / 150 + 0.5 + 21 / 20)
    assert minutes_of(notebook, seconds=0) == 10  # 2 + 1.6 + 4
    assert minutes_of(notebook, seconds=300) == 15
    assert [run_time(s) for s in (0.3, 28, 98, 130)] == ["5 s", "30 s", "100 s", "2 min"]


def test_only_the_minutes_are_changed():
    text = ROW.format("9 | 9 min") + "\n| [06](x.ipynb) | a | 9 | 9 s |"
    assert seconds_told(text, PATH) == 540
    assert with_row(text, PATH, 10, "30 s") == text.replace("9 | 9 min", "10 | 30 s")
    line = "**Time**: about 10 minutes to work through. All cells together run in about {} on two"
    assert with_time("# T\n\n**Time**: x\n\nEnd", 10, "30 s") == (
        f"# T\n\n{line.format('30 seconds')} cores.\n\nEnd"
    )
    assert line.format("2 minutes") in with_time("**Time**: x", 10, "2 min")
