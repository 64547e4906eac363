"""Every check refuses the stub and typical wrong answers with a hint, and accepts the solution.

Nothing but what the exercises of a notebook need is run of its cells, in this process: that they
run in a kernel is what nbval shows, which also compares what the checks say to the stubs.
"""

import ast
import contextlib
import io
import re
import traceback
from unittest.mock import MagicMock

import matplotlib.pyplot
import pytest
from exercises import solution_code
from IPython.core.inputtransformer2 import TransformerManager
from project import (
    NOTEBOOKS,
    definitions,
    globals_of,
    imports,
    parse_cell,
    paths,
    read,
    tagged,
    tags,
)
from wrong_answers import WRONG_ANSWERS

WITH_EXERCISES = [path for path in paths() if tagged(read(path), "exercise")]
NEVER = {"slow", "raises-exception", "exercise", "check"}  # cells that no exercise builds upon


def at_top(tree):
    """Yield the nodes of a piece of code that run with it, not those inside its functions."""
    for node in ast.iter_child_nodes(tree):
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            yield from at_top(node)


def defined_in(tree):
    """Return the names that a piece of code binds."""
    names = {name for name, _ in [*definitions(tree), *imports(tree)]}
    stored = (node for node in at_top(tree) if isinstance(node, ast.Name))
    return names | {node.id for node in stored if isinstance(node.ctx, ast.Store)}


def bound_in(tree):
    """Return the names that a piece of code binds, or whose objects it changes."""
    names = defined_in(tree)
    for node in at_top(tree):
        if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
            names.add(ast.unparse(node).partition(".")[0].partition("[")[0])
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            function = node.value.func
            if isinstance(function, ast.Attribute):  # results.append(…), not print(…)
                names.add(ast.unparse(function).partition(".")[0])
    return names


def read_in(tree):
    """Return the global names that a piece of code reads before it binds them."""
    names, bound = set(), set()
    for statement in tree.body:
        its_own = bound_in(ast.Module([statement], []))
        compound = hasattr(statement, "body")  # try, for, …: binds first what it reads
        names |= globals_of(statement) - bound - (its_own if compound else set())
        bound |= its_own
    return names


def needed_cells(cells, stub, sources):
    """Return those of the code cells that define what the sources use, in order.

    What the stub defines, every answer defines anew. Of several cells that define a name without
    reading it, the last one counts.
    """
    wanted = set().union(*(read_in(parse_cell(source)) for source in sources))
    wanted -= bound_in(parse_cell(stub))
    needed = []
    for cell in reversed(cells):
        tree = parse_cell(cell.source)
        if bound_in(tree) & wanted and not NEVER & tags(cell):
            wanted = (wanted - defined_in(tree)) | read_in(tree)
            needed.insert(0, cell)
    return needed


def execute(source, namespace):
    """Run the source of a cell; return what it prints, and the last line of an error."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            exec(TransformerManager().transform_cell(source), namespace)
        except Exception:
            print(traceback.format_exc().splitlines()[-1])
    return said.getvalue()


def triples(notebook):
    """Yield the position of each exercise with its exercise, check and solution cell."""
    for position, cell in enumerate(notebook.cells):
        if "exercise" in tags(cell):
            yield position, *notebook.cells[position : position + 3]


def trials(exercise, solution, wrong_answers):
    """Return (code, what the check must start with, a part of its hint) for an exercise."""
    wrong = [(code, "Not yet:", hint) for code, hint in wrong_answers]
    return [(exercise.source, "Not yet:", ""), *wrong, (solution_code(solution), "Correct:", "")]


@pytest.fixture
def here(monkeypatch):
    """Work where the notebooks are, and draw nothing on a screen."""
    monkeypatch.chdir(NOTEBOOKS)
    with matplotlib.rc_context():
        matplotlib.use("agg")
        yield
        matplotlib.pyplot.close("all")


@pytest.mark.parametrize("path", WITH_EXERCISES, ids=lambda path: path.stem)
def test_checks_know_wrong_answers_from_right_ones(path, here):
    notebook, wrong_answers = read(path), WRONG_ANSWERS.get(path.stem, [])
    found = list(triples(notebook))
    assert len(wrong_answers) == len(found), "one list of wrong answers an exercise"
    assert min(map(len, wrong_answers)) >= 2, "each exercise needs two typical wrong answers"
    namespace, done, faults = {"display": MagicMock()}, [], []
    for (position, exercise, check, solution), wrong in zip(found, wrong_answers, strict=True):
        tried = trials(exercise, solution, wrong)
        sources = [check.source, *(code for code, _, _ in tried)]
        before = [c for c in notebook.cells[:position] if c.cell_type == "code"]
        for cell in needed_cells(before, exercise.source, sources):
            if cell not in done:
                exec(TransformerManager().transform_cell(cell.source), namespace)
                done.append(cell)
        for code, start, hint in tried:
            said = execute(code, namespace) + execute(check.source, namespace)
            if not re.fullmatch(rf"{start} .*{re.escape(hint)}.*\n", said):
                faults.append(f"{code!r} must get one line '{start} …{hint}…', but got {said!r}")
    assert not faults, "\n".join(faults)


def test_wrong_answers_belong_to_a_notebook():
    assert set(WRONG_ANSWERS) <= {path.stem for path in WITH_EXERCISES}
