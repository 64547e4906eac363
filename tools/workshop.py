"""Compute the minutes that each notebook takes, and tell them everywhere: make minutes.

The minutes of a section are its words at 150 a minute, its lines of code at 20 a minute, half a
minute for each prediction, four for each exercise, and the time that its cells run. They go into
the line **Time** of each notebook, into the README's table and into docs/workshop.md; whoever
changes a few sentences need not run this. With --measure the notebooks are run (five seeds), and
run times and memory are measured anew; otherwise those that stand in docs/workshop.md are kept.
The table of memory goes into docs/environments.md.
"""

import argparse
import os
import re
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil
from nbclient import NotebookClient
from project import DOCS, ROOT, paths, read, replaced, tags, words, write

PAGE = DOCS / "workshop.md"
ENVIRONMENTS = DOCS / "environments.md"
README = ROOT / "README.md"
TIME = re.compile(r"^\*\*Time\*\*:.*$", re.MULTILINE)
BEGIN, END = "<!-- minutes: make minutes writes this -->\n", "<!-- end of minutes -->\n"
MEMORY, MEMORY_END = "<!-- memory: make minutes writes this -->\n", "<!-- end of memory -->\n"
BINDER, SERVER = 2.0, 0.2  # GB: what Binder gives, and what JupyterLab's server takes of it
HEAD = "| section | runs in | minutes |\n|---|---|---|\n"
LEFT_OUT = {"Say it in an interview", "Where next"}  # for afterwards


@dataclass
class Section:
    title: str
    words: int = 0
    lines: int = 0
    predictions: int = 0
    exercises: int = 0
    seconds: float = 0.0

    def minutes(self):
        reading = self.words / 150 + self.lines / 20
        return reading + 0.5 * self.predictions + 4 * self.exercises + self.seconds / 60


@dataclass
class Notebook:
    path: Path
    title: str
    sections: list
    memory: float = 0.0  # GB

    def number(self):
        return self.path.name[:2]

    def minutes(self):
        return sum(section.minutes() for section in self.sections)

    def told_minutes(self):
        """Return the minutes as they are told: a multiple of five."""
        return max(5, 5 * round(self.minutes() / 5))

    def seconds(self):
        return sum(section.seconds for section in self.sections)


def count(path):
    """Return a notebook, the section of each of its cells, and what it asks in each of them."""
    notebook = read(path)
    title = notebook.cells[0].source.splitlines()[0].removeprefix("# ")
    sections, places = [Section("Title and set-up")], []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for part in re.split(r"^(?=## )", cell.source, flags=re.MULTILINE):
                if part.startswith("## "):
                    sections.append(Section(part.splitlines()[0].removeprefix("## ")))
                sections[-1].words += len(words(part))
                sections[-1].predictions += len(re.findall(r"\*\*Predict", part))
        else:
            if "collapsed" not in tags(cell):
                sections[-1].lines += sum(bool(line.strip()) for line in cell.source.splitlines())
            sections[-1].exercises += "exercise" in tags(cell)
        places.append(sections[-1])
    wanted = [section for section in sections if section.title not in LEFT_OUT]
    return notebook, places, Notebook(path, title, wanted)


def watch(stop, peak):
    """Keep the largest memory in GB that the processes below this one take together."""
    while not stop.wait(0.1):
        total = 0
        for process in psutil.Process().children(recursive=True):
            try:
                total += process.memory_info().rss
            except psutil.Error:
                continue
        peak[0] = max(peak[0], total / 1e9)


def measure(path):
    """Run the notebook at ``path``; return it with run times and memory."""
    notebook, places, counted = count(path)
    stop, peak = threading.Event(), [0.0]
    watcher = threading.Thread(target=watch, args=(stop, peak))
    watcher.start()
    try:
        place = {"metadata": {"path": str(path.parent)}}
        NotebookClient(notebook, timeout=None, kernel_name="python3", resources=place).execute()
    finally:
        stop.set()
        watcher.join()
    for cell, section in zip(notebook.cells, places, strict=True):
        if ran := cell.metadata.get("execution"):
            start, end = ran["iopub.execute_input"], ran["shell.execute_reply"]
            section.seconds += (as_time(end) - as_time(start)).total_seconds()
    counted.memory = peak[0]
    return counted


def as_time(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def measured_before(text):
    """Return {(notebook, section): seconds} and {notebook: GB} that stand in a page."""
    seconds, memory, name = {}, {}, None
    for line in text.partition(BEGIN)[2].partition(END)[0].splitlines():
        if match := re.search(r"<b>(\d\d) .* ([\d.]+) GB", line):
            name, memory[match[1]] = match[1], float(match[2])
        elif match := re.fullmatch(r"\| (.*?) \|(?: \d+ \|)* (\d+) s \| \d+ \|", line):
            seconds[name, match[1]] = float(match[2])
    return seconds, memory


def keep_measured(notebook, text):
    """Give a notebook the run times and the memory that stand in the page."""
    seconds, memory = measured_before(text)
    notebook.memory = memory.get(notebook.number(), 0.0)
    for section in notebook.sections:
        section.seconds = seconds.get((notebook.number(), section.title), 0.0)
    return notebook


def run_time(seconds):
    """Return a run time as it is told: a number and its unit, 's' or 'min'."""
    if seconds < 100:
        return max(5, 5 * round(seconds / 5)), "s"
    return round(seconds / 60), "min"


def time_line(notebook):
    """Return the line **Time** of a notebook's first cell."""
    number, unit = run_time(notebook.seconds())
    unit = {"s": "seconds", "min": "minutes"}[unit]
    return (
        f"**Time**: about {notebook.told_minutes()} minutes to work through. "
        f"All cells together run in about {number} {unit} on two cores."
    )


def with_time(source, notebook):
    """Return the source of a notebook's first cell with its line **Time** replaced."""
    return TIME.sub(time_line(notebook), source)


def with_rows(text, notebooks):
    """Return the README's text with the last two columns replaced in its table of notebooks."""
    for notebook in notebooks:
        row = re.compile(
            rf"(^\| \[[^\]]*\]\(notebooks/{re.escape(notebook.path.name)}\) \| .*? \|).*$",
            re.MULTILINE,
        )
        number, unit = run_time(notebook.seconds())
        text = row.sub(rf"\1 {notebook.told_minutes()} | {number} {unit} |", text)
    return text


def fold(notebook):
    """Return the folded table of one notebook."""
    number, unit = run_time(notebook.seconds())
    title = f"<b>{notebook.number()} {notebook.title}</b>: {notebook.told_minutes()} minutes, "
    title += f"of which it runs {number} {unit}; memory {notebook.memory:.1f} GB"
    rows = [f"| {s.title} | {s.seconds:.0f} s | {s.minutes():.0f} |\n" for s in notebook.sections]
    return f"<details><summary>{title}</summary>\n\n{HEAD}{''.join(rows)}\n</details>\n"


def with_minutes(text, notebooks):
    """Return the text of the page with its tables replaced."""
    return replaced(text, BEGIN, "\n".join(map(fold, notebooks)), END)


def with_memory(text, notebooks):
    """Return the text of docs/environments.md with its table of memory replaced."""
    rows = [
        f"| [{n.path.name[:2]}](../notebooks/{n.path.name}) | {n.memory:.1f} GB "
        f"| {('yes' if n.memory + SERVER <= BINDER else 'no') if n.memory else 'not measured'} |\n"
        for n in notebooks
    ]
    head = "| notebook | memory | fits in Binder |\n|---|---|---|\n"
    return replaced(text, MEMORY, head + "".join(rows), MEMORY_END)


def write_pages(notebooks):
    """Write the tables of the three pages."""
    changes = {PAGE: with_minutes, ENVIRONMENTS: with_memory, README: with_rows}
    for page, change in changes.items():
        text = change(page.read_text(encoding="utf-8"), notebooks)
        page.write_text(text, encoding="utf-8", newline="\n")


def write_times(notebooks):
    """Write the line **Time** of the notebooks, and nothing else in them."""
    for counted in notebooks:
        notebook = read(counted.path)
        before = notebook.cells[0].source
        notebook.cells[0].source = with_time(before, counted)
        if notebook.cells[0].source != before:
            write(notebook, counted.path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", action="store_true", help="run the notebooks: half an hour")
    parser.add_argument("notebooks", nargs="*", type=Path, help="to measure; all by default")
    arguments = parser.parse_args()
    os.environ.setdefault("MNIST_SEEDS", "5")
    text = PAGE.read_text(encoding="utf-8")
    counted = {path: keep_measured(count(path)[2], text) for path in paths()}
    for path in map(Path.resolve, arguments.notebooks or paths()) if arguments.measure else ():
        counted[path] = measure(path)
        write_pages(counted.values())
        print(f"{path.name}: {counted[path].seconds():.0f} s, {counted[path].memory:.1f} GB")
    write_pages(counted.values())
    write_times(counted.values())
    print(f"{sum(notebook.minutes() for notebook in counted.values()):.0f} minutes in all")


if __name__ == "__main__":
    main()
