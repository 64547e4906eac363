"""Each message has a section in "If something goes wrong", and the check of a machine finds it."""

import http.server
import importlib
import importlib.metadata
import re
import threading
from pathlib import Path

import pytest
import torch
from project import DATA, DOCS, markdown_cells, read
from torchvision.datasets import MNIST

from mnist_helpers import files, load_mnist, ready

PAGE = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)


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


def test_the_check_names_sections_of_the_page():
    assert set(ready.SECTIONS.values()) <= set(HEADINGS)
    assert any("](../docs/troubleshooting.md)" in cell.source for cell in markdown_cells(read(0)))


def test_a_tilde_means_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))  # Windows
    folders = []
    monkeypatch.setattr(ready, "CHECKS", [folders.append])
    for folder in ["~/data", Path("~/data")]:
        ready.check(folder)
    assert [*map(Path, folders)] == [tmp_path / "data"] * 2


def test_a_machine_that_is_ready(capsys):
    assert ready.check(DATA) == []
    assert capsys.readouterr().out.splitlines()[-1] == "Ready"


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
        patch.setattr(files, "repository_files", list)
        try:
            load_mnist(folder)
        finally:
            server.shutdown()


def old_packages(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.metadata, "version", lambda name: "0.1")
        ready.check_packages(folder)


def old_python(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("platform.python_version", lambda: "3.10.4")
        ready.check_python(folder)


def cut_short(folder):
    raise RuntimeError("operator torchvision::nms does not exist")


FAULTS = {
    "refused": (refused_download, "The data cannot be downloaded"),
    "memory": (lambda folder: torch.empty(10**13), "Out of memory"),
    "kernel": (lambda folder: importlib.import_module("not_here"), "The wrong kernel"),
    "package": (lambda folder: importlib.metadata.version("nothing"), "The wrong kernel"),
    "old": (old_packages, "A package is too old"),
    "python": (old_python, "Python is too old"),
    "two builds": (cut_short, "PyTorch and torchvision do not fit together"),
    "other": (lambda folder: 1 / 0, None),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_check_finds_the_section_for_a_real_message(fault, tmp_path, monkeypatch, capsys):
    bring_about, section = FAULTS[fault]
    monkeypatch.setattr(ready, "CHECKS", [bring_about])
    (problem,) = ready.check(tmp_path)
    *_, cure = problem.split("\n  ")
    advice = f"The cure: docs/troubleshooting.md, {section}"
    assert (cure == advice) if section else ("The cure" not in problem)
    said = capsys.readouterr().out
    assert said == f"Fix this first:\n{problem}\n"


def test_the_message_of_two_builds_is_on_the_page():
    assert "RuntimeError: operator torchvision::nms does not exist" in PAGE
