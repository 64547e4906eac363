"""Hold the numbers in prose against the outputs: python tools/prose_numbers.py [notebooks].

A figure with a unit in a Markdown cell (98.6 %, 0.7 points, 85 kB, 16x, 5.3 s, 1.5 times) must
stand, so rounded, in one of the two outputs before it. An output is what one code cell says in
words; pictures say nothing, and the checks of exercises do not count. 0.9863 in an output
supports 98.6 %, 81,960 supports 82 kB, 1,400 ms support 1.4 s. Code, formulas, addresses, the line
**Time** and '95 % interval' are not looked at.

A figure from elsewhere needs a comment behind it, in the same paragraph; a comment is for the
figures between the one before and itself:

    <!-- source: above -->         one of all the outputs before, in this notebook
    <!-- source: cell 1a2b -->     the output of the cell with this id, before or after
    <!-- source: code -->          the code of the cell just before or just after
    <!-- source: 05 -->            one of the outputs of notebook 05
    <!-- source: make bench -->    anything else is believed: say where the figure comes from

With --mutate the last digit of each figure is changed, and those are listed that nobody would
miss: a figure that is believed, or that is found by chance.
"""

import argparse
import re
import sys
from bisect import bisect
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from project import code_cells, path_of, read, tags

HELD = [f"{number:02}" for number in range(15)]  # the notebooks that the test holds
OUTPUTS = 2  # how far a figure may be from its output
MOST_UNNOTICED = 0.15  # of all changed digits

# {unit: (kind, size)}; a figure is supported by a number of its own kind, or by one without a unit.
UNITS = dict.fromkeys(["%", "percent", "per cent", "percentage points", "points"], ("share", 1))
UNITS |= dict.fromkeys(["percentage point", "point"], ("share", 1))
UNITS |= dict.fromkeys(["x", "×", "times"], ("factor", 1))
UNITS |= {"B": ("bytes", 1), "bytes": ("bytes", 1)}
UNITS |= {"kB": ("bytes", 10**3), "MB": ("bytes", 10**6), "GB": ("bytes", 10**9)}
UNITS |= {"KiB": ("bytes", 2**10), "MiB": ("bytes", 2**20), "GiB": ("bytes", 2**30)}
UNITS |= dict.fromkeys(["µs", "μs", "us", "microsecond", "microseconds"], ("time", 1))
UNITS |= dict.fromkeys(["ms", "millisecond", "milliseconds"], ("time", 10**3))
UNITS |= dict.fromkeys(["s", "second", "seconds"], ("time", 10**6))
UNITS |= dict.fromkeys(["min", "minute", "minutes"], ("time", 60 * 10**6))
UNITS |= dict.fromkeys(["h", "hour", "hours"], ("time", 3600 * 10**6))

SPACE = r"(?:\s|&nbsp;)"
NUMBER = r"(?<![\w.])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
LONG = "|".join(sorted((unit for unit in UNITS if len(unit) > 1), key=len, reverse=True))
UNIT = rf"{SPACE}?%|{SPACE}?(?:{LONG})(?![\w/])|{SPACE}[sBh](?![\w/])|[x×](?!{SPACE}*\w)"
JOINED = rf"(?:,|{SPACE}?[–-]|{SPACE}(?:to|and|or)){SPACE}?[+−-]?"
FIGURES = re.compile(rf"(?:{NUMBER}{JOINED})*{NUMBER}(?P<unit>{UNIT})")
SAID = re.compile(rf"(?P<digits>{NUMBER}(?:[eE][+-]?\d+)?)(?P<unit>{UNIT})?")
MARKER = re.compile(r"<!--\s*source:\s*(.*?)\s*-->", re.DOTALL)
PARAGRAPH = re.compile(r".*?(?=\n\s*\n|\Z)", re.DOTALL)
NOT_PROSE = re.compile(
    r"^(?:```|~~~).*?^(?:```|~~~)"  # code
    r"|`[^`\n]*`|\$\$.*?\$\$|(?<![\\$])\$[^$\n]+\$"  # code and formulas in a line
    r"|\]\([^)]*\)|https?://\S+"  # addresses
    r"|</?[A-Za-z][^>]*>|<!--(?!\s*source:).*?-->"
    r"|^\*\*Time\*\*.*?$"  # a source itself
    r"|95\s?% (?:confidence )?intervals?",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Figure:
    cell: int  # which cell of the notebook
    start: int  # where its digits begin in the source of the cell
    digits: str
    unit: str
    source: str | None = None  # what the comment behind it says


def without_spaces(unit):
    """Return a unit as UNITS has it."""
    return re.sub(rf"{SPACE}+", " ", unit).strip()


def blanked(text, pattern):
    """Return the text with what matches replaced by as many spaces; lines stay lines."""
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def figures_in(source, cell=0):
    """Return the figures with a unit in the source of a Markdown cell, in order."""
    text = blanked(source, NOT_PROSE)
    found = []
    for match in FIGURES.finditer(blanked(text, MARKER)):
        unit, numbers = without_spaces(match["unit"]), text[match.start() : match.start("unit")]
        for number in re.finditer(NUMBER, numbers):
            start = match.start() + number.start()
            marker = MARKER.search(PARAGRAPH.match(text, start)[0])
            found.append(Figure(cell, start, number[0], unit, marker and marker[1]))
    return found


def words_of(cell):
    """Return what the outputs of a code cell say, without pictures, widgets and HTML's tags."""
    said = []
    for output in cell.outputs:
        data = output.get("data", {})
        said += [output.get("text", ""), output.get("evalue", "")]
        said += [data.get(kind, "") for kind in ("text/plain", "text/markdown", "text/latex")]
        said.append(re.sub(r"<[^>]*>", " ", data.get("text/html", "")))
    text = "\n".join(said)
    return re.sub(r"<Figure size .*?>", "", re.sub(r"\x1b\[[\d;]*m", "", text))


def numbers_in(text):
    """Return {(number, unit or None)} of all numbers in an output."""
    return {
        (Decimal(match["digits"].replace(",", "")), without_spaces(match["unit"] or "") or None)
        for match in SAID.finditer(text)
    }


def values(number, unit, wanted):
    """Return what a number of an output may be in the ``wanted`` unit."""
    kind, size = UNITS[wanted]
    if unit is not None:
        its_kind, its_size = UNITS[unit]
        return [number * its_size / size] if its_kind == kind else []
    if kind == "share" and 0 <= number <= 1:
        return [number, 100 * number]
    return [number, number / size] if kind == "bytes" else [number]


def supports(number, unit, figure):
    """Tell whether a number of an output is the figure, once it is rounded as the figure is."""
    wanted = Decimal(figure.digits.replace(",", ""))
    half = Decimal(5).scaleb(wanted.as_tuple().exponent - 1)
    return any(abs(value - wanted) <= half for value in values(number, unit, figure.unit))


def outputs_for(figure, notebook):
    """Return the numbers among which a figure must be, or None if its source is believed."""
    said = [
        (place, cell, words_of(cell))
        for place, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and not {"exercise", "check"} & tags(cell)
    ]
    if figure.source is None or figure.source == "above":
        before = [text for place, _, text in said if place < figure.cell and text.strip()]
        texts = before if figure.source else before[-OUTPUTS:]
    elif figure.source.startswith("cell "):
        name = figure.source.removeprefix("cell ")
        texts = [text for _, cell, text in said if cell.id == name]
    elif figure.source == "code":
        places = [place for place, _, _ in said]
        before, after = places[: bisect(places, figure.cell)], places[bisect(places, figure.cell) :]
        texts = [notebook.cells[place].source for place in before[-1:] + after[:1]]
    elif re.fullmatch(r"\d\d", figure.source):
        texts = [words_of(cell) for cell in code_cells(read(figure.source))]
    else:
        return None
    return set().union(*map(numbers_in, texts))


def has_support(figure, numbers):
    return numbers is None or any(supports(*said, figure) for said in numbers)


def figures_of(notebook):
    """Yield (figure, the numbers among which it must be) for a notebook's figures."""
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            for figure in figures_in(cell.source, place):
                yield figure, outputs_for(figure, notebook)


def complaints(notebook):
    """Yield one line for each figure that is not where it should be."""
    for figure, numbers in figures_of(notebook):
        if not has_support(figure, numbers):
            place = f"in the {OUTPUTS} outputs before" if figure.source is None else figure.source
            yield f"{described(figure, notebook)} is not there: {place}"


def described(figure, notebook):
    """Return a figure with its cell and the words around it."""
    cell = notebook.cells[figure.cell]
    around = cell.source[max(0, figure.start - 40) : figure.start + 30]
    return f"cell {figure.cell} ({cell.id}): {figure.digits} {figure.unit} in {around!r}"


def changed(figure):
    """Yield the figure with its last digit replaced by each of the other nine."""
    for digit in set("0123456789") - {figure.digits[-1]}:
        yield replace(figure, digits=figure.digits[:-1] + digit)


def unnoticed(notebook):
    """Return {figure: which share of its nine changes would not be noticed}."""
    shares = {}
    for figure, numbers in figures_of(notebook):
        missed = [has_support(other, numbers) for other in changed(figure)]
        shares[figure] = sum(missed) / len(missed)
    return shares


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "notebooks", nargs="*", type=Path, help="by default those that a test holds"
    )
    parser.add_argument("--mutate", action="store_true", help="change the last digits")
    arguments = parser.parse_args()
    found, shares = 0, []
    for path in arguments.notebooks or map(path_of, HELD):
        notebook = read(path)
        for complaint in complaints(notebook):
            print(f"{path.name}, {complaint}")
            found += 1
        if arguments.mutate:
            missed = unnoticed(notebook)
            shares += missed.values()
            for figure, share in missed.items():
                if share > MOST_UNNOTICED:
                    print(f"{path.name}, {share:.0%} unnoticed: {described(figure, notebook)}")
    if shares:
        print(f"{len(shares)} figures, of whose changes {sum(shares) / len(shares):.1%} unnoticed")
    sys.exit(found > 0)


if __name__ == "__main__":
    main()
