"""Notebook 10 runs to its end without the optional packages, and says which ones are missing."""

import ast
import os
import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PATH = ROOT / "notebooks" / "10_memory_footprint.ipynb"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = [Requirement(line).name for line in PROJECT["optional-dependencies"]["extras"]]


def asked_for(cell):
    """Return the packages that a cell gives to ``have``."""
    if cell.cell_type != "code" or "have(" not in cell.source:
        return []
    calls = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
    calls = [node for node in calls if getattr(node.func, "id", "") == "have"]
    return [argument.value for node in calls for argument in node.args]


def said(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


@pytest.fixture(scope="module")
def without_extras():
    """The notebook, executed with one seed where no extra can be imported."""
    notebook = nbformat.read(PATH, as_version=4)
    block = f"import sys; sys.modules.update(dict.fromkeys({EXTRAS}))"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(block))
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(PATH.parent)}},
    )
    return client.execute(env=os.environ | {"MNIST_SEEDS": "1"})


def test_the_notebook_asks_for_extras_of_the_list():
    asked = {name for cell in nbformat.read(PATH, as_version=4).cells for name in asked_for(cell)}
    assert asked
    assert asked <= set(EXTRAS)


def test_each_cell_names_what_is_missing(without_extras):
    cells = [cell for cell in without_extras.cells if asked_for(cell)]
    assert cells
    for cell in cells:
        named = re.findall(r"Left out, for want of (.+). Run %pip install \1 and", said(cell))
        assert " ".join(named).split() == asked_for(cell), said(cell)


def test_the_rest_goes_on(without_extras):
    """An assert that fails, or any other error, would have ended the fixture."""
    text = nbformat.writes(without_extras)
    assert "| dense |" in text
    assert "int8, onnxruntime |" not in text


def test_the_committed_outputs_have_the_extras():
    cells = nbformat.read(PATH, as_version=4).cells
    assert not [said(cell) for cell in cells if asked_for(cell) and "Left out" in said(cell)]
    assert any(
        "| int8, onnxruntime |" in nbformat.writes(nbformat.v4.new_notebook(cells=[cell]))
        for cell in cells
    )


def test_the_extras_are_installed_here():
    """Else the tests of the notebook itself would pass without ever running these cells."""
    installed = {name for names in packages_distributions().values() for name in names}
    assert set(EXTRAS) <= installed, 'python -m pip install -e ".[extras]"'
