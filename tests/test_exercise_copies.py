"""The copies for a room: no solution leaks, stubs and answers run, from any folder."""

import ast
import re
import zipfile
from pathlib import Path

import exercises
import nbformat
import pytest
from exercises import relink, solution_code
from nbclient import NotebookClient
from project import NOTEBOOKS, URL, markdown_cells, paths, printed, read, tagged, tags

SECONDS = 300  # a cell may take that long on a busy machine


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """The two folders, at a path with a space and letters that are not ASCII."""
    folder = tmp_path_factory.mktemp("copies") / "Übung für Łódź"
    write_copies(folder)
    return folder


def write_copies(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["exercises.py", "--to", str(folder)])
        exercises.main()


def telling_lines(original):
    """Return the lines of code that stand in solutions, and nowhere else in the notebook."""
    solutions = tagged(original, "solution")
    lines = {line.strip() for cell in solutions for line in solution_code(cell).splitlines()}
    elsewhere = [c.source for c in original.cells if not {"solution", "check"} & tags(c)]
    return {line for line in lines if line and line not in "\n".join(elsewhere)}


def leaks(copy, original):
    """Yield what a student copy tells about the solutions of its original."""
    if any("solution" in tags(cell) or "Solution" in cell.source for cell in copy.cells):
        yield "a solution cell"
    if any(cell.get("outputs") or cell.get("execution_count") for cell in copy.cells):
        yield "an output"
    text = "\n".join(cell.source for cell in copy.cells)
    yield from (line for line in telling_lines(original) if line in text)
    for cell in tagged(original, "check"):
        said = re.findall(r'"(Correct: [^"]*)"', cell.source)
        assert said, f"a check without 'Correct: …': {cell.source}"
        yield from (line for line in said if line in text)


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_no_solution_leaks_and_nothing_else_is_lost(copies, path):
    original = read(path)
    student = read(copies / "student" / path.name)
    nbformat.validate(student)
    assert not list(leaks(student, original))
    kept = [cell for cell in original.cells if "solution" not in tags(cell)]
    assert [cell.id for cell in student.cells] == [cell.id for cell in kept]
    for before, after in zip(kept, student.cells, strict=True):
        if "check" in tags(before):
            check = copies / "student" / after.source.removeprefix("%run -i ")
            assert check.read_text(encoding="utf-8") == before.source + "\n"
            ast.parse(before.source)  # %run takes Python, without the notebook's magic
        elif before.cell_type == "code":
            assert after.source == before.source


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_answers_stand_in_the_cells_of_the_exercises(copies, path):
    original = read(path)
    answers = read(copies / "answers" / path.name)
    nbformat.validate(answers)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in answers.cells)
    for number, cell in enumerate(original.cells):
        if "exercise" in tags(cell):
            assert answers.cells[number].source == solution_code(original.cells[number + 2])
            assert "```python" not in answers.cells[number + 2].source


@pytest.mark.parametrize("kind", ["student", "answers"])
def test_links_lead_to_what_lies_beside_or_to_the_web(copies, kind):
    folder = copies / kind
    texts = {page.name: page.read_text(encoding="utf-8") for page in folder.glob("*.md")}
    for path in folder.glob("*.ipynb"):
        texts[path.name] = "\n".join(cell.source for cell in markdown_cells(read(path)))
    for name, text in texts.items():
        text = re.sub(r"`[^`]*`|^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r'(?:\]\(|\b(?:href|src)=")([^)\s"#]+)', text):
            elsewhere = target.startswith(("https://", "attachment:"))
            assert elsewhere or (folder / target).exists(), (name, target)
            assert "colab.research" not in target, name


def test_a_page_that_is_not_copied_is_linked_to_on_the_web():
    copied = {Path("notebooks/01_imports.ipynb"): "01_imports.ipynb"}
    text = "[a](01_imports.ipynb#x) [b](../README.md#start) [c](#here) [d](https://x.org) `v[0](x)`"
    shown = relink(text, NOTEBOOKS, copied)
    assert shown == text.replace("../README.md", f"{URL}/blob/main/README.md")


@pytest.mark.parametrize("kind", ["student", "answers"])
def test_each_folder_is_a_zip_as_well(copies, kind):
    """The same bytes, in a folder of its own; its 12 MB are mostly the packed data."""
    files = {path.relative_to(copies).as_posix() for path in (copies / kind).glob("*.ipynb")}
    with zipfile.ZipFile(copies / f"{kind}.zip") as packed:
        names = {name for name in packed.namelist() if not name.endswith("/")}
        assert f"{kind}/README.txt" in names and names >= files
        for name in names:
            assert packed.read(name) == (copies / name).read_bytes(), name
    assert (copies / f"{kind}.zip").stat().st_size < 20e6


IN_FOLDERS = [
    ("student", "Not yet: "),
    pytest.param("answers", "Correct: ", marks=pytest.mark.weekly),
]


@pytest.mark.parametrize(("kind", "start"), IN_FOLDERS)
def test_copies_run_from_their_own_folder(copies, kind, start, monkeypatch):
    """From end to end without what is slow; helper package and data are those beside it."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    notebook = read(copies / kind / "01_imports.ipynb")
    notebook.cells = [cell for cell in notebook.cells if "slow" not in tags(cell)]
    notebook.cells.append(nbformat.v4.new_code_cell("print(mnist_helpers.__file__)"))
    place = {"metadata": {"path": str(copies / kind)}}
    NotebookClient(notebook, kernel_name="python3", timeout=SECONDS, resources=place).execute()
    assert Path(printed(notebook.cells[-1]).strip()).is_relative_to(copies / kind)
    said = [printed(cell) for cell in tagged(notebook, "check")]
    assert said and all(re.fullmatch(rf"{start}.+\n", line) for line in said), said


def test_a_second_run_writes_the_same_and_loses_nothing(copies):
    mine = copies / "student" / "my notes.txt"
    mine.write_text("mine", encoding="utf-8")
    before = {p: p.read_bytes() for p in copies.rglob("*.ipynb")}
    write_copies(copies)
    assert {p: p.read_bytes() for p in copies.rglob("*.ipynb")} == before
    assert mine.exists()
