"""Check the form of the notebooks: python tools/form.py [notebooks]; make lint does it for all.

The lessons and the tests rely on it. Each rule yields its complaints about one notebook.
"""

import argparse
import ast
import json
import re
import statistics
import sys
from pathlib import Path
from urllib.parse import unquote

import nbformat
from project import (
    COLAB,
    NOTEBOOKS,
    ROOT,
    URL,
    code_cells,
    markdown_cells,
    parse_cell,
    paths,
    printed,
    tagged,
    tags,
    words,
)

SET_UP = f'''try:
    import mnist_helpers
except ModuleNotFoundError:  # Colab: fetch the helper package, and nothing else
    %pip install -q --no-deps "git+{URL}"'''

LISTS = "What you will do", "What you will learn", "What you need first"  # in the first cell
CODE_TAGS = {"exercise", "check", "slow", "interactive", "stderr", "collapsed"}
CODE_TAGS |= {"nbval-ignore-output", "raises-exception"}
COLLAPSED = {"jupyter": {"source_hidden": True}, "cellView": "form"}  # JupyterLab's and Colab's

MOST_BYTES = 400_000
FEWEST_CELLS = 20
MOST_CELLS, MOST_CELLS_IN_LAB = 45, 60  # before the exercises; the lab is 08 to 14
MOST_LINES_IN_LAB = 450
CLOCK = re.compile(r"seconds|minutes|elapsed|perf_counter|monotonic")
MOST_PREDICTIONS = 6  # aim at four or five


def is_start_page(path):
    """Tell whether this is 00: the whole lesson on a page, without lists, exercises, interview."""
    return path.name.startswith("00")


def is_in_lab(path):
    return path.name[:2] >= "08"


def visible(notebook):
    """Return the code cells that a learner looks at."""
    return [cell for cell in code_cells(notebook) if "collapsed" not in tags(cell)]


def code_lines(cell):
    return [line for line in cell.source.splitlines() if line.strip()]


def has(cell, *kinds):
    """Return the nodes of these kinds in the syntax tree of a cell."""
    return [node for node in ast.walk(parse_cell(cell.source)) if isinstance(node, kinds)]


def prose(cell):
    """Return the source of a Markdown cell without its code."""
    without_blocks = re.sub(r"^```.*?^```", "", cell.source, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "`code`", without_blocks)


def headings(cell, level):
    return re.findall(rf"^{'#' * level} .*\S", prose(cell), flags=re.MULTILINE)


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


def before_exercises(notebook):
    """Return the cells before the heading of the exercises: all of them without such a heading."""
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown" and "## Exercises" in headings(cell, 2):
            return notebook.cells[:number]
    return notebook.cells


def start(cell):
    """Return what names a cell in a complaint."""
    return f"cell {cell.get('id')}, {cell.source[:60]!r}"


# The rules.


def counts_are_complete(notebook, path):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts must be 1 to {len(counts)}: {counts}; run `make notebooks`"


def errors_are_meant(notebook, path):
    for cell in code_cells(notebook):
        failed = any(output.output_type == "error" for output in cell.outputs)
        if failed != ("raises-exception" in tags(cell)):
            yield f"an error and the tag raises-exception belong together: {start(cell)}"


def warnings_are_meant(notebook, path):
    for cell in code_cells(notebook):
        warned = any(output.get("name") == "stderr" for output in cell.outputs)
        if warned and "stderr" not in tags(cell):
            yield f"output on stderr needs the tag stderr: {start(cell)}"


def metadata_is_clean(notebook, path):
    if extra := notebook.metadata.keys() - {"kernelspec", "language_info"}:
        yield f"notebook metadata that belongs to an editor or a widget: {extra}"
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        yield "the kernel must be python3"
    for cell in notebook.cells:
        hidden = COLLAPSED if "collapsed" in tags(cell) else {}
        if {key: value for key, value in cell.metadata.items() if key != "tags"} != hidden:
            told = "must be hidden" if hidden else "must have no metadata but its tags"
            yield f"{told}, run `make notebooks`: {start(cell)}"
    if len({cell.get("id", "") for cell in notebook.cells}) < len(notebook.cells):
        yield "each cell must have an id of its own"


def size_is_small(notebook, path):
    size = len(json.dumps(notebook, ensure_ascii=False, indent=1).encode())
    if size >= MOST_BYTES:
        yield f"{size / 1000:.0f} kB, but must be below {MOST_BYTES / 1000:.0f}: draw less"


def outputs_name_no_machine(notebook, path):
    folder = re.compile(rf"(?:{re.escape(str(ROOT))}|/home/|/root/|/Users/|/tmp/)\S*")
    for cell in code_cells(notebook):
        for found in folder.findall("\n".join(map(output_text, cell.outputs))):
            yield f"an output names a folder of the machine that ran it: {found}"


def title_is_one(notebook, path):
    if not re.match(r"# [A-Z]", notebook.cells[0].source):
        yield "the first cell must start with '# ' and a title"
    titles = [line for cell in markdown_cells(notebook) for line in headings(cell, 1)]
    if len(titles) != 1:
        yield f"there must be one heading of the first level: {titles}"


def badge_opens_this_notebook(notebook, path):
    badge = (
        "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        f"({COLAB}/blob/main/notebooks/{path.name})"
    )
    if badge not in notebook.cells[0].source.splitlines():
        yield f"the first cell must have the line {badge}"


def lists_come_first(notebook, path):
    first = notebook.cells[0].source
    for name in () if is_start_page(path) else LISTS:
        if not re.search(rf"^\*\*{name}\*\*\s*\n+[-*] \S", first, flags=re.MULTILINE):
            yield f"the first cell must have **{name}** with a list below"


def set_up_cell_is_the_same(notebook, path):
    if notebook.cells[1].cell_type != "code" or notebook.cells[1].source != SET_UP:
        yield f"the second cell must be the set-up cell:\n{SET_UP}"


def something_is_seen_at_once(notebook, path):
    if is_start_page(path):
        return
    if not any(cell.outputs for cell in code_cells(notebook)[:3]):
        yield "one of the first three code cells must put something on the screen"


def sections_end_as_agreed(notebook, path):
    sources = [cell.source for cell in markdown_cells(notebook)]
    if is_start_page(path):
        if not any("](01_" in source for source in sources):
            yield "the start page must have a link to 01"
        return
    expected = ["## Exercises", "## Say it in an interview", "## Where next"]
    found = [line for cell in markdown_cells(notebook) for line in headings(cell, 2)]
    if found[-3:] != expected:
        yield f"the last sections must be {expected}: {found}"
    if "](" not in sources[-1].rpartition("## Where next")[-1]:
        yield "the notebook must end with a link to where to go next"


def interview_questions_are_folded(notebook, path):
    text = "\n".join(cell.source for cell in markdown_cells(notebook))
    section = text.partition("## Say it in an interview")[-1].partition("## Where next")[0]
    if not is_start_page(path) and not 2 <= section.count("<details>") <= 4:
        yield "there must be two to four interview questions, each with its answer in <details>"


def nbval_is_told_by_tags(notebook, path):
    for cell in code_cells(notebook):
        if re.search(r"#\s*(NBVAL_|PYTEST_VALIDATE)", cell.source):
            yield f"use a tag in place of the NBVAL_ comment: {start(cell)}"
        if cell.source.rstrip().endswith(";"):
            yield f"nbval does not honour the semicolon at the end: {start(cell)}"


def tags_are_known(notebook, path):
    for cell in notebook.cells:
        allowed = CODE_TAGS if cell.cell_type == "code" else {"solution"}
        if unknown := tags(cell) - allowed:
            yield f"tags that mean nothing in a {cell.cell_type} cell: {unknown}"


def ignored_output_is_asserted(notebook, path):
    measured = {"nbval-ignore-output", "interactive"}
    cells = code_cells(notebook)
    for number, cell in enumerate(cells):
        if not measured & tags(cell):
            continue
        # Several such cells in a row may share the cell of asserts behind the last one.
        following = next((c for c in cells[number + 1 :] if not measured & tags(c)), None)
        asserts = has(following, ast.Assert) if following else []
        if not asserts:
            told = "the next code cell, or the one behind a row of such cells, must assert what"
            yield f"{told} this one claims: {start(cell)}"
        elif "interactive" not in tags(cell) and not any(node.msg for node in asserts):
            yield f"an assert about measured output needs a message: {start(following)}"
        elif "collapsed" not in tags(following):
            yield f"asserts about ignored output need the tag collapsed: {start(following)}"


def asserts_read_no_clock(notebook, path):
    for cell in code_cells(notebook):
        for node in has(cell, ast.Assert):
            names = {getattr(n, "id", getattr(n, "attr", "")) for n in ast.walk(node.test)}
            if clocks := {name for name in names if CLOCK.search(name)}:
                yield f"an assert about a time, {clocks}, fails on a busy machine: {start(cell)}"


def code_cells_are_short(notebook, path):
    median = statistics.median(len(code_lines(cell)) for cell in visible(notebook))
    if median > 6:
        yield f"the median code cell has {median} lines, more than 6"
    for cell in code_cells(notebook):
        length = len(code_lines(cell))
        if length > 25 and not has(cell, ast.FunctionDef, ast.ClassDef):
            yield f"a code cell of {length} lines, more than 25: {start(cell)}"


def length_is_right(notebook, path):
    before, most = len(before_exercises(notebook)), MOST_CELLS
    if is_in_lab(path):
        before, most = len(before_exercises(notebook)), MOST_CELLS_IN_LAB
        lines = sum(len(code_lines(cell)) for cell in code_cells(notebook))
        if lines > MOST_LINES_IN_LAB:
            yield f"{lines} lines of code, more than {MOST_LINES_IN_LAB}"
    if before > most:
        yield f"{before} cells before the exercises, more than {most}"
    if len(notebook.cells) < FEWEST_CELLS:
        yield f"{len(notebook.cells)} cells, fewer than {FEWEST_CELLS}"


def predictions_are_few(notebook, path):
    count = sum("**Predict" in cell.source for cell in markdown_cells(notebook))
    if not is_in_lab(path) and count > MOST_PREDICTIONS:
        yield f"{count} cells ask for a prediction, more than {MOST_PREDICTIONS}"


def prose_is_in_proportion(notebook, path):
    if is_start_page(path):  # a map and a table for reference
        return
    count = sum(len(words(cell.source)) for cell in markdown_cells(notebook))
    count -= sum(len(name.split()) for name in LISTS)  # the same in every notebook
    average = count / len(visible(notebook))
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
    place = f"the exercise after {start(task)}"
    if task.cell_type != "markdown":
        yield f"{place} needs its task in the cell before"
    if exercise.source.splitlines()[:1] != ["# Write your code here."]:
        yield f"{place} must start with the line '# Write your code here.'"
    if not re.fullmatch(r"Not yet: .+\n", printed(check)):
        yield f"{place} must be committed unsolved, its check saying 'Not yet: …': {printed(check)}"
    folded = r"<details>.*^```python$.*^```$.*</details>"
    if not re.search(folded, solution.source, flags=re.MULTILINE | re.DOTALL):
        yield f"{place} needs its solution as a python block in <details>"


def checks_are_collapsed(notebook, path):
    for cell in tagged(notebook, "check"):
        if "collapsed" not in tags(cell):
            yield f"a check tells the answer: it needs the tag collapsed: {start(cell)}"


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
    something_is_seen_at_once,
    sections_end_as_agreed,
    interview_questions_are_folded,
    nbval_is_told_by_tags,
    tags_are_known,
    ignored_output_is_asserted,
    asserts_read_no_clock,
    code_cells_are_short,
    length_is_right,
    predictions_are_few,
    prose_is_in_proportion,
    images_have_alt_text,
    links_lead_somewhere,
    exercises_are_triples,
    checks_are_collapsed,
]


def complaints(notebook, path):
    """Return {rule's name: its complaints} for a notebook, without the rules that are content."""
    found = {rule.__name__: list(rule(notebook, path)) for rule in RULES}
    return {name: lines for name, lines in found.items() if lines}


def faults_of_names(names):
    """Yield what is wrong with the names of the files in the folder of notebooks."""
    numbers = [name[:2] for name in sorted(names)]
    if numbers != [f"{number:02}" for number in range(len(numbers))]:
        yield f"notebooks must be numbered from 00, each with a number of its own: {numbers}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of them by default")
    chosen = parser.parse_args().notebooks
    lines = [] if chosen else list(faults_of_names(p.name for p in NOTEBOOKS.glob("*.ipynb")))
    for path in chosen or paths():
        notebook = nbformat.read(path, as_version=4)
        for name, found in complaints(notebook, path).items():
            lines += [f"{path.name}: {line} ({name})" for line in found]
    print("\n".join(lines) or "The notebooks have their form.")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
