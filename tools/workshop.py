"""Count what the notebooks ask of a room, for docs/workshop.md: make minutes.

The minutes of a section are its words at 150 a minute, its lines of code at 20 a minute, half a
minute for each prediction, four for each exercise, and the time that its cells run. With
--measure all notebooks are run (five seeds), and run times and memory are measured anew;
otherwise those that stand in docs/workshop.md are kept. The table of memory goes into
docs/environments.md.
"""

import argparse
import os
import re
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient

from notebooks import replaced

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "workshop.md"
ENVIRONMENTS = ROOT / "docs" / "environments.md"
BEGIN, END = "<!-- minutes: make minutes writes this -->\n", "<!-- end of minutes -->\n"
MEMORY, MEMORY_END = "<!-- memory: make minutes writes this -->\n", "<!-- end of memory -->\n"
BINDER, SERVER = 2.0, 0.2  # GB: what Binder gives, and what JupyterLab's server takes of it
HEAD = "| section | words | lines | predictions | exercises | runs in | minutes |"
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

    def minutes(self):
        return sum(section.minutes() for section in self.sections)

    def seconds(self):
        return sum(section.seconds for section in self.sections)


def words(text):
    """Return the words that a reader sees in Markdown: no code blocks, addresses, tags."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"\]\([^)]*\)|<[^>]*>", " ", re.sub(r"`[^`\n]*`", "`code`", text))
    return [word for word in text.split() if re.search(r"\w", word)]


def read(path):
    """Return a notebook, the section of each of its cells, and what it asks in each of them."""
    notebook = nbformat.read(path, as_version=4)
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
            sections[-1].lines += sum(bool(line.strip()) for line in cell.source.splitlines())
            sections[-1].exercises += "exercise" in cell.metadata.get("tags", [])
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
    notebook, places, counted = read(path)
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
        elif match := re.fullmatch(r"\| (.*?) \|(?: \d+ \|){4} (\d+) s \| \d+ \|", line):
            seconds[name, match[1]] = float(match[2])
    return seconds, memory


def keep_measured(notebook, text):
    """Give a notebook the run times and the memory that stand in the page."""
    seconds, memory = measured_before(text)
    number = notebook.path.name[:2]
    notebook.memory = memory.get(number, 0.0)
    for section in notebook.sections:
        section.seconds = seconds.get((number, section.title), 0.0)
    return notebook


def fold(notebook):
    """Return the folded table of one notebook."""
    number = notebook.path.name[:2]
    title = f"<b>{number} {notebook.title}</b>: {notebook.minutes():.0f} minutes, "
    title += f"of which it runs {notebook.seconds():.0f} s; memory {notebook.memory:.1f} GB"
    rows = [
        f"| {s.title} | {s.words} | {s.lines} | {s.predictions} | {s.exercises} "
        f"| {s.seconds:.0f} s | {s.minutes():.0f} |\n"
        for s in notebook.sections
    ]
    table = HEAD + "\n" + "|---" * 7 + "|\n" + "".join(rows)
    return f"<details><summary>{title}</summary>\n\n{table}\n</details>\n"


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


def write(notebooks):
    """Write the tables of both pages."""
    for page, change in ((PAGE, with_minutes), (ENVIRONMENTS, with_memory)):
        text = change(page.read_text(encoding="utf-8"), notebooks)
        page.write_text(text, encoding="utf-8", newline="\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", action="store_true", help="run the notebooks: half an hour")
    parser.add_argument("notebooks", nargs="*", type=Path, help="to measure; all by default")
    arguments = parser.parse_args()
    os.environ.setdefault("MNIST_SEEDS", "5")
    paths = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    text = PAGE.read_text(encoding="utf-8")
    counted = {path: keep_measured(read(path)[2], text) for path in paths}
    for path in map(Path.resolve, arguments.notebooks or paths) if arguments.measure else ():
        counted[path] = measure(path)
        write(counted.values())
        print(f"{path.name}: {counted[path].seconds():.0f} s, {counted[path].memory:.1f} GB")
    write(counted.values())
    print(f"{sum(notebook.minutes() for notebook in counted.values()):.0f} minutes in all")


if __name__ == "__main__":
    main()
