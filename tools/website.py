"""Build the site from the committed notebooks and documents: make site.

Nothing is executed but the training of the front page's network, one epoch, and nothing comes from
the web. The pages are first put together in a folder of their own, in which links to files of the
repository lead to its address, and cells that only check something are left out.
"""

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote

from paper import print_path
from project import (
    DOCS,
    ROOT,
    URL,
    code_cells,
    markdown_cells,
    paths,
    read,
    relink,
    tags,
    without_badge,
    write,
)

SITE = ROOT / "site"
PARTS = DOCS / "site"  # the settings, the front page, and its style
# JupyterLab keeps capitals and signs in the anchors of headings, Sphinx does not.
ANCHOR = re.compile(r'((?:\]\(|\bhref=")[^)\s"#:]*#)([^)\s"]+)')
WIDGET = "application/vnd.jupyter.widget-view+json"


def pages():
    """Return {where a page goes: the file it is made from}."""
    documents = {Path("docs", path.name): path for path in sorted(DOCS.glob("*.md"))}
    notebooks = {Path("notebooks", path.name): path for path in paths()}
    documents[Path("CONTRIBUTING.md")] = ROOT / "CONTRIBUTING.md"
    return documents | notebooks


def with_links(text, source, known):
    """Return Markdown whose links lead to pages of the site, or else to the repository.

    Args:
        source: the file that the text is from.
        known: files that the site has.
    """

    def from_here(path):
        return os.path.relpath(path, source.parent).replace(os.sep, "/")

    def for_sphinx(match):
        return match[1] + re.sub(r"[^\w-]", "", unquote(match[2]).lower())

    copied = {path.relative_to(ROOT): from_here(path) for path in known}
    copied[Path("README.md")] = from_here(ROOT / "index.md")
    return relink(ANCHOR.sub(for_sphinx, text), source.parent, copied)


def fold(cell, name):
    """Show a bar with a name in place of a cell's code, until it is opened."""
    cell.metadata["tags"] = ["hide-input"]
    prompts = {"code_prompt_show": f"Show {name}", "code_prompt_hide": f"Hide {name}"}
    cell.metadata["mystnb"] = prompts


def for_readers(notebook, source, known):
    """Change a notebook into a page: what only serves its running is folded or left out."""
    notebook.metadata.pop("widgets", None)
    for cell in markdown_cells(notebook):
        cell.source = with_links(without_badge(cell.source), source, known)
        for name, kinds in cell.pop("attachments", {}).items():
            kind, data = next(iter(kinds.items()))
            cell.source = cell.source.replace(f"attachment:{name}", f"data:{kind};base64,{data}")
    title = notebook.cells[0]
    title.source = title.source.replace("# ", f"# {source.name[:2]} ", 1)  # texts say "in 05"
    cells = code_cells(notebook)
    for number, cell in enumerate(cells):
        for output in cell.outputs:
            output.get("data", {}).pop(WIDGET, None)
        pictures = any("image/png" in output.get("data", {}) for output in cell.outputs)
        shows_more = pictures or "def " in cell.source
        only_checks = "check" in tags(cell) or ("assert " in cell.source and not shows_more)
        if number == 0:
            fold(cell, "the set-up cell, the same in each notebook")
        elif "collapsed" in tags(cell) and only_checks:
            cell.metadata["tags"] = ["remove-cell"]
        elif "collapsed" in tags(cell):
            fold(cell, "the folded code")
    return notebook


def put_together(folder):
    """Write all that Sphinx needs into a folder."""
    known = pages()
    files = set(known.values())
    for place, source in known.items():
        target = folder / place
        target.parent.mkdir(exist_ok=True)
        if source.suffix == ".ipynb":
            write(for_readers(read(source), source, files), target)
        else:
            text = source.read_text(encoding="utf-8")
            target.write_text(with_links(text, source, files), encoding="utf-8")
    front = (PARTS / "index.md").read_text(encoding="utf-8")
    front = front.replace("REPOSITORY", URL).replace("FOLDER", URL.rpartition("/")[2])
    (folder / "index.md").write_text(front, encoding="utf-8")
    shutil.copy(PARTS / "conf.py", folder)
    static = folder / "_static"
    static.mkdir()
    shutil.copy(PARTS / "site.css", static)
    mathjax = importlib.util.find_spec("jupyter_server_mathjax").submodule_search_locations[0]
    shutil.copytree(Path(mathjax, "static"), static / "mathjax")


def put_explorer(page, given=None, epochs=1):
    """Write the page that shows the inside of a network: the given one, or one trained now."""
    if given:
        shutil.copy(given, page)
        return
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-m", "mnist_helpers", "train", f"--epochs={epochs}"]
        subprocess.run([*command, f"--output={output}"], cwd=ROOT, check=True)
        shutil.copy(Path(output, "my_network.html"), page)


def build(source, site):
    """Let Sphinx write the site; a warning is an error."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    tools = {"PYTHONPATH": str(ROOT / "tools")}  # conf.py asks project.py for the address
    subprocess.run([*command, source, site], check=True, env=os.environ | tools)
    (site / ".nojekyll").touch()  # GitHub Pages would leave out folders such as _static


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=SITE)
    parser.add_argument("--explorer", type=Path, help="a page that is there already: no training")
    parser.add_argument("--pdf", action="store_true", help="print 00 to 06 into path.pdf, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, built = Path(folder, "pages"), Path(folder, "site")  # Sphinx leaves more beside it
        source.mkdir()
        put_together(source)
        extra = source / "extra"
        extra.mkdir()
        put_explorer(extra / "explorer.html", arguments.explorer)
        build(source, built)
        shutil.copytree(built, arguments.output, dirs_exist_ok=True)
    if arguments.pdf:
        print_path(arguments.output, arguments.output / "path.pdf")
    print(f"The site is in {arguments.output}: open {arguments.output / 'index.html'}")


if __name__ == "__main__":
    main()
