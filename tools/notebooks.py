"""Execute the notebooks, top to bottom, and clean what is committed: make notebooks.

The README's table of claims is made from what they then say.
"""

import argparse
import base64
import io
import os
import re
import sys
import sysconfig
import time
from collections import Counter
from pathlib import Path

import nbformat
from glossary import PAGE, link_terms
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
PICTURE = ROOT / ".github" / "mistakes.png"  # the README shows it
README = ROOT / "README.md"
CLAIMS = "| Claim | Measured | Verdict |\n|---|---|---|\n"  # how a notebook's table starts
VERDICTS = ["true", "partly", "not here"]
BEGIN, END = "<!-- claims: make notebooks writes this -->\n", "<!-- end of claims -->\n"
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
# Tracebacks name files. A reader has them elsewhere, so the folders before their names go.
MACHINE = [
    (re.escape(sysconfig.get_path("purelib") + os.sep), ""),
    (re.escape(sysconfig.get_path("stdlib") + os.sep), ""),
    (re.escape(str(ROOT) + os.sep), ""),
    (r"\S*[/\\]ipykernel_\d+[/\\]\d+\.py", "notebook"),
]


def execute(path):
    """Return the notebook at ``path``, executed anew in its folder.

    Widgets write their state into its metadata (without it, nbclient fails at ``interact``).
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        coalesce_streams=True,
        record_timing=False,
    )
    return client.execute()


def clean(notebook):
    """Keep sources, ids, tags, outputs and counts; drop what differs from run to run."""
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat_minor = 5
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = with_fewer_colors(output.data["image/png"])
            if "traceback" in output:
                output.traceback = [without_machine(line) for line in output.traceback]
            if output.get("name") == "stderr":
                output.text = without_machine(output.text)
    nbformat.validate(notebook)
    return notebook


def with_fewer_colors(text):
    """Return a PNG in base64 with 256 colours at most: less than half the size, unseen.

    The colours are those that cover the picture best, not the most frequent ones: a colour bar has
    many that cover a few pixels each.
    """
    picture = Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB")
    small = io.BytesIO()
    few = picture.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(small, "PNG", optimize=True)
    return min(base64.b64encode(small.getvalue()).decode(), text, key=len)


def picture(notebook):
    """Return the PNG that the cell tagged 'picture' has drawn, or None without such a cell."""
    for cell in notebook.cells:
        if "picture" in cell.metadata.get("tags", []):
            return base64.b64decode(cell.outputs[0].data["image/png"])


def claims(notebook):
    """Return the rows [claim, measured, verdict] of the table of claims in a notebook's output."""
    rows = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            text = output.get("data", {}).get("text/markdown", "")
            if text.startswith(CLAIMS):
                lines = text.removeprefix(CLAIMS).strip().splitlines()
                rows += [[part.strip() for part in line.strip("| ").split("|")] for line in lines]
    return rows


def claims_table(paths):
    """Return the README's table of the claims in these notebooks, folded."""
    lines, verdicts = [], Counter()
    for path in paths:
        for claim, measured, verdict in claims(nbformat.read(path, as_version=4)):
            notebook = f"[{path.name[:2]}](notebooks/{path.name})"
            lines.append(f"| {claim} | {notebook} | {measured} | {verdict} |\n")
            verdicts[verdict] += 1
    said = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in VERDICTS)
    title = f"<b>{verdicts.total()} sentences that people say, measured</b>: {said}"
    head = "| Claim | Notebook | Measured | Verdict |\n|---|---|---|---|\n"
    fold = f"<details><summary>{title}</summary>\n\n{head}{''.join(lines)}\n</details>\n"
    return fold


def replaced(text, begin, new, end):
    """Return ``text`` with what stands between two lines replaced by ``new``."""
    before, _, rest = text.partition(begin)
    return before + begin + new + end + rest.partition(end)[2]


def with_claims(text, table):
    """Return the README's text with its table of claims replaced by ``table``."""
    return replaced(text, BEGIN, table, END)


def without_machine(text):
    """Return ``text`` without the folders of the machine that ran the notebook."""
    for pattern, replacement in MACHINE:
        text = re.sub(pattern, replacement, text)
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of them by default")
    paths = parser.parse_args().notebooks or sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
    os.environ.setdefault("MNIST_SEEDS", "10")
    glossary, finished = PAGE.read_text(encoding="utf-8"), {}
    for path in paths:
        started = time.perf_counter()
        try:
            notebook = clean(execute(path.resolve()))
            link_terms(notebook, glossary)
            finished[path] = nbformat.writes(notebook) + "\n"
        except CellExecutionError as error:
            sys.exit(f"{path.name} failed, and nothing was written:\n{error}")
        seconds, size = time.perf_counter() - started, len(finished[path].encode()) / 1000
        print(f"{path.name}: {seconds:.1f} s, {size:.0f} kB", flush=True)
    for path, text in finished.items():
        path.write_text(text, encoding="utf-8", newline="\n")
        if png := picture(nbformat.reads(text, as_version=4)):
            PICTURE.write_bytes(png)
    table = claims_table(sorted(FOLDER.glob("[0-9][0-9]_*.ipynb")))
    text = with_claims(README.read_text(encoding="utf-8"), table)
    README.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
