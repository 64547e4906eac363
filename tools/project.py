"""What tools and tests share: where things are, how notebooks are read, what they teach."""

import ast
import os
import re
import shutil
import symtable
import tomllib
import types
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
DATA = NOTEBOOKS / "data"
RAW = DATA / "MNIST" / "raw"  # the four packed files
PACKAGE = ROOT / "mnist_helpers"
DOCS = ROOT / "docs"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
URL = PROJECT["urls"]["Repository"]
COLAB = URL.replace("https://github.com/", "https://colab.research.google.com/github/")

PYTHON_MAGICS = ("%%time", "%%timeit", "%%capture")  # what stands below them is Python


def paths():
    """Return the paths of the numbered notebooks, in order."""
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def path_of(name):
    """Return the path of a notebook: of 5, "05", "05_training", or of the path itself."""
    if isinstance(name, Path):
        return name
    start = f"{name:02}" if isinstance(name, int) else str(name).removesuffix(".ipynb")
    found = [path for path in paths() if start in (path.name[:2], path.stem)]
    if not found:
        raise LookupError(f"there is no notebook {name!r} in {NOTEBOOKS}")
    return found[0]


def read(name):
    """Return the notebook that ``path_of`` finds, as nbformat reads it."""
    return nbformat.read(path_of(name), as_version=4)


def write(notebook, path):
    """Write a notebook as it is committed: the same bytes on every system."""
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")


def tags(cell):
    return set(cell.metadata.get("tags", []))


def tagged(notebook, tag):
    return [cell for cell in notebook.cells if tag in tags(cell)]


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def markdown_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def printed(cell):
    """Return what a code cell has printed."""
    return "".join(output.get("text", "") for output in cell.get("outputs", []))


def words(text):
    """Return the words that a reader sees in Markdown: no code blocks, addresses, tags."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"\]\([^)]*\)|<[^>]*>", " ", re.sub(r"`[^`\n]*`", "`code`", text))
    return [word for word in text.split() if re.search(r"\w", word)]


def replaced(text, begin, new, end):
    """Return ``text`` with what stands between two lines replaced by ``new``."""
    before, _, rest = text.partition(begin)
    return before + begin + new + end + rest.partition(end)[2]


def without_badge(text):
    """Return Markdown without the badge, which opens the notebook of the repository."""
    return re.sub(r"^\[!\[Open in Colab\].*\n\n?", "", text, flags=re.MULTILINE)


def relink(text, folder, copied):
    """Return Markdown with its links to files changed to where these are for somebody who got it.

    Args:
        folder: where the page or notebook is in the repository.
        copied: {path in the repository: path in the copy}. Whatever else is there is linked to
            where it is published.
    """

    def changed(match):
        before, target, part = match.groups()
        path = Path(os.path.normpath(folder / target))
        if not target or re.match(r"[a-z]+:", target) or not path.exists():
            return match[0]
        place, kind = path.relative_to(ROOT), "tree" if path.is_dir() else "blob"
        return before + copied.get(place, f"{URL}/{kind}/main/{place.as_posix()}") + part

    return re.sub(r'(\]\(|\b(?:href|src)=")([^)\s"#]*)((?:#[^)\s"]*)?)', changed, text)


def installed_chromium():
    """Return the path of the system's Chromium or Chrome, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def parse_cell(source):
    """Return the syntax tree of a cell without its magics; nothing for another language's."""
    if source.startswith("%%"):
        magic, _, source = source.partition("\n")
        if magic.split()[0] not in PYTHON_MAGICS:
            return ast.Module([], [])
    return ast.parse(TransformerManager().transform_cell(source))


def trees(name):
    """Return the syntax trees of a notebook's code cells, without those that are meant to fail."""
    cells = code_cells(read(name))
    return [parse_cell(cell.source) for cell in cells if "raises-exception" not in tags(cell)]


def definitions(tree):
    """Yield (name, node) of what a module or cell defines, also below its ``if``, ``try``, …"""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name, node
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            for child in ast.walk(node):
                if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
                    yield child.id, node
        else:
            yield from definitions(node)


def imports(tree):
    """Yield (name, node) of what a module or cell imports at its top level."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], node
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield from imports(node)


def globals_of(node):
    """Return the global names that a definition needs when it runs or is called."""
    tables, names = [symtable.symtable(ast.unparse(node), "notebook", "exec")], set()
    for table in tables:
        outermost = table.get_type() == "module"
        names |= {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_referenced() and (outermost or symbol.is_global())
        }
        tables += table.get_children()
    return names


def taught(notebook, *names, **given):
    """Return what a notebook defines as a module, without running its cells.

    Executed are the definitions of ``names``, and of whatever these use: imports, functions,
    classes, and values (which may take their time). Of several definitions of a name, the last
    one counts.

    Args:
        notebook: as for ``path_of``.
        names: of functions, classes or values.
        given: values for global names, in place of what the notebook would compute.

    Returns:
        a module; what is set in it is what its functions see.

    Raises:
        LookupError: the notebook does not define one of the names.
    """
    path = path_of(notebook)
    parsed = trees(path)
    imported = [pair for tree in parsed for pair in imports(tree)]
    defined = [pair for tree in parsed for pair in definitions(tree)]
    last = dict(defined)
    place = {id(node): number for number, (_, node) in enumerate(imported + defined)}
    wanted, seen, nodes = list(names), set(given), []
    for name in wanted:
        if name in seen:
            continue
        seen.add(name)
        found = [last[name]] if name in last else [n for other, n in imported if other == name]
        if not found and name in names:
            raise LookupError(f"{path.stem} does not define {name}")
        nodes += [node for node in found if node not in nodes]
        for node in found:
            wanted += globals_of(node)
    module = types.ModuleType(path.stem)
    module.__dict__.update(given)
    nodes.sort(key=lambda node: place[id(node)])
    exec(compile(ast.Module(nodes, []), path.name, "exec"), module.__dict__)
    return module


def defined_in(notebook, wanted):
    """Return the names that a notebook defines and ``wanted`` accepts, in order."""
    found = [name for tree in trees(notebook) for name, _ in definitions(tree) if wanted(name)]
    return list(dict.fromkeys(found))


def arms_of(notebook):
    """Return the arms of a notebook's experiments, {name: function of a seed}."""
    names = defined_in(notebook, lambda name: name.endswith("_ARMS"))
    arms, module = {}, taught(notebook, *names)
    for name in names:
        more = getattr(module, name)
        if twice := arms.keys() & more.keys():
            raise ValueError(f"two arms have the same name: {sorted(twice)}")
        arms |= more
    return arms


def claims_of(notebook):
    """Return the claims of a notebook: functions from results to a verdict."""
    names = defined_in(notebook, lambda name: name.startswith("claim_"))
    if not names:
        return []
    module = taught(notebook, *names)
    return [getattr(module, name) for name in names]


def number_of(notebook):
    """Return the number of a notebook as its files have it, such as "08"."""
    return path_of(notebook).name[:2]
