"""The glossary: each term is linked where it is used first, each link leads to an entry."""

import re

import nbformat
import pytest
from glossary import LINK, PAGE, anchor, entries, link, link_terms, patterns
from project import DOCS, ROOT, markdown_cells, paths, read, tags

TEXT = PAGE.read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
# A word in italics or bold after these is being introduced, unless it is only stressed.
INTRODUCED = re.compile(r"(?:called|[Aa]n?|[Tt]his is the|is the) (\*\*?)([a-z][\w -]+)\1")
STRESSED = {"convolutional", "new", "shuffled", "small", "whole training"}
# Explained where they stand.
OF_OUR_OWN = {"claim", "verdict", "shape", "type", "block", "extras", "peak", "ring", "scale"}
OF_OUR_OWN |= {"signature", "tower", "bell cote"}


def markdown(path):
    """Return the Markdown of a notebook, without the solutions."""
    cells = markdown_cells(read(path))
    return [cell.source for cell in cells if "solution" not in tags(cell)]


def targets(text):
    return re.findall(r"\]\((?:(?:\.\./)?docs/)?glossary\.md#([^)]*)\)", text)


def without_entry(sources, text):
    """Yield the terms that these Markdown cells introduce, and that the glossary does not have."""
    forms = [pattern for pattern, _ in patterns(text)]
    for source in sources:
        for _, term in INTRODUCED.findall(LINK.sub(r"\1", source)):
            if term not in STRESSED | OF_OUR_OWN and not any(f.fullmatch(term) for f in forms):
                yield term


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_first_uses_are_linked(path):
    notebook = read(path)
    before = [cell.source for cell in notebook.cells]
    link_terms(notebook, TEXT)
    assert [cell.source for cell in notebook.cells] == before, "run `python tools/glossary.py`"


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_introduced_terms_have_an_entry(path):
    assert not list(without_entry(markdown(path), TEXT))


@pytest.mark.parametrize("path", [*paths(), *PAGES], ids=lambda path: path.stem)
def test_links_lead_to_an_entry(path):
    text = path.read_text(encoding="utf-8")
    assert set(targets(text)) <= {anchor(term) for term in entries(TEXT)}


def test_every_entry_is_linked_and_says_where_it_is_taught():
    sources = [source for path in paths() for source in markdown(path)]
    linked = {target for source in sources for target in targets(source)}
    said = {path.name: " ".join(markdown(path)).replace("_", " ") for path in paths()}
    for term, body in entries(TEXT).items():
        assert anchor(term) in linked, f"no notebook uses {term!r}"
        taught = re.search(r" Taught in \[(\d\d)\]\((?:\.\./)?notebooks/(\1_\w+\.ipynb)\)\.$", body)
        assert taught, term
        forms = [form for form, target in patterns(TEXT) if target == anchor(term)]
        assert any(form.search(said[taught[2]]) for form in forms), (
            f"{taught[1]} does not say {term!r}"
        )


def test_entries_are_in_order_and_their_anchors_work_everywhere():
    terms = list(entries(TEXT))
    assert terms == sorted(set(terms)) and len(terms) == TEXT.count("\n## ")
    # GitHub makes small letters of a heading, JupyterLab does not.
    assert all(re.fullmatch(r"[a-z -]+|md5 sum", term) for term in terms)


GLOSSARY = """## batch
Some images. Taught in [01](notebooks/01_imports.ipynb).

## batch norm
A layer. *Also*: batch normalisation. Taught in [08](notebooks/08_best_practices.ipynb).
"""


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Two *batches*.", "Two *[batches](../docs/glossary.md#batch)*."),
        ("a batch, a batch", "a [batch](../docs/glossary.md#batch), a batch"),
        ("batch normalisation", "[batch normalisation](../docs/glossary.md#batch-norm)"),
        ("# batch\n`batch` [batch](x) rebatch", None),
        ("| batch |\n```python\nbatch\n```\n<summary>batch</summary>", None),
    ],
)
def test_a_first_use_is_linked_and_nothing_else(source, expected):
    assert link(source, patterns(GLOSSARY), set()) == (expected or source)


def test_linking_twice_changes_nothing_and_an_old_link_is_moved():
    cells = ["# Title, batch", "A batch.", "The [batch](../docs/glossary.md#batch)."]
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_markdown_cell, cells)))
    assert link_terms(notebook, GLOSSARY) == {"batch"}
    first = [cell.source for cell in notebook.cells]
    assert first == ["# Title, batch", "A [batch](../docs/glossary.md#batch).", "The batch."]
    link_terms(notebook, GLOSSARY)
    assert [cell.source for cell in notebook.cells] == first


def test_a_term_without_an_entry_is_noticed():
    said = ["This is the *wibble*. A *batch*.", "A *small* one, called **wobble**."]
    assert list(without_entry(said, GLOSSARY)) == ["wibble", "wobble"]
