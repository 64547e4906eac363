"""Every notebook has the form that the lessons and the other tests rely on."""

import ast
import copy
import re
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from workshop import words

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
URL = PROJECT["urls"]["Repository"]
COLAB = URL.replace("https://github.com/", "https://colab.research.google.com/github/")

SET_UP = f'''try:
    import mnist_helpers
except ModuleNotFoundError:  # Colab: fetch the helper package, and nothing else
    %pip install -q --no-deps "git+{URL}"'''

CODE_TAGS = {"exercise", "check", "picture", "slow", "interactive", "stderr"}
CODE_TAGS |= {"nbval-ignore-output", "raises-exception"}


def tags(cell):
    return set(cell.metadata.get("tags", []))


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def markdown_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def is_start_page(path):
    """Tell whether this is 00, a map rather than a lesson: it needs no exercises."""
    return path.name.startswith("00")


def code_lines(cell):
    return [line for line in cell.source.splitlines() if line.strip()]


def nodes(cell, *kinds):
    """Return the nodes of these kinds in the syntax tree of a cell."""
    source = re.sub(r"^%%.*", "", cell.source)
    tree = ast.parse(TransformerManager().transform_cell(source))
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def prose(cell):
    """Return the source of a Markdown cell without its code."""
    without_blocks = re.sub(r"^```.*?^```", "", cell.source, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "`code`", without_blocks)


def images(cell):
    """Yield (alt text, address) of the images in a Markdown cell."""
    yield from re.findall(r"!\[([^\]]*)\]\(([^)\s]*)", prose(cell))
    for tag in re.findall(r"<img\b[^>]*>", prose(cell)):
        attributes = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        yield attributes.get("alt", ""), attributes.get("src", "")


def output_text(output):
    """Return all that an output says in words."""
    said = [output.get("text", ""), output.get("evalue", ""), *output.get("traceback", [])]
    said += [text for kind, text in output.get("data", {}).items() if kind.startswith("text/")]
    return "\n".join(said)


# The rules: each yields its complaints about a notebook.


def counts_are_complete(notebook, path):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts must be 1 to {len(counts)}: {counts}; run `make notebooks`"


def errors_are_meant(notebook, path):
    for cell in code_cells(notebook):
        failed = any(output.output_type == "error" for output in cell.outputs)
        if failed != ("raises-exception" in tags(cell)):
            yield f"an error and the tag raises-exception belong together: {cell.source!r}"


def warnings_are_meant(notebook, path):
    for cell in code_cells(notebook):
        warned = any(output.get("name") == "stderr" for output in cell.outputs)
        if warned and "stderr" not in tags(cell):
            yield f"output on stderr needs the tag stderr: {cell.source!r}"


def metadata_is_clean(notebook, path):
    if extra := notebook.metadata.keys() - {"kernelspec", "language_info"}:
        yield f"notebook metadata that belongs to an editor or a widget: {extra}"
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        yield "the kernel must be python3"
    for cell in notebook.cells:
        if extra := cell.metadata.keys() - {"tags"}:
            yield f"cell metadata other than tags: {extra} in {cell.source!r}"
    if len({cell.get("id", "") for cell in notebook.cells}) < len(notebook.cells):
        yield "each cell must have an id of its own"


def size_is_small(notebook, path):
    size = len(nbformat.writes(notebook).encode())
    if size >= 300_000:
        yield f"{size / 1000:.0f} kB, but must be below 300: draw smaller or fewer figures"


def outputs_name_no_machine(notebook, path):
    for cell in code_cells(notebook):
        text = "\n".join(map(output_text, cell.outputs))
        for found in re.findall(
            rf"(?:{re.escape(str(ROOT))}|/home/|/root/|/Users/|/tmp/)\S*", text
        ):
            yield f"an output names a folder of the machine that ran it: {found}"


def title_is_one(notebook, path):
    if not re.match(r"# [A-Z]", notebook.cells[0].source):
        yield "the first cell must start with '# ' and a title"
    titles = [line for cell in markdown_cells(notebook) for line in headings(cell, 1)]
    if len(titles) != 1:
        yield f"there must be one heading of the first level: {titles}"


def headings(cell, level):
    return re.findall(rf"^{'#' * level} .*\S", prose(cell), flags=re.MULTILINE)


def badge_opens_this_notebook(notebook, path):
    badge = (
        "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        f"({COLAB}/blob/main/notebooks/{path.name})"
    )
    if badge not in notebook.cells[0].source.splitlines():
        yield f"the first cell must have the line {badge}"


def lists_come_first(notebook, path):
    first = notebook.cells[0].source
    for name in ("You will do", "You will learn", "Before this"):
        if not re.search(rf"^\*\*{name}\*\*\s*\n+[-*] \S", first, flags=re.MULTILINE):
            yield f"the first cell must have **{name}** with a list below"
    if not re.search(r"^\*\*Time\*\*: .*\d", first, flags=re.MULTILINE):
        yield "the first cell must have a line '**Time**: …' with the minutes"


def set_up_cell_is_the_same(notebook, path):
    if notebook.cells[1].cell_type != "code" or notebook.cells[1].source != SET_UP:
        yield f"the second cell must be the set-up cell:\n{SET_UP}"


def sections_end_as_agreed(notebook, path):
    expected = ["## Exercises", "## Say it in an interview", "## Where next"]
    if is_start_page(path):
        expected = expected[-1:]
    found = [line for cell in markdown_cells(notebook) for line in headings(cell, 2)]
    if found[-len(expected) :] != expected:
        yield f"the last sections must be {expected}: {found}"
    last = markdown_cells(notebook)[-1].source.rpartition("## Where next")[-1]
    if "](" not in last:
        yield "the notebook must end with a link to where to go next"


def interview_questions_are_folded(notebook, path):
    text = "\n".join(cell.source for cell in markdown_cells(notebook))
    section = text.partition("## Say it in an interview")[-1].partition("## Where next")[0]
    if not is_start_page(path) and not 2 <= section.count("<details>") <= 4:
        yield "there must be two to four interview questions, each with its answer in <details>"


def nbval_is_told_by_tags(notebook, path):
    for cell in code_cells(notebook):
        if re.search(r"#\s*(NBVAL_|PYTEST_VALIDATE)", cell.source):
            yield f"use a tag in place of the NBVAL_ comment: {cell.source!r}"
        if cell.source.rstrip().endswith(";"):
            yield f"nbval does not honour the semicolon at the end: {cell.source!r}"


def tags_are_known(notebook, path):
    for cell in notebook.cells:
        allowed = CODE_TAGS if cell.cell_type == "code" else {"solution"}
        if unknown := tags(cell) - allowed:
            yield f"tags that mean nothing in a {cell.cell_type} cell: {unknown}"


def ignored_output_is_asserted(notebook, path):
    cells = code_cells(notebook)
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        if not {"nbval-ignore-output", "interactive"} & tags(cell):
            continue
        asserts = nodes(following, ast.Assert) if following else []
        if not asserts:
            yield f"the next code cell must assert what this one claims: {cell.source!r}"
        elif "interactive" not in tags(cell) and not any(node.msg for node in asserts):
            yield f"an assert about measured output needs a message: {following.source!r}"


def code_cells_are_short(notebook, path):
    lengths = [len(code_lines(cell)) for cell in code_cells(notebook)]
    if statistics.median(lengths) > 6:
        yield f"the median code cell has {statistics.median(lengths)} lines, more than 6"
    for cell, length in zip(code_cells(notebook), lengths, strict=True):
        if length > 25 and not nodes(cell, ast.FunctionDef, ast.ClassDef):
            yield f"a code cell of {length} lines, more than 25: {cell.source!r}"


def number_of_cells_is_right(notebook, path):
    most = 60 if int(path.name[:2]) <= 7 else 90
    if not 20 <= len(notebook.cells) <= most:
        yield f"{len(notebook.cells)} cells, but must be 20 to {most}"


def prose_is_in_proportion(notebook, path):
    count = sum(len(words(cell.source)) for cell in markdown_cells(notebook))
    average = count / len(code_cells(notebook))
    if not 40 <= average <= 100:
        yield f"{average:.0f} words of prose a code cell, but must be 40 to 100"


def images_have_alt_text(notebook, path):
    for cell in markdown_cells(notebook):
        for alt, address in images(cell):
            if not alt.strip():
                yield f"an image without alt text: {address}"


def links_lead_somewhere(notebook, path):
    for cell in markdown_cells(notebook):
        targets = re.findall(r"\]\(([^)\s]+)", prose(cell))
        targets += re.findall(r'\b(?:href|src)="([^"]+)"', prose(cell))
        for target in targets:
            file = unquote(target.partition("#")[0])
            if file and not re.match(r"[a-z]+:", file) and not (path.parent / file).exists():
                yield f"a link to a file that does not exist: {target}"


def exercises_are_triples(notebook, path):
    numbers = [n for n, cell in enumerate(notebook.cells) if "exercise" in tags(cell)]
    triple = ["exercise", "check", "solution"]
    parts = [
        (n, tag) for n, cell in enumerate(notebook.cells) for tag in triple if tag in tags(cell)
    ]
    if parts != [(n + k, tag) for n in numbers for k, tag in enumerate(triple)]:
        yield "each exercise must be followed by its check and its solution, and by nothing else"
        return
    if not (0 if is_start_page(path) else 2) <= len(numbers) <= 4:
        yield f"there must be two to four exercises, but there are {len(numbers)}"
    for n in numbers:
        yield from faults_of_exercise(*notebook.cells[n - 1 : n + 3])


def faults_of_exercise(task, exercise, check, solution):
    place = f"the exercise after {task.source!r}"
    if task.cell_type != "markdown":
        yield f"{place} needs its task in the cell before"
    if exercise.source.splitlines()[:1] != ["# Write your code here."]:
        yield f"{place} must start with the line '# Write your code here.'"
    said = "".join(output.get("text", "") for output in check.get("outputs", []))
    if not re.fullmatch(r"Not yet: .+\n", said):
        yield f"{place} must be committed unsolved, its check saying 'Not yet: …': {said!r}"
    folded = r"<details>.*^```python$.*^```$.*</details>"
    if not re.search(folded, solution.source, flags=re.MULTILINE | re.DOTALL):
        yield f"{place} needs its solution as a python block in <details>"


RULES = [
    counts_are_complete,
    errors_are_meant,
    warnings_are_meant,
    metadata_is_clean,
    size_is_small,
    outputs_name_no_machine,
    title_is_one,
    badge_opens_this_notebook,
    lists_come_first,
    set_up_cell_is_the_same,
    sections_end_as_agreed,
    interview_questions_are_folded,
    nbval_is_told_by_tags,
    tags_are_known,
    ignored_output_is_asserted,
    code_cells_are_short,
    number_of_cells_is_right,
    prose_is_in_proportion,
    images_have_alt_text,
    links_lead_somewhere,
    exercises_are_triples,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_form(path, rule):
    complaints = list(rule(nbformat.read(path, as_version=4), path))
    assert not complaints, "\n".join(complaints)


def test_every_notebook_has_a_number_of_its_own():
    numbers = [path.name[:2] for path in NOTEBOOKS]
    assert numbers[0] == "00" and len(set(numbers)) == len(numbers)
    assert {path.name for path in (ROOT / "notebooks").glob("*.ipynb")} == {
        path.name for path in NOTEBOOKS
    }


def test_citation_names_the_repository():
    found = re.findall(r"https://github\.com/[^\s\"']+", (ROOT / "CITATION.cff").read_text("utf-8"))
    assert found
    assert set(found) == {URL}


def test_sanitise_rules_are_few_and_named():
    lines = (ROOT / "tests" / "sanitize.cfg").read_text(encoding="utf-8").splitlines()
    kinds = [line[0] if line[:1] == "[" else line.partition(":")[0] for line in lines]
    rules = [kind for kind in kinds if kind in ("[", "regex", "replace")]
    assert rules == ["[", "regex", "replace"] * (len(rules) // 3)
    assert 1 <= len(rules) // 3 <= 6


def test_nbval_compares_what_it_should(tmp_path):
    """Durations and stderr may differ; all else that is printed may not."""
    source = "import sys\nprint('took 7 s, step 3')\nprint('a warning', file=sys.stderr)"
    committed = {
        "another duration": ("stdout", "took 5 s, step 3\n"),
        "another number": ("stdout", "took 7 s, step 4\n"),
        "another stream": ("stderr", "took 7 s, step 3\n"),
    }
    cells = [nbformat.v4.new_code_cell(source, execution_count=1) for _ in committed]
    for cell, (name, text) in zip(cells, committed.values(), strict=True):
        cell.outputs = [nbformat.v4.new_output("stream", name=name, text=text)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "made_up.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-v"]
    command += ["-p", "conftest", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    assert re.findall(r"Cell (\d) (PASSED|FAILED)", said) == [
        ("0", "PASSED"),
        ("1", "FAILED"),
        ("2", "FAILED"),
    ], said


# A rule that cannot fail is not a rule: each must be content with a good notebook, and complain
# about one in which a single thing is wrong.


def good_notebook():
    """Return a made-up notebook that follows every rule, as if it were notebooks/02_made_up."""
    v4 = nbformat.v4
    first = f"""# Make a notebook up

[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({COLAB}/blob/main/notebooks/02_made_up.ipynb)

**You will do**
- one thing

**You will learn**
- another

**Before this**
- nothing

**Time**: 1 minute to run, 2 to teach"""
    exercise = [
        v4.new_markdown_cell("### Exercise\nAdd one and one."),
        v4.new_code_cell("# Write your code here.", metadata={"tags": ["exercise"]}),
        v4.new_code_cell("print('Not yet: add')", metadata={"tags": ["check"]}),
        v4.new_markdown_cell(
            "<details>\n\n```python\nsum = 1 + 1\n```\n</details>", metadata={"tags": ["solution"]}
        ),
    ]
    exercise[2].outputs = [v4.new_output("stream", name="stdout", text="Not yet: add\n")]
    cells = [
        v4.new_markdown_cell(first),
        v4.new_code_cell(SET_UP),
        v4.new_code_cell("import time\n\nimport torch"),
        v4.new_markdown_cell("## Look\n" + "word " * 400 + "![alt](data/MNIST/NOTICE.md)"),
        v4.new_code_cell("print(time.time())", metadata={"tags": ["nbval-ignore-output"]}),
        v4.new_code_cell("assert time.time() > 0, 'clocks count up'"),
        v4.new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]}),
        v4.new_markdown_cell("## Exercises"),
        *exercise,
        *copy.deepcopy(exercise),
        v4.new_markdown_cell("## Say it in an interview" + "\n<details>no</details>" * 2),
        v4.new_markdown_cell("## Where next\n[The web](https://example.org)"),
        *[v4.new_markdown_cell("[More](https://example.org)") for _ in range(3)],
    ]
    cells[6].outputs = [v4.new_output("error", ename="ZeroDivisionError", evalue="by zero")]
    for number, cell in enumerate(cells):
        cell.id = str(number)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = v4.new_notebook(cells=cells, metadata=kernel)
    for number, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = number
    return notebook


def write(number, text):
    """Return a mutation that writes ``text`` into a cell."""
    return lambda notebook: notebook.cells[number].update(source=text)


def append(number, text):
    return lambda notebook: notebook.cells[number].update(
        source=notebook.cells[number].source + text
    )


def replace(number, old, new):
    return lambda notebook: notebook.cells[number].update(
        source=notebook.cells[number].source.replace(old, new)
    )


def tag(number, *names):
    return lambda notebook: notebook.cells[number].metadata.update(tags=list(names))


def show(number, **output):
    """Return a mutation that adds a stream of output to a cell."""
    output = nbformat.v4.new_output("stream", **output)
    return lambda notebook: notebook.cells[number].outputs.append(output)


MUTATIONS = [
    (counts_are_complete, lambda notebook: notebook.cells[5].update(execution_count=None)),
    (counts_are_complete, lambda notebook: notebook.cells[5].update(execution_count=9)),
    (errors_are_meant, tag(6)),
    (errors_are_meant, tag(5, "raises-exception")),
    (warnings_are_meant, show(5, name="stderr", text="warned")),
    (metadata_is_clean, lambda notebook: notebook.metadata.update(widgets={})),
    (metadata_is_clean, lambda notebook: notebook.metadata.kernelspec.update(name="mine")),
    (metadata_is_clean, lambda notebook: notebook.cells[5].metadata.update(collapsed=True)),
    (metadata_is_clean, lambda notebook: notebook.cells[5].update(id="1")),
    (size_is_small, show(5, name="stdout", text="x" * 300_000)),
    (outputs_name_no_machine, show(5, name="stdout", text="in /home/me/notebooks")),
    (
        outputs_name_no_machine,
        lambda notebook: notebook.cells[6].outputs[0].traceback.append(__file__),
    ),
    (title_is_one, replace(0, "# Make", "## Make")),
    (title_is_one, append(3, "\n# Another title")),
    (badge_opens_this_notebook, replace(0, "02_made_up", "03_made_up")),
    (badge_opens_this_notebook, replace(0, URL.split("/")[-2], "somebody")),
    (lists_come_first, replace(0, "- nothing", "nothing")),
    (lists_come_first, replace(0, "**Time**", "Time")),
    (set_up_cell_is_the_same, replace(1, " --no-deps", "")),
    (set_up_cell_is_the_same, replace(1, URL, "https://example.org")),
    (sections_end_as_agreed, write(7, "## Practice")),
    (sections_end_as_agreed, lambda notebook: notebook.cells.append(notebook.cells[7])),
    (sections_end_as_agreed, write(-1, "The end.")),
    (interview_questions_are_folded, replace(16, "<details>", "")),
    (nbval_is_told_by_tags, append(5, "  # NBVAL_SKIP")),
    (nbval_is_told_by_tags, append(5, ";")),
    (tags_are_known, tag(5, "nbval-skip")),
    (tags_are_known, tag(3, "slow")),
    (ignored_output_is_asserted, write(5, "time.time() > 0")),
    (ignored_output_is_asserted, replace(5, ", 'clocks count up'", "")),
    (ignored_output_is_asserted, tag(6, "interactive")),
    (ignored_output_is_asserted, tag(14, "interactive")),
    (code_cells_are_short, write(5, "x = 1\n" * 26)),
    (
        code_cells_are_short,
        lambda notebook: [cell.update(source="x\n" * 7) for cell in code_cells(notebook)],
    ),
    (number_of_cells_is_right, lambda notebook: [notebook.cells.pop() for _ in range(5)]),
    (number_of_cells_is_right, lambda notebook: notebook.cells.extend(notebook.cells[3:4] * 41)),
    (prose_is_in_proportion, write(3, "few words, and `this code` and [this](address)")),
    (prose_is_in_proportion, write(3, "```python\n" + "code " * 400 + "\n```")),
    (prose_is_in_proportion, append(3, " word" * 600)),
    (images_have_alt_text, replace(3, "![alt]", "![]")),
    (images_have_alt_text, append(3, '<img src="data/MNIST/NOTICE.md">')),
    (links_lead_somewhere, append(3, "[dead](99_not_there.ipynb#part)")),
    (links_lead_somewhere, append(3, '<a href="99_not_there.ipynb">')),
    (exercises_are_triples, tag(10)),
    (exercises_are_triples, lambda notebook: notebook.cells.pop(11)),
    (exercises_are_triples, lambda notebook: [notebook.cells.pop(8) for _ in range(4)]),
    (exercises_are_triples, write(9, "x = 1")),
    (exercises_are_triples, replace(11, "```python", "```")),
    (exercises_are_triples, replace(11, "<details>", "")),
    (exercises_are_triples, show(10, name="stdout", text="Not yet: twice\n")),
]


def test_good_notebook_passes():
    path = ROOT / "notebooks" / "02_made_up.ipynb"
    notebook = good_notebook()
    assert [line for rule in RULES for line in rule(notebook, path)] == []
    long_class = "class A:\n" + "    x = 1\n" * 30
    write(5, long_class)(notebook)
    assert not list(code_cells_are_short(notebook, path))


@pytest.mark.parametrize(("rule", "mutation"), MUTATIONS, ids=lambda value: value.__name__)
def test_rule_can_fail(rule, mutation):
    notebook = good_notebook()
    mutation(notebook)
    assert list(rule(notebook, ROOT / "notebooks" / "02_made_up.ipynb"))


def test_each_rule_is_tried():
    assert {rule for rule, _ in MUTATIONS} == set(RULES)
