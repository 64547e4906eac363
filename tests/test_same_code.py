"""What a notebook teaches is the code that the package runs, and the lesson modules stay small."""

import ast
import io
import tokenize

import pytest
from project import PACKAGE, definitions, paths, trees

import mnist_helpers

LESSONS = ["model", "data", "training", "pictures", "fast", "checkpoints", "claims"]
MOST_LINES = 500  # of code in these modules together
START_PAGE = "00_start_here"  # writes CNN out as well, without the guard
GUARD = "check_images(images)"
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def module_trees(stems):
    files = [PACKAGE / f"{stem}.py" for stem in stems]
    return {f.stem: ast.parse(f.read_text(encoding="utf-8")) for f in files if f.exists()}


LESSON_CODE = {
    name: node for tree in module_trees(LESSONS).values() for name, node in definitions(tree)
}


@pytest.fixture(scope="module")
def in_notebooks():
    """{name: {notebook: the last definition in it}} of everything that the notebooks define."""
    found = {}
    for path in paths():
        for tree in trees(path):
            for name, node in definitions(tree):
                found.setdefault(name, {})[path.stem] = node
    return found


def without_docstrings(node, guard=None):
    """Return the code of a definition without docstrings and comments, and without the guard."""
    node = ast.parse(ast.unparse(node))
    for child in ast.walk(node):
        if isinstance(child, DOCUMENTED):
            if ast.get_docstring(child) is not None:
                child.body = child.body[1:]
            child.body = [line for line in child.body if ast.unparse(line) != guard]
    return ast.unparse(node)


@pytest.mark.parametrize("name", sorted(LESSON_CODE))
def test_taught_once_and_the_same(name, in_notebooks):
    places = dict(in_notebooks.get(name, {}))
    if name == "CNN":
        plain = places.pop(START_PAGE, LESSON_CODE[name])
        expected = without_docstrings(LESSON_CODE[name], GUARD)
        assert without_docstrings(plain, GUARD) == expected, "00 has another CNN"
    assert len(places) == 1, f"{name} must be written out in one notebook, but is in {[*places]}"
    ((notebook, node),) = places.items()
    assert without_docstrings(node) == without_docstrings(LESSON_CODE[name]), (
        f"{name} is not the same code in {notebook} and in mnist_helpers"
    )


def test_the_plain_class_is_the_class_without_its_guard():
    guarded = LESSON_CODE["CNN"]
    assert without_docstrings(guarded) != without_docstrings(guarded, GUARD)


def test_what_the_package_offers_is_taught_or_a_tool():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    imported = {
        alias.asname or alias.name: node.module.rpartition(".")[2]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    offered = mnist_helpers.__all__
    assert len(offered) == len(set(offered))
    assert set(offered) == {name for name in imported if not name.startswith("_")}
    assert {name for name in offered if imported[name] in LESSONS} <= LESSON_CODE.keys()


def lines_of_code(source):
    """Count the lines that hold code: not docstrings, comments and blank lines."""
    documentation = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            documentation |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    code = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in layout | {tokenize.ENDMARKER}:
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(code - documentation)


def test_the_lessons_are_thin():
    files = [PACKAGE / f"{stem}.py" for stem in LESSONS]
    counts = {f.name: lines_of_code(f.read_text("utf-8")) for f in files if f.exists()}
    assert sum(counts.values()) <= MOST_LINES, counts


def test_lines_of_code_are_counted():
    source = '''"""Two lines
of docstring."""
import torch  # code


def double(
    number,
):
    """A docstring."""
    # a comment

    return """two
    lines""" * number
'''
    assert lines_of_code(source) == 6
