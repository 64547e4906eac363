"""Execute the notebooks, top to bottom, and clean what is committed: make notebooks.

Each is kept only if the machine was quiet before and after: times that were measured beside another
program would be wrong for ever.
"""

import argparse
import base64
import io
import os
import re
import sys
import sysconfig
import time
from pathlib import Path

import nbformat
from form import COLLAPSED, size_is_small
from glossary import PAGE, link_terms
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image
from project import ROOT, code_cells, paths, read, write
from quiet import disturbance

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
    notebook = read(path)
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
    """Keep sources, ids, tags, outputs and counts; drop what differs from run to run.

    What is tagged 'collapsed' is hidden in JupyterLab and in Colab; the checks of exercises are
    always.
    """
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat_minor = 5
    for cell in notebook.cells:
        kept = cell.metadata.get("tags", [])
        if "check" in kept and "collapsed" not in kept:
            kept = [*kept, "collapsed"]
        hidden = COLLAPSED if "collapsed" in kept else {}
        cell.metadata = nbformat.from_dict(({"tags": kept} if kept else {}) | hidden)
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = with_fewer_colors(output.data["image/png"])
            if "traceback" in output:
                output.traceback = [without_machine(line) for line in output.traceback]
            if output.get("name") == "stderr":
                output.text = without_machine(output.text)
    nbformat.validate(notebook)
    return notebook


def with_fewer_colors(text, most=256):
    """Return a PNG in base64 with 256 colours at most: less than half the size, unseen.

    The colours are those that cover the picture best, not the most frequent ones: a colour bar has
    many that cover a few pixels each.
    """
    picture, small = Image.open(io.BytesIO(base64.b64decode(text))), io.BytesIO()
    if picture.mode == "P" and len(picture.getcolors()) <= most:
        return text  # from an earlier run
    few = picture.convert("RGB").quantize(
        most, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    )
    few.putpalette(without_tint(few.getpalette()))
    few.save(small, "PNG", optimize=True)
    return min(base64.b64encode(small.getvalue()).decode(), text, key=len)


def without_tint(palette, most=16):
    """Make those colours grey that are nearly so: a palette of few colours tints pale greys."""
    colors = [palette[start : start + 3] for start in range(0, len(palette), 3)]
    nearly = [max(color) - min(color) <= most for color in colors]
    grey = [[round(sum(color) / 3)] * 3 for color in colors]
    chosen = [grey[n] if nearly[n] else color for n, color in enumerate(colors)]
    return [value for color in chosen for value in color]


def fit_size(notebook):
    """Take 128 colours for each picture, then 64, as long as a notebook is too large."""
    for most in (128, 64):
        if not list(size_is_small(notebook, None)):
            return
        for cell in code_cells(notebook):
            for output in cell.outputs:
                if png := output.get("data", {}).get("image/png"):
                    output.data["image/png"] = with_fewer_colors(png, most)


def without_machine(text):
    """Return ``text`` without the folders of the machine that ran the notebook."""
    for pattern, replacement in MACHINE:
        text = re.sub(pattern, replacement, text)
    return text


def stop_if_disturbed(said):
    if fault := disturbance():
        sys.exit(f"{said}: {fault}. Close other programs, or keep the run --anyway.")


def renew(path, arguments):
    """Execute and clean one notebook; write it unless it fails, or the machine was disturbed."""
    started = time.perf_counter()
    try:
        notebook = clean(read(path) if arguments.no_run else execute(path))
    except CellExecutionError as error:
        sys.exit(f"{path.name} failed, and was not written:\n{error}")
    seconds = time.perf_counter() - started
    if arguments.checked:  # what follows it was checked before it, too
        stop_if_disturbed(f"{path.name} was run, but not written")
    link_terms(notebook, PAGE.read_text(encoding="utf-8"))
    fit_size(notebook)
    write(notebook, path)
    print(f"{path.name}: {seconds:.1f} s, {path.stat().st_size / 1000:.0f} kB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of them by default")
    anyway = "keep runs from a disturbed machine, too: the times in them may be wrong"
    parser.add_argument("--anyway", action="store_true", help=anyway)
    parser.add_argument("--no-run", action="store_true", help="only clean what is there")
    arguments = parser.parse_args()
    arguments.checked = not (arguments.anyway or arguments.no_run)
    if arguments.anyway:
        print(
            "--anyway: nobody checked that the machine was quiet, so believe no time in this run."
        )
    elif arguments.checked:
        stop_if_disturbed("Nothing was run")
    for path in arguments.notebooks or paths():
        renew(path.resolve(), arguments)


if __name__ == "__main__":
    main()
