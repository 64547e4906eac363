"""Notebook 09 runs to its end without the extras, and says which ones are missing."""

import ast
import re
from importlib.metadata import packages_distributions

import nbformat
import pytest
from nbclient import NotebookClient
from packaging.requirements import Requirement
from project import NOTEBOOKS, PROJECT, printed, read

EXTRAS = [Requirement(line).name for line in PROJECT["optional-dependencies"]["extras"]]
ROWS = {  # what the tables must still say, and what they cannot say without the extras
    "09_transfer_learning": (
        "'from scratch, 10 each': '",
        "EfficientNet-Lite0: 4,652,008 parameters",
    ),
}


def module(package):
    return package.replace("-", "_")


def asked_for(cell):
    """Return the modules that a cell gives to ``have``."""
    if cell.cell_type != "code" or "have(" not in cell.source:
        return []
    calls = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
    calls = [node for node in calls if getattr(node.func, "id", "") == "have"]
    return [argument.value for node in calls for argument in node.args]


@pytest.fixture(scope="module", params=ROWS)
def without_extras(request):
    """A notebook's name, and the notebook executed with one seed where no extra can be imported.

    An assert that fails in it, or any other error, ends the fixture.
    """
    notebook = read(request.param)
    block = f"import sys; sys.modules.update(dict.fromkeys({list(map(module, EXTRAS))}))"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(block))
    client = NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    )
    return request.param, client.execute()


@pytest.mark.parametrize("name", ROWS)
def test_the_notebook_asks_for_extras_of_the_list(name):
    asked = {package for cell in read(name).cells for package in asked_for(cell)}
    assert asked
    assert asked <= set(map(module, EXTRAS))


@pytest.mark.weekly
def test_each_cell_names_what_is_missing(without_extras):
    cells = [cell for cell in without_extras[1].cells if asked_for(cell)]
    assert cells
    for cell in cells:
        named = re.findall(r"Left out, for want of (.+). Run %pip install \1 and", printed(cell))
        assert list(map(module, " ".join(named).split())) == asked_for(cell), printed(cell)


@pytest.mark.weekly
def test_the_rest_goes_on(without_extras):
    name, notebook = without_extras
    text = nbformat.writes(notebook)
    there, gone = ROWS[name]
    assert there in text
    assert gone not in text


@pytest.mark.parametrize("name", ROWS)
def test_the_committed_outputs_have_the_extras(name):
    notebook = read(name)
    cells = [cell for cell in notebook.cells if asked_for(cell)]
    assert not [printed(cell) for cell in cells if "Left out" in printed(cell)]
    assert ROWS[name][1] in nbformat.writes(notebook)


def test_the_extras_are_installed_here():
    """Else the tests of the notebooks themselves would pass without ever running these cells."""
    installed = {name for names in packages_distributions().values() for name in names}
    assert set(EXTRAS) <= installed, 'python -m pip install -e ".[extras]"'
