"""Compute the minutes of each notebook, and write what is told of them: make minutes.

The minutes are the words of a notebook at 150 a minute, its lines of code at 20 a minute, half a
minute for each prediction, four for each exercise, and the time that its cells run. They go into
the README's table and into the line **Time** of each notebook, and the schedules into
docs/workshop.md; whoever changes a few sentences need not run this. Run time and memory are
measured with --measure; otherwise those stay that stand in the README and in
docs/environments.md. A row of a schedule that leaves its sections too little time is reported.
"""

import argparse
import re
import threading
import time
from pathlib import Path

import psutil
from nbclient import NotebookClient
from project import (
    DOCS,
    ROOT,
    code_cells,
    paths,
    read,
    replaced,
    tags,
    words,
    write,
)
from slides import all_tables, schedules, timed

README, GUIDE, ENVIRONMENTS = ROOT / "README.md", DOCS / "workshop.md", DOCS / "environments.md"
TIME = re.compile(r"^\*\*Time\*\*:.*$", re.MULTILINE)
MEMORY, MEMORY_END = "<!-- memory: make minutes writes this -->\n", "<!-- end of memory -->\n"
BEGIN, END = "<!-- schedules: make minutes writes this -->\n", "<!-- end of schedules -->\n"
BINDER, SERVER = 2.0, 0.2  # GB: what Binder gives, and what JupyterLab's server takes of it
AFTERWARDS = {"Say it in an interview", "Where next"}


def sections(notebook):
    """Return {section: minutes that a reader needs for it}, exercises and run time left out."""
    title, minutes = "Title", {}
    for cell in notebook.cells:
        if "collapsed" in tags(cell):
            continue
        if cell.cell_type == "code":
            lines = sum(bool(line.strip()) for line in cell.source.splitlines())
            minutes[title] = minutes.get(title, 0) + lines / 20
            continue
        for part in re.split(r"^(?=## )", cell.source, flags=re.MULTILINE):
            if part.startswith("## "):
                title = part.splitlines()[0].removeprefix("## ")
            asked = 0.5 * len(re.findall(r"\*\*Predict", part))
            minutes[title] = minutes.get(title, 0) + len(words(part)) / 150 + asked
    return minutes


def minutes_of(notebook, seconds):
    """Return how long a notebook takes, as it is told: a multiple of five minutes."""
    reading = sum(part for title, part in sections(notebook).items() if title not in AFTERWARDS)
    exercises = sum("exercise" in tags(cell) for cell in code_cells(notebook))
    return max(5, 5 * round((reading + 4 * exercises + seconds / 60) / 5))


def run_time(seconds):
    """Return a run time as it is told."""
    if seconds < 100:
        return f"{max(5, 5 * round(seconds / 5))} s"
    return f"{round(seconds / 60)} min"


def row_of(path):
    """Return the pattern of a notebook's row in the README: what it says, minutes, run time."""
    start = rf"^(\| \[[^\]]*\]\(notebooks/{re.escape(path.name)}\) \| .*? \|)"
    return re.compile(rf"{start} (\d+) \| (\d+) (s|min) \|$", re.MULTILINE)


def seconds_told(text, path):
    """Return the run time that the README's table has."""
    found = row_of(path).search(text)
    return int(found[3]) * {"s": 1, "min": 60}[found[4]]


def with_row(text, path, minutes, ran):
    """Return the README with a notebook's minutes and run time."""
    return row_of(path).sub(rf"\1 {minutes} | {ran} |", text)


def with_time(source, minutes, ran):
    """Return the first cell of a notebook with its line **Time**."""
    ran = ran.replace(" min", " minutes").replace(" s", " seconds")
    line = f"**Time**: about {minutes} minutes to work through. "
    return TIME.sub(f"{line}All cells together run in about {ran} on two cores.", source)


def memory_told(text):
    """Return {file name: GB} of the table in docs/environments.md."""
    found = re.findall(r"^\| \[\d\d\]\(\.\./notebooks/(.*?)\) \| ([\d.]+) GB", text, re.MULTILINE)
    return {name: float(memory) for name, memory in found}


def with_memory(text, memory):
    """Return docs/environments.md with its table of memory."""
    rows = [
        f"| [{name[:2]}](../notebooks/{name}) | {most:.1f} GB "
        f"| {'yes' if most + SERVER <= BINDER else 'no'} |\n"
        for name, most in sorted(memory.items())
    ]
    head = "| notebook | memory | fits in Binder |\n|---|---|---|\n"
    return replaced(text, MEMORY, head + "".join(rows), MEMORY_END)


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
    """Run a notebook; return the seconds that it took, and the memory in GB."""
    stop, peak = threading.Event(), [0.0]
    watcher = threading.Thread(target=watch, args=(stop, peak))
    watcher.start()
    started = time.perf_counter()
    try:
        place = {"metadata": {"path": str(path.parent)}}
        NotebookClient(read(path), timeout=None, kernel_name="python3", resources=place).execute()
    finally:
        stop.set()
        watcher.join()
    return time.perf_counter() - started, peak[0]


def too_short():
    """Yield the rows of the schedules that leave a reader too little time for their sections."""
    wanted, plans = schedules()
    for plan in plans.values():
        for _, row, _, made in timed(plan, wanted):
            if "notebook" in row:
                minutes = sections(read(row["notebook"]))
                titles = {slide.title for slide in made if slide.section}
                needed = 5 * len(row.get("exercises", []))  # four to write it, one to read it
                needed += sum(minutes.get(title, 0) for title in titles)
                if needed > row["minutes"]:
                    yield f"{plan['title']}, {row['notebook']}: its sections ask {needed:.0f} min"


def change(page, new):
    """Write a page with what ``new`` makes of its text."""
    text = new(page.read_text(encoding="utf-8"))
    page.write_text(text, encoding="utf-8", newline="\n")


def renew(path, ran=None):
    """Write a notebook's minutes, with a new run time or the one that the README has."""
    notebook = read(path)
    if ran is None:
        ran = seconds_told(README.read_text(encoding="utf-8"), path)
    told = minutes_of(notebook, ran), run_time(ran)
    change(README, lambda text: with_row(text, path, *told))
    before = notebook.cells[0].source
    notebook.cells[0].source = with_time(before, *told)
    if notebook.cells[0].source != before:
        write(notebook, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--measure", action="store_true", help="run the notebooks: half an hour")
    parser.add_argument("notebooks", nargs="*", type=Path, help="all by default")
    arguments = parser.parse_args()
    for path in map(Path.resolve, arguments.notebooks or paths()):
        ran = None
        if arguments.measure:
            ran, memory = measure(path)
            new = {path.name: memory}
            change(ENVIRONMENTS, lambda text, new=new: with_memory(text, memory_told(text) | new))
            print(f"{path.name}: {ran:.0f} s, {memory:.1f} GB")
        renew(path, ran)
    change(GUIDE, lambda text: replaced(text, BEGIN, all_tables(), END))
    print(*too_short(), sep="\n")


if __name__ == "__main__":
    main()
