"""What tools and tests take out of notebooks is what stands there."""

import ast

import nbformat
import pytest
from project import definitions, imports, parse_cell, path_of, taught, words, write

v4 = nbformat.v4


def test_definitions_and_imports_are_found():
    cell = (
        "%matplotlib inline\nif 1:\n    @cached\n    def f(): g = 1\na, b = 1, 2\nc: int = 3\nd()"
    )
    assert [name for name, _ in definitions(parse_cell(cell))] == ["f", "a", "b", "c"]
    assert [name for name, _ in definitions(parse_cell("%%time\nx = 1"))] == ["x"]
    assert not list(definitions(parse_cell("%%bash\nfor f in *; do echo; done")))
    tree = ast.parse("import os.path\ntry:\n    from a import b as c, d\nexcept E:\n    pass")
    assert [name for name, _ in imports(tree)] == ["os", "c", "d"]


def test_a_notebook_is_found_by_number_name_or_path():
    path = path_of(5)
    assert path.stem == "05_training"
    assert path_of("05") == path_of("05_training") == path_of("05_training.ipynb") == path
    assert path_of(path) == path
    with pytest.raises(LookupError, match="'5_nothing'"):
        path_of("5_nothing")


@pytest.fixture
def path(tmp_path):
    cells = [
        "import math\nSTEPS = 3\nnoise = 1 / 0",
        "def area(r):\n    return 0",
        "def area(r):\n    return round(math.pi) * r**2",
        "def total(noise):\n    return sum(map(area, range(STEPS))) + noise",
        "def noisy():\n    return noise",
        "raise ValueError",
    ]
    path = tmp_path / "05_made_up.ipynb"
    write(v4.new_notebook(cells=list(map(v4.new_code_cell, cells))), path)
    return path


def test_functions_are_taken_with_what_they_use_and_nothing_else_is_run(path):
    lesson = taught(path, "total")
    assert lesson.total(1) == 3 * (0 + 1 + 4) + 1
    assert not hasattr(lesson, "noise")
    lesson.STEPS = 2
    assert lesson.total(0) == 3


def test_values_can_be_given(path):
    assert taught(path, "noisy", noise=5).noisy() == 5
    with pytest.raises(ZeroDivisionError):
        taught(path, "noisy")


def test_what_is_not_there_is_named(path):
    with pytest.raises(LookupError, match="05_made_up does not define volume"):
        taught(path, "area", "volume")


def test_words_are_those_that_a_reader_sees():
    assert words("Two `code spans` and [a link](https://x.org).\n```python\nno = 1\n```") == [
        "Two",
        "`code`",
        "and",
        "[a",
        "link",
    ]
