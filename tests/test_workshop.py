"""docs/workshop.md keeps to the notebooks: minutes, schedules, and the sections that it names."""

import re

import pytest
from project import DOCS, markdown_cells, path_of, paths, read
from workshop import (
    BEGIN,
    END,
    ENVIRONMENTS,
    PAGE,
    README,
    TIME,
    Notebook,
    Section,
    count,
    fold,
    keep_measured,
    measured_before,
    run_time,
    time_line,
    with_memory,
    with_minutes,
    with_rows,
    with_time,
)

TEXT = PAGE.read_text(encoding="utf-8")
NOTEBOOKS = {path.name[:2]: keep_measured(count(path)[2], TEXT) for path in paths()}
TABLES = TEXT.partition(BEGIN)[2].partition(END)[0]
LENGTHS = {"Two hours": 120, "Half a day": 210, "A day": 420}
EXERCISE = 5  # minutes: four to write it, one to read it
LATE = "run `make minutes`"


def table(number):
    """Return {section: minutes} as the page has it for a notebook."""
    part = TABLES.partition(f"<b>{number} ")[2].partition("</details>")[0]
    rows = re.findall(r"^\| (.*?) \|.* \d+ s \| (\d+) \|$", part, re.MULTILINE)
    return {section: int(minutes) for section, minutes in rows}


def told(text, pattern):
    """Return what a text tells of the minutes and of the run time: two strings."""
    found = re.search(pattern, text, re.MULTILINE)
    return (found[1], found[2].replace("econds", "").replace("inutes", "in")) if found else text


def headings(path):
    sources = [cell.source for cell in markdown_cells(read(path))]
    return {line for source in sources for line in re.findall(r"^#{2,3} (.*\S)", source, re.M)}


def schedule(title):
    """Return the rows [from, minutes, notebook, sections, when late] of a schedule."""
    part = TEXT.partition(f"\n### {title}\n")[2].partition("\n##")[0]
    lines = re.findall(r"^\| \d.*$", part, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def needed(number, names):
    """Return the minutes that one reader needs for these sections of a notebook."""
    minutes = table(number)
    return sum(EXERCISE if name.startswith("Exercise ") else minutes[name] for name in names)


@pytest.mark.parametrize("title", LENGTHS)
def test_a_schedule_adds_up(title):
    now = 0
    for start, minutes, *_ in schedule(title):
        hours, rest = start.split(":")
        assert 60 * int(hours) + int(rest) == now, f"{start} should be {now} minutes"
        now += int(minutes)
    assert now == LENGTHS[title]


@pytest.mark.parametrize("title", LENGTHS)
def test_a_row_has_the_time_that_its_sections_need(title):
    rows = [row for row in schedule(title) if row[2]]
    assert len(rows) >= 8
    for start, minutes, notebook, sections, late in rows:
        number, name = re.fullmatch(r"\[(\d\d)\]\(\.\./notebooks/(.*)\)", notebook).groups()
        assert path_of(number).name == name
        names = sections.split("; ")
        assert needed(number, names) <= int(minutes), (start, number, needed(number, names))
        assert late, f"{start}: what can be skipped?"


@pytest.mark.parametrize("number", NOTEBOOKS)
def test_minutes_are_told_the_same_everywhere(number):
    """The line **Time** of the notebook is the source of what README and guide say."""
    path = path_of(number)
    said = TIME.search(read(path).cells[0].source)[0]
    expected = told(said, r"about (\d+) minutes to .* about (\d+ \w+) on")
    row = rf"^\| \[[^]]*\]\(notebooks/{path.name}\) .*\| (\d+) \| (\d+ \w+) \|$"
    summary = rf"<b>{number} .*: (\d+) minutes, of which it runs (\d+ \w+);"
    assert told(README.read_text(encoding="utf-8"), row) == expected, LATE
    assert told(TABLES, summary) == expected, LATE


@pytest.mark.parametrize("number", NOTEBOOKS)
def test_minutes_are_about_those_of_the_notebook(number):
    """Whoever changes a few sentences need not compute them again."""
    notebook, minutes = NOTEBOOKS[number], table(number)
    assert list(minutes) == [section.title for section in notebook.sections], LATE
    now = notebook.minutes()
    assert abs(sum(minutes.values()) - now) <= 5 + now / 5, LATE


def test_every_notebook_was_measured():
    seconds, memory = measured_before(TEXT)
    for number, notebook in NOTEBOOKS.items():
        assert memory.get(number, 0) > 0.1, f"{LATE} ARGS=--measure: {number}"
        assert sum(seconds[number, section.title] for section in notebook.sections) > 0, number


def test_the_memory_is_told_to_who_comes_from_elsewhere():
    text = ENVIRONMENTS.read_text(encoding="utf-8")
    assert with_memory(text, NOTEBOOKS.values()) == text, LATE


def test_every_notebook_has_its_four_lines():
    part = TEXT.partition("\n## Each notebook in four lines\n")[2].partition("\n## ")[0]
    entries = dict(re.findall(r"^### (\d\d) .*\n((?:- .*\n)+)", part, re.MULTILINE))
    assert entries.keys() >= NOTEBOOKS.keys()
    for number, entry in entries.items():
        assert re.findall(r"^- \*\*(\w+)\*\*: \S", entry, re.MULTILINE) == [
            "Idea",
            "Ask",
            "Expect",
            "Cure",
        ], number
        if number in NOTEBOOKS:
            path = NOTEBOOKS[number].path
            cure = entry.partition("**Cure**")[2]
            named = re.findall(r"\*([^*]+)\*", cure)
            assert f"[{number}](../notebooks/{path.name})" in cure
            assert named and set(named) <= headings(path), f"{number}: {set(named)}"


def test_the_titles_are_those_of_the_notebooks():
    for number, notebook in NOTEBOOKS.items():
        assert f"\n### {number} {notebook.title}\n" in TEXT, f"{number} {notebook.title}"


MADE_UP = Notebook(
    DOCS.parent / "notebooks" / "05_training.ipynb",
    "Train",
    [Section("Look", words=1500, lines=20, predictions=2), Section("Run", seconds=28.4)],
    1.25,
)


def test_minutes_are_rounded():
    assert MADE_UP.minutes() == pytest.approx(10 + 1 + 1 + 28.4 / 60)
    assert MADE_UP.told_minutes() == 10
    assert [run_time(s) for s in (0.3, 28, 98, 130, 413)] == [
        (5, "s"),
        (30, "s"),
        (100, "s"),
        (2, "min"),
        (7, "min"),
    ]


def test_minutes_are_written_where_they_are_told_and_nothing_else_changes():
    line = "**Time**: about 10 minutes to work through. All cells together run in about 30 seconds "
    assert time_line(MADE_UP) == line + "on two cores."
    assert (
        with_time("# T\n\n**Time**: long\n\nEnd", MADE_UP) == f"# T\n\n{line}on two cores.\n\nEnd"
    )
    rows = (
        "| [05 Train](notebooks/05_training.ipynb) | the loop |{}\n| [06](x.ipynb) | a | 9 | 9 s |"
    )
    assert with_rows(rows.format(" 99 | 9 min |"), [MADE_UP]) == rows.format(" 10 | 30 s |")
    page = f"before\n{BEGIN}old{END}after\n"
    assert with_minutes(page, [MADE_UP]) == f"before\n{BEGIN}{fold(MADE_UP)}{END}after\n"


def test_what_was_measured_is_read_back():
    page = with_minutes(BEGIN + END, [MADE_UP])
    seconds, memory = measured_before(page)
    assert memory == {"05": 1.2}
    assert seconds == {("05", "Look"): 0, ("05", "Run"): 28}
