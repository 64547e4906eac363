"""Make the slides for the three schedules of docs/workshop.md: make slides.

Each schedule becomes one HTML file in slides/, which opens in any browser, from a stick and without
a network: pictures, style and reveal.js are inside. Nothing is written twice: docs/slides/
slides.toml names cells of the notebooks by their ids, and pictures, predictions and sentences come
from there. A sentence or a cell that is no longer there is reported and left out.

reveal.js and not a template of our own: presenters know its keys (F, Esc, B), it scales to any
projector, and prints to PDF (?print-pdf in the address). It is the copy inside the package
sphinx-revealjs, so that pip is enough: nobody needs Node, and nothing is fetched while it is shown.
"""

import argparse
import functools
import html
import importlib.util
import re
import string
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from project import DOCS, ROOT, URL, path_of, printed, relink
from project import read as read_notebook

OUTPUT = ROOT / "slides"
PARTS = DOCS / "slides"
SHEET = DOCS / "take_home.md"
SPECIFICATION = importlib.util.find_spec("sphinx_revealjs")
LINES = 9  # of printed text that fit on a slide
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\([^)]*\)")
PREDICTION = re.compile(r"\*\*Predict(:?\*\*[:,]?) *(.*?)(?=\n\s*\n|\Z)", re.DOTALL)
SENTENCE_END = re.compile(r"[.!?][*`)']*(?=\s|$)")

read = functools.cache(read_notebook)
markdown = MarkdownIt("commonmark", {"html": False}).enable("table")


class Missing(LookupError):
    """A cell or a sentence that slides.toml names, and that its notebook does not have."""


@dataclass
class Slide:
    """What is shown: HTML, and pictures as (kind, data)."""

    title: str
    picture: str = ""
    ask: str = ""
    answer: str = ""
    say: str = ""
    section: bool = True  # its title is a section of the notebook


def reading(source):
    """Return Markdown without links and comments, which nobody sees on a slide."""
    source = re.sub(r"<!--.*?-->", "", source)
    return LINK.sub(r"\1", source)


def inline(text):
    """Return one paragraph of Markdown as HTML; a formula of one letter becomes that letter."""
    text = re.sub(r"\$(\w)\$", r"*\1*", " ".join(text.split()))
    return markdown.renderInline(text)


def sentence(text, start):
    """Return the sentence of ``text`` that begins with ``start``, and where it begins."""
    place = text.find(start)
    if place < 0:
        raise Missing(f"no sentence begins with {start!r}")
    end = SENTENCE_END.search(text, place + len(start))
    return text[place : end.end() if end else len(text)], place


def prediction(text):
    """Return what a cell asks to predict, and where."""
    found = PREDICTION.search(text)
    if not found:
        raise Missing("it asks for no prediction")
    asked = found[2].strip()
    if found[1] == "**":  # 'Predict the share': the word belongs to the sentence
        asked = f"predict {asked}"
    return asked[:1].upper() + asked[1:], found.start()


def shown(cell):
    """Return a cell's picture, or else what it printed, as HTML."""
    for output in cell.get("outputs", []):
        if png := output.get("data", {}).get("image/png"):
            return f'<img src="data:image/png;base64,{"".join(png.split())}" alt="">'
    for kinds in cell.get("attachments", {}).values():
        for kind, data in kinds.items():
            return f'<img src="data:{kind};base64,{data}" alt="">'
    lines = printed(cell).rstrip().splitlines()
    if not lines:
        raise Missing("it shows nothing")
    if len(lines) > LINES:
        lines = ["…", *lines[1 - LINES :]]
    few = ' class="few"' if len(lines) < 6 else ""
    return f"<pre{few}>{html.escape(chr(10).join(lines))}</pre>"


def heading(cells, places):
    """Return the section in which the last of these (number of a cell, place in it) stands."""
    number, place = max(places)
    before = "\n".join(reading(cell.source) for cell in cells[:number] if is_text(cell))
    if is_text(cells[number]):
        before += "\n" + reading(cells[number].source)[:place]
    return (re.findall(r"^##? (.*)$", before, re.MULTILINE) or [""])[-1]


def is_text(cell):
    return cell.cell_type == "markdown"


def make_slide(name, wanted):
    """Return the slide that slides.toml calls ``name``.

    Raises:
        Missing: a cell is not there any more. A sentence that is not is reported and left out.
    """
    cells = read(name[:2]).cells
    numbers = {cell.id: number for number, cell in enumerate(cells)}

    def find(identity):
        if identity not in numbers:
            raise Missing(f"slide {name}: its notebook has no cell {identity}")
        return numbers[identity]

    slide, places = Slide(""), []
    for part in ("picture", "answer"):
        if part in wanted:
            number = find(wanted[part])
            setattr(slide, part, shown(cells[number]))
            places.append((number, 0))
    sentences = {"ask": prediction, "say": lambda text: sentence(text, wanted["say"][1])}
    for part, take in sentences.items():
        if part not in wanted:
            continue
        number = find(wanted[part] if part == "ask" else wanted[part][0])
        try:
            text, place = take(reading(cells[number].source))
        except Missing as fault:
            print(f"slide {name}, cell {cells[number].id}: {fault}", file=sys.stderr)
            continue
        setattr(slide, part, inline(text))
        places.append((number, place))
    slide.title = heading(cells, places)
    return slide


def exercise_slide(notebook, number):
    """Return the slide of an exercise: what it asks."""
    for cell in read(notebook).cells:
        if is_text(cell) and cell.source.startswith(f"**{number}.**"):
            asked = reading(cell.source).removeprefix(f"**{number}.**").partition("\n\n")[0]
            return Slide(f"Exercise {number}", ask=inline(asked), section=False)
    raise Missing(f"{notebook} has no exercise {number}")


def title_of(notebook):
    return read(notebook).cells[0].source.splitlines()[0].removeprefix("# ")


def slides_of(row, wanted):
    """Return the slides of a row of a schedule; at least one, so that every row has its place."""
    if "notebook" not in row:
        about = f"{row['minutes']} minutes"
        if row["title"] == "What you take home":
            about = f"Your network as one file, your answers, and where to go on: {URL}"
        return [Slide(row["title"], say=inline(about), section=False)]
    made = []
    try:
        made += [make_slide(name, wanted[name]) for name in row["slides"]]
        made += [exercise_slide(row["notebook"], number) for number in row.get("exercises", [])]
    except Missing as fault:
        print(fault, file=sys.stderr)
    return made or [Slide(title_of(row["notebook"]), section=False)]


def clock(minutes):
    return f"{minutes // 60}:{minutes % 60:02}"


def schedules():
    """Return the slides by name, and {file name: schedule}, as slides.toml has them."""
    text = (PARTS / "slides.toml").read_text(encoding="utf-8")
    parsed = tomllib.loads(text)
    return parsed.pop("slides"), parsed


def timed(schedule, wanted):
    """Yield (minute of the start, row, number of its first slide, its slides)."""
    start, number = 0, 2  # the first slide is the title
    for row in schedule["rows"]:
        made = slides_of(row, wanted)
        yield start, row, number, made
        start, number = start + row["minutes"], number + len(made)


def drawn(slide, where):
    """Return a slide as HTML. What answers its question comes with the next key."""
    later = " fragment" if slide.ask else ""
    parts = [f"<h2>{inline(slide.title)}</h2>"]
    if slide.picture:
        parts.append(f'<div class="picture">{slide.picture}</div>')
    if slide.ask:
        parts.append(f'<p class="ask">{slide.ask}</p>')
    if slide.answer:
        parts.append(f'<div class="picture{later}" data-fragment-index="0">{slide.answer}</div>')
    if slide.say:
        parts.append(f'<p class="say{later}" data-fragment-index="0">{slide.say}</p>')
    parts.append(f'<div class="where">{where}</div>')
    alone = "" if slide.picture or slide.answer else ' class="middle"'
    page = "".join(parts).replace(' alt=""', f' alt="{html.escape(slide.title)}"')
    return f"<section{alone}>{page}</section>"


def first_slide():
    """Return the slide to begin with: the first words of notebook 00, and its picture."""
    cell = read("00").cells[0]
    promise = inline(cell.source.split("\n\n")[2])
    parts = f"<h1>The MNIST notebooks</h1>{shown(cell)}<p>{promise}</p>"
    return f'<section class="middle">{parts}<p class="quiet">{URL}</p></section>'


def make_deck(schedule, wanted):
    """Return a schedule as one HTML page."""
    slides = [first_slide()]
    for start, row, _, made in timed(schedule, wanted):
        where = f"{clock(start)} to {clock(start + row['minutes'])}"
        if notebook := row.get("notebook"):
            where += f" · notebook {path_of(notebook).stem}"
        slides += [drawn(slide, where) for slide in made]
    reveal = Path(SPECIFICATION.submodule_search_locations[0], "_static", "revealjs", "dist")
    style = (reveal / "reveal.css").read_text(encoding="utf-8")
    style += (PARTS / "slides.css").read_text(encoding="utf-8")
    script = (reveal / "reveal.js").read_text(encoding="utf-8").replace("</script", "<\\/script")
    script = re.sub(r"//# sourceMappingURL=.*", "", script)
    page = string.Template((PARTS / "page.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=schedule["title"], style=style, script=script, slides="\n".join(slides)
    )


def make_sheet():
    """Return the sheet to take home as one page to print."""
    text = relink(SHEET.read_text(encoding="utf-8"), SHEET.parent, {})
    style = (PARTS / "sheet.css").read_text(encoding="utf-8")
    head = f'<meta charset="utf-8"><title>What you take home</title><style>{style}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{markdown.render(text)}</body>'


def schedule_table(schedule, wanted):
    """Return the rows of a schedule as the guide shows them."""
    lines = ["| from | minutes | notebook | slides | when late |", "|---|---|---|---|---|"]
    for start, row, number, made in timed(schedule, wanted):
        link = ""
        if notebook := row.get("notebook"):
            link = f"[{notebook}](../notebooks/{path_of(notebook).name})"
        last = number + len(made) - 1
        numbers = str(number) if number == last else f"{number}–{last}"
        titles = "; ".join(dict.fromkeys(slide.title for slide in made))
        cells = [clock(start), str(row["minutes"]), link, f"{numbers}: {titles}", row["late"]]
        lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |"))
    return "\n".join(lines) + "\n"


def all_tables():
    """Return the three schedules as Markdown, for the guide."""
    wanted, plans = schedules()
    parts = [
        f"### {plan['title']}\n\n{plan['about']}\n\n{schedule_table(plan, wanted)}"
        for plan in plans.values()
    ]
    return "\n" + "\n".join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    wanted, plans = schedules()
    pages = {name: make_deck(plan, wanted) for name, plan in plans.items()}
    pages["take_home"] = make_sheet()
    for name, page in pages.items():
        file = folder / f"{name}.html"
        file.write_text(page, encoding="utf-8", newline="\n")
        print(f"{file}: {file.stat().st_size / 1e6:.1f} MB, {page.count('<section')} slides")


if __name__ == "__main__":
    main()
