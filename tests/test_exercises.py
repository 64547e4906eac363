"""Every check refuses the stub and typical wrong answers with a hint, and accepts the solution."""

import copy
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from wrong_answers import WRONG_ANSWERS

FOLDER = Path(__file__).parents[1] / "notebooks"


def tags(cell):
    return set(cell.metadata.get("tags", []))


def exercises(notebook):
    """Return the positions of the exercises; check and solution are the next two cells."""
    return [n for n, cell in enumerate(notebook.cells) if "exercise" in tags(cell)]


WITH_EXERCISES = [
    path
    for path in sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
    if exercises(nbformat.read(path, as_version=4))
]


def complaints(notebook, wrong_answers):
    """Run a notebook's cheap cells and yield what its checks do wrong."""
    positions = exercises(notebook)
    client = NotebookClient(
        copy.deepcopy(notebook),
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(FOLDER)}},
    )
    left_out = {"slow", "raises-exception", "exercise", "check"}
    with client.setup_kernel():
        for position, cell in enumerate(notebook.cells):
            if position in positions:
                number = positions.index(position)
                for fault in try_exercise(client, position, wrong_answers[number]):
                    yield f"exercise {number + 1}: {fault}"
            elif cell.cell_type == "code" and not tags(cell) & left_out:
                client.execute_cell(copy.deepcopy(cell), position)


def try_exercise(client, position, wrong_answers):
    """Yield what the check says wrongly about the stub, the wrong answers and the solution."""
    stub, check, solution = copy.deepcopy(client.nb.cells[position : position + 3])
    answer = re.search(r"^```python\n(.*?)^```$", solution.source, re.MULTILINE | re.DOTALL)
    trials = [
        (stub.source, "Not yet:", ""),
        *[(code, "Not yet:", hint) for code, hint in wrong_answers],
        (answer.group(1), "Correct:", ""),
    ]
    for code, start, hint in trials:
        client.execute_cell(nbformat.v4.new_code_cell(code), position)
        outputs = client.execute_cell(copy.deepcopy(check), position + 1).outputs
        lines = "".join(output.get("text", "") for output in outputs).splitlines()
        if len(lines) != 1 or not lines[0].startswith(start) or hint not in lines[0]:
            yield f"{code!r} must get one line '{start} …{hint}…', but got {lines}"


@pytest.mark.parametrize("path", WITH_EXERCISES, ids=lambda path: path.stem)
def test_exercises(path):
    notebook = nbformat.read(path, as_version=4)
    wrong_answers = WRONG_ANSWERS.get(path.stem, [])
    assert len(wrong_answers) == len(exercises(notebook)), "one list of wrong answers an exercise"
    assert min(map(len, wrong_answers)) >= 2, "each exercise needs two typical wrong answers"
    assert not list(complaints(notebook, wrong_answers))


def test_wrong_answers_belong_to_a_notebook():
    assert set(WRONG_ANSWERS) <= {path.stem for path in WITH_EXERCISES}


def test_faulty_checks_are_noticed():
    """A made-up notebook: one good check, and three that are content, never content, or mute."""
    cells = [nbformat.v4.new_code_cell("answer = None; wanted = 2")]
    good = "print('Correct: two' if answer == wanted else f'Not yet: {answer} is not two')"
    for check in (good, "print('Correct: ')", "print('Not yet: 1 is not two')", "wanted = 2"):
        cells += [
            nbformat.v4.new_code_cell("# Write your code here.", metadata={"tags": ["exercise"]}),
            nbformat.v4.new_code_cell(check, metadata={"tags": ["check"]}),
            nbformat.v4.new_markdown_cell("```python\nanswer = 1 + 1\n```"),
        ]
    cells.append(nbformat.v4.new_code_cell("1 / 0", metadata={"tags": ["slow"]}))
    notebook = nbformat.v4.new_notebook(cells=cells)
    found = list(complaints(notebook, [[("answer = 1", "1 is not two")]] * 4))
    # Stub, wrong answer and solution, where the check is content, never content, mute.
    assert [line[:11] for line in found] == ["exercise 2:"] * 2 + ["exercise 3:"] + [
        "exercise 4:"
    ] * 3
    missing_hint = [[("answer = 1", "add one more")], [], [], []]
    first, *_ = complaints(notebook, missing_hint)
    assert first.startswith("exercise 1: 'answer = 1' must get")
