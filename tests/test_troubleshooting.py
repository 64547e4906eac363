"""'If something goes wrong' has a section for each message, and notebook 00 finds it."""

import http.server
import importlib
import importlib.metadata
import re
import threading
from pathlib import Path

import nbformat
import pytest
import torch
from torchvision.datasets import MNIST

from mnist_helpers import load_mnist

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
CELLS = nbformat.read(ROOT / "notebooks" / "00_start_here.ipynb", as_version=4).cells


@pytest.fixture(scope="module")
def start():
    """The names that the cells of notebook 00 define, up to the verdict."""
    names = {}
    for cell in CELLS:
        if cell.cell_type == "code" and "problems = []" in cell.source:
            return names
        if cell.cell_type == "code" and "%pip" not in cell.source:
            exec(cell.source, names)


def anchor(heading):
    return heading.lower().replace(" ", "-")


def test_every_link_of_the_page_leads_to_a_section():
    assert re.findall(r"[^\w -]", "".join(HEADINGS)) == []  # the anchors stay simple
    assert {f"#{anchor(heading)}" for heading in HEADINGS} >= set(
        re.findall(r"\]\((#[^)]*)\)", PAGE)
    )


def test_every_section_is_in_the_table():
    table = PAGE.partition("\n## ")[0]
    linked = re.findall(r"\[(.*?)\]\(#(.*?)\) \|", table)
    assert linked == [(heading, anchor(heading)) for heading, _ in linked]
    assert set(HEADINGS) == {heading for heading, _ in linked} | {"How we know"}


def test_notebook_00_names_sections_of_the_page(start):
    assert set(start["SECTIONS"].values()) <= set(HEADINGS)
    assert any("](../docs/troubleshooting.md)" in cell.source for cell in CELLS)


def refused_download(folder):
    class Refuse(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(403)

        def log_message(self, *arguments):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Refuse)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        try:
            load_mnist(folder)
        finally:
            server.shutdown()


def old_torch(start):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.metadata, "version", lambda name: "0.1")
        start["check_versions"]()


def no_helpers(start):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        start["check_helpers"]()


FAULTS = {
    "refused": (lambda start, folder: refused_download(folder), "The data cannot be downloaded"),
    "memory": (lambda start, folder: torch.empty(10**13), "Out of memory"),
    "kernel": (lambda start, folder: importlib.import_module("not_here"), "The wrong kernel"),
    "package": (lambda start, folder: importlib.metadata.version("nothing"), "The wrong kernel"),
    "old": (lambda start, folder: old_torch(start), "A package is too old"),
    "helpers": (lambda start, folder: no_helpers(start), "The helper package is missing"),
    "other": (lambda start, folder: 1 / 0, None),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_notebook_00_finds_the_section_for_a_real_message(start, fault, tmp_path):
    bring_about, section = FAULTS[fault]
    with pytest.raises(Exception) as caught:
        bring_about(start, tmp_path)
    problem = f"check: {caught.type.__name__}: {caught.value}"
    advice = f"\n  If something goes wrong: {section}" if section else ""
    assert start["explain"](problem) == problem + advice


def test_notebook_00_knows_the_message_of_two_builds(start):
    message = "RuntimeError: operator torchvision::nms does not exist"
    assert message in PAGE
    assert "PyTorch and torchvision do not fit together" in start["explain"](message)
