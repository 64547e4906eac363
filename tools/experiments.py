"""Run a notebook's experiments for many seeds: make experiments ARGS=08.

A notebook writes its arms out as dictionaries whose names end in _ARMS: {name of the arm: function
of a seed that returns {figure: value}}. This command takes them from the notebook, runs them for
the seeds 0, 1, …, in processes of one thread each, and writes mnist_helpers/results/08.csv after
every run. What is there already is not run again: interrupt the command and start it as you like.
"""

import argparse
import csv
import datetime
import fnmatch
import io
import multiprocessing
import os
import platform
import sys
import traceback
from pathlib import Path

from project import NOTEBOOKS, PACKAGE, arms_of, number_of, path_of
from tqdm import tqdm

from mnist_helpers.files import write_whole

COLUMNS = ["arm", "seed", "figure", "value", "date", "machine", "versions"]


def results_of(path):
    """Return the path of the results of a notebook."""
    return PACKAGE / "results" / f"{number_of(path)}.csv"


def read_rows(file):
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def write_rows(file, rows, arms):
    """Write the rows in the order of the arms, then of the seeds; a crash loses no old ones."""
    order = {name: number for number, name in enumerate(arms)}
    rows = sorted(rows, key=lambda row: (order[row["arm"]], int(row["seed"])))
    lines = io.StringIO()
    table = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_whole(file, lines.getvalue().encode())


def machine():
    """Return what the results were measured on, in a few words."""
    names = [platform.system(), platform.machine()]
    cpu = Path("/proc/cpuinfo")
    if cpu.exists():
        models = [line for line in cpu.read_text().splitlines() if line.startswith("model name")]
        names += [models[0].partition(": ")[2]] if models else []
    return f"{' '.join(names)}, {os.cpu_count()} cores"


def versions():
    import torch
    import torchvision

    return (
        f"Python {platform.python_version()}, torch {torch.__version__.partition('+')[0]}, "
        f"torchvision {torchvision.__version__.partition('+')[0]}"
    )


def circumstances(machine):
    """Return what each row says of a run, besides what it measured."""
    today = datetime.date.today().isoformat()
    return {"date": today, "machine": machine, "versions": versions()}


def rows_of(arm, seed, figures, where):
    """Return the rows of one run: one for each figure."""
    return [
        {"arm": arm, "seed": seed, "figure": figure, "value": f"{value:.6g}"} | where
        for figure, value in figures.items()
    ]


def run(path, runs, answers):
    """In a process of its own: run (seed, [arms]), and answer (seed, arm, figures, error)."""
    os.chdir(NOTEBOOKS)
    seed, name = None, None
    try:
        arms = arms_of(path)
        for seed, names in runs:
            for name in names:
                answers.put((seed, name, arms[name](seed), None))
    except BaseException:
        answers.put((seed, name, None, traceback.format_exc()))
    answers.put(None)


def missing(rows, arms, seeds):
    """Return [(seed, [arms that have no results for it])]."""
    done = {(int(row["seed"]), row["arm"]) for row in rows}
    runs = [(seed, [name for name in arms if (seed, name) not in done]) for seed in range(seeds)]
    return [(seed, names) for seed, names in runs if names]


def run_all(path, runs, processes, keep):
    """Run in several processes; ``keep(seed, arm, figures)`` gets each result.

    A process has whole seeds, so that what the arms of a seed share can be made once.
    """
    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes, which import torch anew
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    parts = [part for n in range(processes) if (part := runs[n::processes])]
    workers = [context.Process(target=run, args=(path, part, answers)) for part in parts]
    for worker in workers:
        worker.start()
    ended, faults = 0, []
    try:
        while ended < len(workers):
            answer = answers.get()
            if answer is None:
                ended += 1
            elif answer[3]:
                faults.append(f"seed {answer[0]}, {answer[1]}:\n{answer[3]}")
            else:
                keep(*answer[:3])
    finally:
        for worker in workers:
            worker.terminate()
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("notebook", help="its number, such as 08")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="*", help="arms whose names match, such as 'dropout*'")
    parser.add_argument("--again", action="store_true", help="run them anew")
    arguments = parser.parse_args()
    path = path_of(arguments.notebook)
    file = results_of(path)
    file.parent.mkdir(exist_ok=True)
    os.chdir(NOTEBOOKS)  # the notebooks' "./data"
    arms = arms_of(path)
    chosen = fnmatch.filter(arms, arguments.only)
    rows = [row for row in read_rows(file) if row["arm"] in arms]
    if arguments.again:
        rows = [row for row in rows if row["arm"] not in chosen]
    runs = missing(rows, chosen, arguments.seeds)
    where = circumstances(machine())
    with tqdm(total=sum(len(names) for _, names in runs)) as bar:

        def keep(seed, arm, figures):
            rows.extend(rows_of(arm, seed, figures, where))
            write_rows(file, rows, arms)
            bar.update()

        faults = run_all(path, runs, arguments.processes, keep)
    write_rows(file, rows, arms)
    sys.exit("\n".join(faults) or None)


if __name__ == "__main__":
    main()
