"""The linter of notebooks is content with a good notebook, and each rule names what is wrong."""

import nbformat
import pytest
from form import COLLAPSED, RULES, SET_UP, complaints, faults_of_names
from project import COLAB, NOTEBOOKS, ROOT, code_cells

v4 = nbformat.v4
PATH = NOTEBOOKS / "02_made_up.ipynb"
FIRST = f"""# Make a notebook up

[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({COLAB}/blob/main/notebooks/02_made_up.ipynb)

**What you will do**
- one thing

**What you will learn**
- another

**What you need first**
- nothing"""


def code(source, *tags, said="", **metadata):
    outputs = [v4.new_output("stream", text=said)] if said else []
    return v4.new_code_cell(source, metadata={"tags": list(tags)} | metadata, outputs=outputs)


def exercise():
    return [
        v4.new_markdown_cell("### Exercise\nAdd one and one."),
        code("# Write your code here.", "exercise"),
        code("print('Not yet: add')", "check", "collapsed", said="Not yet: add\n", **COLLAPSED),
        v4.new_markdown_cell(
            "<details>\n\n```python\n1 + 1\n```\n</details>", metadata={"tags": ["solution"]}
        ),
    ]


def good_notebook():
    """Return a made-up notebook that follows every rule."""
    markdown = v4.new_markdown_cell
    cells = [
        markdown(FIRST),
        code(SET_UP),
        code("import torch\n\ntorch.zeros(1)", said="tensor([0.])\n"),
        markdown("## Look\n" + "word " * 400 + "![alt](data/MNIST/NOTICE.md)"),
        code("share = measure()", "nbval-ignore-output"),
        code("assert share > 0, 'it counts'", "collapsed", **COLLAPSED),
        code("1 / 0", "raises-exception"),
        markdown("## Exercises"),
        *exercise(),
        *exercise(),
        markdown("## Say it in an interview" + "\n<details>no</details>" * 2),
        markdown("## Where next\n[The web](https://example.org)"),
        *[markdown("[More](https://example.org)") for _ in range(3)],
    ]
    cells[6].outputs = [v4.new_output("error", ename="ZeroDivisionError", evalue="by zero")]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = v4.new_notebook(cells=cells, metadata=kernel)
    for number, cell in enumerate(cells):
        cell.id = str(number)
    for number, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = number
    return notebook


def test_a_good_notebook_gets_no_complaint():
    assert complaints(good_notebook(), PATH) == {}


def test_a_class_may_be_long():
    notebook = good_notebook()
    notebook.cells[2].source = "class A:\n" + "    x = 1\n" * 30
    assert complaints(notebook, PATH) == {}


def test_measured_cells_in_a_row_may_share_their_asserts():
    notebook = good_notebook()
    notebook.cells[2].metadata.tags = ["nbval-ignore-output"]
    assert complaints(notebook, PATH) == {}


def write(number, text):
    """Return a change that writes ``text`` into a cell."""
    return lambda cells: cells[number].update(source=text)


def add(number, text):
    return lambda cells: cells[number].update(source=cells[number].source + text)


def replace(number, old, new):
    return lambda cells: cells[number].update(source=cells[number].source.replace(old, new))


def retag(number, *tags):
    return lambda cells: cells[number].metadata.update(tags=list(tags))


def show(number, text, name="stdout"):
    return lambda cells: cells[number].outputs.append(v4.new_output("stream", text=text, name=name))


WRONG = [
    ("counts_are_complete", lambda cells: cells[5].update(execution_count=9)),
    ("errors_are_meant", retag(6)),
    ("errors_are_meant", retag(2, "raises-exception")),
    ("warnings_are_meant", show(2, "warned", name="stderr")),
    ("metadata_is_clean", lambda cells: cells[2].metadata.update(collapsed=True)),
    ("metadata_is_clean", lambda cells: cells[5].metadata.pop("cellView")),
    ("metadata_is_clean", lambda cells: cells[2].metadata.update(COLLAPSED)),
    ("metadata_is_clean", lambda cells: cells[5].update(id="1")),
    ("size_is_small", show(2, "x" * 400_000)),
    ("outputs_name_no_machine", show(2, "in /home/me/notebooks")),
    ("outputs_name_no_machine", show(2, str(ROOT))),
    ("title_is_one", replace(0, "# Make", "## Make")),
    ("title_is_one", add(3, "\n# Another title")),
    ("badge_opens_this_notebook", replace(0, "02_made_up", "03_made_up")),
    ("lists_come_first", replace(0, "- nothing", "nothing")),
    ("set_up_cell_is_the_same", replace(1, " --no-deps", "")),
    ("something_is_seen_at_once", lambda cells: cells[2].update(outputs=[])),
    ("sections_end_as_agreed", write(7, "## Practice")),
    ("sections_end_as_agreed", write(-1, "The end.")),
    ("interview_questions_are_folded", replace(16, "<details>", "")),
    ("nbval_is_told_by_tags", add(2, "  # NBVAL_SKIP")),
    ("nbval_is_told_by_tags", add(2, ";")),
    ("tags_are_known", retag(2, "nbval-skip")),
    ("tags_are_known", retag(3, "slow")),
    ("ignored_output_is_asserted", write(5, "share > 0")),
    ("ignored_output_is_asserted", replace(5, ", 'it counts'", "")),
    ("ignored_output_is_asserted", retag(5)),
    ("ignored_output_is_asserted", retag(14, "interactive")),
    ("asserts_read_no_clock", write(5, "assert seconds < 5, 'fast'")),
    ("code_cells_are_short", write(2, "x = 1\n" * 26)),
    ("length_is_right", lambda cells: cells.__delitem__(slice(17, None))),
    ("length_is_right", lambda cells: cells.extend(cells[3:4] * 50) or write(7, "")(cells)),
    (
        "predictions_are_few",
        lambda cells: cells.extend([v4.new_markdown_cell("**Predict:** ")] * 7),
    ),
    ("prose_is_in_proportion", write(3, "few words, and `this code` and [this](address)")),
    ("prose_is_in_proportion", add(3, " word" * 600)),
    ("images_have_alt_text", replace(3, "![alt]", "![]")),
    ("images_have_alt_text", add(3, '<img src="data/MNIST/NOTICE.md">')),
    ("links_lead_somewhere", add(3, "[dead](99_not_there.ipynb#part)")),
    ("links_lead_somewhere", add(3, '<a href="99_not_there.ipynb">')),
    ("exercises_are_triples", retag(10)),
    ("exercises_are_triples", lambda cells: cells.pop(11)),
    ("exercises_are_triples", lambda cells: cells.__delitem__(slice(8, 12))),
    ("exercises_are_triples", write(9, "x = 1")),
    ("exercises_are_triples", replace(11, "```python", "```")),
    ("exercises_are_triples", show(10, "Not yet: twice\n")),
    ("checks_are_collapsed", retag(10, "check")),
]


@pytest.mark.parametrize(
    ("rule", "change"), WRONG, ids=[f"{rule}-{number}" for number, (rule, _) in enumerate(WRONG)]
)
def test_a_rule_complains(rule, change):
    notebook = good_notebook()
    change(notebook.cells)
    assert rule in complaints(notebook, PATH)


def test_each_rule_has_an_example():
    assert {rule for rule, _ in WRONG} == {rule.__name__ for rule in RULES}


def test_the_lab_has_limits_of_its_own():
    path, notebook = NOTEBOOKS / "08_made_up.ipynb", good_notebook()
    long = [v4.new_code_cell("x = 1\n" * 20) for _ in range(24)]
    notebook.cells[3:3] = [*long, *[v4.new_markdown_cell("word") for _ in range(20)]]
    assert complaints(notebook, path)["length_is_right"] == ["493 lines of code, more than 450"]
    notebook.cells[3:3] = [v4.new_markdown_cell("word") for _ in range(20)]
    told = complaints(notebook, path)["length_is_right"]
    assert "71 cells before the exercises, more than 60" in told


def test_the_start_page_needs_no_exercises_but_a_way_on():
    path, notebook = NOTEBOOKS / "00_made_up.ipynb", good_notebook()
    notebook.cells[0].source = FIRST.partition("**You")[0].replace("02_made", "00_made")
    onward = [v4.new_markdown_cell("[Next](01_imports.ipynb)") for _ in range(13)]
    notebook.cells[7:] = onward
    assert complaints(notebook, path) == {}
    for cell in onward:
        cell.source = "On we go."
    assert set(complaints(notebook, path)) == {"sections_end_as_agreed"}


def test_names_are_numbers_in_a_row():
    assert not list(faults_of_names(["01_b.ipynb", "00_a.ipynb"]))
    for names in (["01_b.ipynb"], ["00_a.ipynb", "00_b.ipynb"], ["00_a.ipynb", "draft.ipynb"]):
        assert list(faults_of_names(names))


def test_sanitise_rules_are_few_and_named():
    lines = (ROOT / "tests" / "sanitize.cfg").read_text(encoding="utf-8").splitlines()
    kinds = [line[0] if line[:1] == "[" else line.partition(":")[0] for line in lines]
    rules = [kind for kind in kinds if kind in ("[", "regex", "replace")]
    assert rules == ["[", "regex", "replace"] * (len(rules) // 3)
    assert 1 <= len(rules) // 3 <= 6
