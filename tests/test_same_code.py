"""What a notebook teaches is the code that the package runs, and the package stays small."""

import ast
import io
import tokenize
from collections import defaultdict
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

import mnist_helpers

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
PACKAGE = sorted((ROOT / "mnist_helpers").glob("*.py"))
SCRIPTS = [*PACKAGE, *(ROOT / "tests").glob("*.py"), *(ROOT / "tools").glob("*.py")]
TAUGHT = [
    path
    for path in PACKAGE
    if path.stem in ("model", "data", "training", "pictures", "fast", "checkpoints")
]
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
MOST_LINES = 400  # of what the notebooks import
MOST_LINES_OF_COMMANDS = 165  # of __main__.py: the terminal's commands, which no notebook imports
MOST_LINES_IN_A_FUNCTION = 20


def parse_cell(source):
    """Return the syntax tree of a cell without its magics; nothing for another language's."""
    if source.startswith("%%"):
        magic, _, source = source.partition("\n")
        if magic.split()[0] not in ("%%time", "%%timeit", "%%capture"):
            return ast.Module([], [])
    return ast.parse(TransformerManager().transform_cell(source))


def notebook_trees(path):
    """Return the syntax trees of a notebook's code cells."""
    cells = nbformat.read(path, as_version=4).cells
    return [
        parse_cell(cell.source)
        for cell in cells
        if cell.cell_type == "code" and "raises-exception" not in cell.metadata.get("tags", [])
    ]


def definitions(tree):
    """Yield (name, node) of what a module or cell defines, also below its ``if``, ``try``, …"""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (*FUNCTION, ast.ClassDef)):
            yield node.name, node
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            for child in ast.walk(node):
                if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
                    yield child.id, node
        else:
            yield from definitions(node)


def without_docstrings(node):
    """Return the node as text that differs when the code does, and not when docstrings do."""
    node = ast.parse(ast.unparse(node))
    for child in ast.walk(node):
        if isinstance(child, (*FUNCTION, ast.ClassDef)) and ast.get_docstring(child) is not None:
            child.body = child.body[1:]
    return ast.dump(node)


def defined_in_notebooks(paths):
    """Return {name: [(notebook, node), …]} of everything that the notebooks define."""
    found = defaultdict(list)
    for path in paths:
        for tree in notebook_trees(path):
            for name, node in definitions(tree):
                found[name].append((path.stem, node))
    return found


def code_lines(source):
    """Return the numbers of the lines that hold code.

    Docstrings, comments, blank lines, and strings assigned to ``_esm`` or ``_css`` (a widget's
    JavaScript and style) do not count.
    """
    not_code = set()
    for node in ast.walk(ast.parse(source)):
        documented = isinstance(node, (ast.Module, ast.ClassDef, *FUNCTION))
        if documented and ast.get_docstring(node) is not None:
            not_code |= lines_of(node.body[0])
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("_esm", "_css"):
            not_code |= lines_of(node.value)
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    layout |= {tokenize.ENCODING, tokenize.ENDMARKER}
    code = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in layout:
            code |= set(range(token.start[0], token.end[0] + 1))
    return code - not_code


def lines_of(node):
    return set(range(node.lineno, node.end_lineno + 1))


def function_lengths(source):
    """Return {name: number of code lines in its body} of all functions, nested ones too."""
    code = code_lines(source)
    return {
        node.name: len(code & set(range(node.body[0].lineno, node.end_lineno + 1)))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, FUNCTION)
    }


def has_star_import(tree):
    return any(
        isinstance(node, ast.ImportFrom) and any(name.name == "*" for name in node.names)
        for node in ast.walk(tree)
    )


TAUGHT_CODE = {
    name: node
    for path in TAUGHT
    for name, node in definitions(ast.parse(path.read_text(encoding="utf-8")))
}


@pytest.fixture(scope="module")
def taught_in():
    return defined_in_notebooks(NOTEBOOKS)


@pytest.mark.parametrize("name", sorted(TAUGHT_CODE.keys() | set(mnist_helpers.__all__)))
def test_taught_once_and_the_same(name, taught_in):
    places = [notebook for notebook, _ in taught_in[name]]
    assert len(places) == 1, f"{name} must be written out in one notebook, but is in {places}"
    in_notebook = without_docstrings(taught_in[name][0][1])
    assert name in TAUGHT_CODE, f"{name} is in __all__, but in no module of what is taught"
    assert in_notebook == without_docstrings(TAUGHT_CODE[name]), (
        f"{name} is not the same code in {places[0]} and in mnist_helpers"
    )


def test_package_is_thin():
    counts = {path.name: len(code_lines(path.read_text(encoding="utf-8"))) for path in PACKAGE}
    assert counts.pop("__main__.py") <= MOST_LINES_OF_COMMANDS
    assert sum(counts.values()) <= MOST_LINES, f"too many lines of code: {counts}"


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: path.name)
def test_functions_are_short(path):
    lengths = function_lengths(path.read_text(encoding="utf-8"))
    long = {name: length for name, length in lengths.items() if length > MOST_LINES_IN_A_FUNCTION}
    assert not long, f"bodies of more than {MOST_LINES_IN_A_FUNCTION} lines: {long}"


def test_all_is_explicit_and_true():
    tree = ast.parse((ROOT / "mnist_helpers" / "__init__.py").read_text(encoding="utf-8"))
    written = ast.literal_eval(dict(definitions(tree))["__all__"].value)
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert len(written) == len(set(written))
    assert set(written) == {name for name in imported if not name.startswith("_")}


@pytest.mark.parametrize("path", [*SCRIPTS, ROOT / "conftest.py", *NOTEBOOKS], ids=lambda p: p.name)
def test_no_star_import(path):
    if path.suffix == ".py":
        trees = [ast.parse(path.read_text(encoding="utf-8"))]
    else:
        trees = notebook_trees(path)
    assert not any(map(has_star_import, trees)), f"{path.name} imports *"


# The measuring itself is measured, so that it cannot find nothing and be content.

SAMPLE = '''
"""Two lines
of docstring."""
import torch  # code


class Pad(Widget):
    """A docstring."""

    _esm = """
    export default {}
    """
    size = 28


def long(
    argument,
):
    """A docstring."""
    # a comment

    def inner():
        return argument

    text = """counts
    twice"""
    return inner()
'''


def test_lines_are_counted():
    code = [SAMPLE.splitlines()[number - 1].strip() for number in sorted(code_lines(SAMPLE))]
    assert code == [
        "import torch  # code",
        "class Pad(Widget):",
        "size = 28",
        "def long(",
        "argument,",
        "):",
        "def inner():",
        "return argument",
        'text = """counts',
        'twice"""',
        "return inner()",
    ]
    assert function_lengths(SAMPLE) == {"long": 5, "inner": 1}


def test_definitions_are_found():
    cell = (
        "%matplotlib inline\nif 1:\n    @cached\n    def f(): g = 1\na, b = 1, 2\nc: int = 3\nd()"
    )
    assert [name for name, _ in definitions(parse_cell(cell))] == ["f", "a", "b", "c"]
    assert [name for name, _ in definitions(parse_cell("%%time\nx = 1"))] == ["x"]
    assert not list(definitions(parse_cell("%%bash\nfor f in *; do echo; done")))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("def f(a):\n    'B.'\n    # why\n    return a", True),
        ("def f(a):\n    return (a)", True),
        ("def f(a):\n    return a + 0", False),
        ("def f(a=1):\n    return a", False),
        ("@cached\ndef f(a):\n    return a", False),
    ],
)
def test_code_is_compared(other, same):
    taught = ast.parse("def f(a):\n    'A.'\n    return a").body[0]
    assert (without_docstrings(ast.parse(other).body[0]) == without_docstrings(taught)) == same


def test_star_import_is_found():
    assert has_star_import(ast.parse("def f():\n    from torch import *"))
    assert not has_star_import(ast.parse("from torch import nn"))
