"""Write copies of the notebooks for a room, without solutions and with: make exercises.

Each of the two folders stands alone: data, helper package and pages lie beside the notebooks, so
that it can be handed out on a stick; beside it lies the same as one zip. Nothing is linked, since
Windows asks for rights to do so.
"""

import argparse
import re
import shutil
import tempfile
from pathlib import Path

import nbformat
from project import (
    DATA,
    DOCS,
    PACKAGE,
    ROOT,
    code_cells,
    paths,
    read,
    relink,
    tagged,
    tags,
    without_badge,
)

PAGES = [DOCS / "glossary.md", DOCS / "troubleshooting.md", ROOT / "LICENSE"]
START = {
    "student": """\
The MNIST notebooks, without the solutions of the exercises.

Install what they need (Python 3.11 or newer), then open the first one:

    python -m pip install -r requirements.txt
    python -m jupyterlab 00_start_here.ipynb

On Windows, write py in place of python. A check has to know the answer: it lies in the folder
checks, out of sight. Whoever looks there first has missed the exercise.
""",
    "answers": """\
The MNIST notebooks for the teacher: each exercise is solved, and its check says 'Correct:'.

    python -m pip install -r requirements.txt
    python -m jupyterlab 00_start_here.ipynb
""",
}


def solution_code(cell):
    """Return the Python block of a solution cell."""
    return re.search(r"^```python\n(.*?)\n?^```$", cell.source, re.MULTILINE | re.DOTALL)[1]


def solution_words(cell):
    """Return what a solution cell says around its code, no longer folded."""
    text = re.sub(r"^```python\n.*?^```$", "", cell.source, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"</?details>|<summary>.*?</summary>", "", text)
    return "**Solution.** " + text.strip()


def clear(notebook):
    """Drop outputs and counts, and the badge, which would open the notebook of the repository."""
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    notebook.cells[0].source = without_badge(notebook.cells[0].source)


def for_students(notebook, name):
    """Take the solutions out, and the checks into files; return {path of a file: its text}."""
    checks = {}
    for number, cell in enumerate(tagged(notebook, "check"), start=1):
        path = f"checks/{name[:2]}_{number}.py"
        checks[path], cell.source = cell.source + "\n", f"%run -i {path}"
    notebook.cells = [cell for cell in notebook.cells if "solution" not in tags(cell)]
    return checks


def with_answers(notebook):
    """Put each solution into the cell of its exercise."""
    cells = notebook.cells
    for exercise, solution in zip(cells, cells[2:], strict=False):
        if "exercise" in tags(exercise):
            exercise.source = solution_code(solution)
            solution.source = solution_words(solution)


def copy_what_notebooks_read(folder):
    """Copy data (packed), helper package and lists of packages into ``folder``."""
    unpacked = shutil.ignore_patterns("*-ubyte", "*-ubyte.[0-9]*", "__pycache__")
    for source in (DATA, PACKAGE):
        shutil.copytree(source, folder / source.name, ignore=unpacked, dirs_exist_ok=True)
    packages = (ROOT / "requirements.txt").read_text(encoding="utf-8").replace("-e .\n", "")
    (folder / "requirements.txt").write_text(packages, encoding="utf-8", newline="\n")


def write_copies(folder, kind):
    """Write one kind of copies, 'student' or 'answers', into ``folder``; return the notebooks."""
    copy_what_notebooks_read(folder)
    copied = {path.relative_to(ROOT): path.name for path in [*paths(), *PAGES]}
    notice = Path("notebooks/data/MNIST/NOTICE.md")
    copied[notice] = notice.relative_to("notebooks").as_posix()
    texts = {"README.txt": START[kind]}
    for page in PAGES:
        texts[page.name] = relink(page.read_text(encoding="utf-8"), page.parent, copied)
    for path in paths():
        notebook = read(path)
        clear(notebook)
        if kind == "student":
            texts |= for_students(notebook, path.name)
        else:
            with_answers(notebook)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = relink(cell.source, path.parent, copied)
        texts[path.name] = nbformat.writes(notebook) + "\n"
    for name, text in texts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return [folder / path.name for path in paths()]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=ROOT / "output" / "exercises", metavar="FOLDER")
    folder = parser.parse_args().to
    folder.mkdir(parents=True, exist_ok=True)
    for kind in START:
        with tempfile.TemporaryDirectory() as made:
            notebooks = write_copies(Path(made, kind), kind)
            packed = shutil.make_archive(str(folder / kind), "zip", made, kind)
            shutil.copytree(Path(made, kind), folder / kind, dirs_exist_ok=True)
        size = Path(packed).stat().st_size / 1e6
        print(f"{len(notebooks)} notebooks in {folder / kind}, and in {packed}: {size:.0f} MB")
    print("They are written anew each time: hand them out, and work in a copy.")


if __name__ == "__main__":
    main()
