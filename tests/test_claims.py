"""The README's table of claims says what the executed notebooks say."""

import nbformat
import pytest
from project import paths, read

from notebooks import BEGIN, CLAIMS, END, README, VERDICTS, claims, claims_table, with_claims


def test_the_readme_has_the_claims_of_the_notebooks():
    text = README.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    assert with_claims(text, claims_table(paths())) == text, "run `make notebooks`"


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_every_claim_is_in_a_table(path):
    notebook = read(path)
    makes_claims = any("claims.append(" in cell.source for cell in notebook.cells)
    rows = claims(notebook)
    assert bool(rows) == makes_claims, f"claims go into one table that starts with\n{CLAIMS}"
    for row in rows:
        assert len(row) == 3 and all(row), f"claim, measured, verdict: {row}"
        assert row[2] in VERDICTS, f"a verdict is one of {VERDICTS}: {row}"


def made_up(folder, verdict):
    table = nbformat.v4.new_output(
        "display_data", {"text/markdown": CLAIMS + f"| Fish fly | 3 % (1 to 5) | {verdict} |"}
    )
    cells = [nbformat.v4.new_code_cell("claims", outputs=[table])]
    path = folder / "08_fish.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_a_new_verdict_changes_the_table_and_nothing_else(tmp_path):
    text = f"before\n{BEGIN}old\n{END}after\n"
    first = with_claims(text, claims_table([made_up(tmp_path, "partly")]))
    assert "| Fish fly | [08](notebooks/08_fish.ipynb) | 3 % (1 to 5) | partly |\n" in first
    assert "measured</b>: 0 true, 1 partly, 0 not here<" in first
    second = with_claims(first, claims_table([made_up(tmp_path, "true")]))
    assert second != first and "measured</b>: 1 true, 0 partly, 0 not here<" in second
    for changed in (first, second):
        assert changed.startswith(f"before\n{BEGIN}") and changed.endswith(f"{END}after\n")
