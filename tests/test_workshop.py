"""docs/workshop.md keeps to the notebooks: minutes, schedules, and the sections that it names."""

import re

import pytest
from workshop import (
    BEGIN,
    END,
    ENVIRONMENTS,
    PAGE,
    ROOT,
    keep_measured,
    measured_before,
    read,
    with_memory,
    with_minutes,
)

TEXT = PAGE.read_text(encoding="utf-8")
PATHS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
NOTEBOOKS = {path.name[:2]: keep_measured(read(path)[2], TEXT) for path in PATHS}
LENGTHS = {"Two hours": 120, "Half a day": 210, "A day": 420}
EXERCISE = 5  # minutes: four to write it, one to read it


def headings(path):
    source = path.read_text(encoding="utf-8")
    return {line.rstrip() for line in re.findall(r'^\s*"#{2,3} (.*?)(?:\\n)?",?$', source, re.M)}


def schedule(title):
    """Return the rows [from, minutes, notebook, sections, when late] of a schedule."""
    part = TEXT.partition(f"\n### {title}\n")[2].partition("\n##")[0]
    lines = re.findall(r"^\| \d.*$", part, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def needed(number, names):
    """Return the minutes that one reader needs for these sections of a notebook."""
    minutes = {section.title: section.minutes() for section in NOTEBOOKS[number].sections}
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
        assert (ROOT / "notebooks" / name).exists()
        names = sections.split("; ")
        assert needed(number, names) <= int(minutes), (start, number, needed(number, names))
        assert late, f"{start}: what can be skipped?"


def test_the_minutes_are_those_of_the_notebooks():
    assert TEXT.count(BEGIN) == TEXT.count(END) == 1
    written = TEXT.partition(BEGIN)[2].partition(END)[0]
    assert re.findall(r"<b>(\d\d) ", written) == list(NOTEBOOKS), "run `make minutes`"
    for number, notebook in NOTEBOOKS.items():
        part = written.partition(f"<b>{number} ")[2].partition("</details>")[0]
        rows = re.findall(r"^\| (.*?) \|(?: \d+ \|){4} \d+ s \| (\d+) \|$", part, re.MULTILINE)
        told = f"run `make minutes`: {number} has other sections"
        assert [name for name, _ in rows] == [section.title for section in notebook.sections], told
        for (_, minutes), section in zip(rows, notebook.sections, strict=True):
            assert abs(int(minutes) - section.minutes()) <= 1, f"run `make minutes`: {section}"


def test_every_notebook_was_measured():
    seconds, memory = measured_before(TEXT)
    for number, notebook in NOTEBOOKS.items():
        assert memory.get(number, 0) > 0.1, f"run `make minutes ARGS=--measure`: {number}"
        assert sum(seconds[number, section.title] for section in notebook.sections) > 0, number


def test_the_memory_is_told_to_who_comes_from_elsewhere():
    text = ENVIRONMENTS.read_text(encoding="utf-8")
    assert with_memory(text, NOTEBOOKS.values()) == text, "run `make minutes`"


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


def test_writing_the_minutes_changes_nothing_else():
    before, after = TEXT.partition(BEGIN)[0], TEXT.partition(END)[2]
    written = with_minutes(TEXT, NOTEBOOKS.values())
    assert written.startswith(before) and written.endswith(after)
    again = [keep_measured(read(path)[2], written) for path in PATHS]
    assert with_minutes(written, again) == written, "what was measured should be read back"
