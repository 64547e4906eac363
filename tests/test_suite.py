"""The suite keeps its promises: nothing waits on a clock, no notebook finds another's files."""

import ast
import re
from types import SimpleNamespace

import nbval.plugin
import psutil
import pytest
from project import NOTEBOOKS, ROOT, paths

TESTS = sorted((ROOT / "tests").glob("*.py"))
LEAST_SECONDS = 60  # that a test waits for something, at least
CLOCKS = {"time", "perf_counter", "monotonic", "process_time", "time_ns", "perf_counter_ns"}


@pytest.fixture
def settings(pytestconfig):
    """The conftest.py of the repository: tests/ has another one."""
    return pytestconfig.pluginmanager.get_plugin(str(ROOT / "conftest.py"))


def test_the_seconds_are_those_of_files_that_exist(settings):
    assert settings.SECONDS.keys() <= {path.name for path in [*TESTS, *paths()]}


def test_the_longest_files_come_first_and_stay_whole(settings):
    names = ["test_wheels.py", "05_training.ipynb", "01_imports.ipynb", "08_best_practices.ipynb"]
    items = [SimpleNamespace(path=NOTEBOOKS / name, number=n) for name in names for n in range(2)]
    settings.pytest_collection_modifyitems(items)
    assert [(item.path.stem[:7], item.number) for item in items] == [
        (name, number)
        for name in ["05_trai", "08_best", "01_impo", "test_wh"]
        for number in range(2)
    ]


@pytest.mark.parametrize(
    ("cores", "free", "workers"),
    [(2, 16e9, 3), (2, 9e9, 2), (2, 7e9, 1), (1, 16e9, 2), (2, 1e9, 1), (8, 2e10, 5)],
)
def test_there_is_a_worker_more_than_cores_where_memory_allows(
    settings, monkeypatch, cores, free, workers
):
    monkeypatch.setattr(settings, "number_of_cores", lambda: cores)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    assert settings.pytest_xdist_auto_num_workers(None) == workers


def test_the_workflow_runs_the_tests_as_make_does():
    make = (ROOT / "Makefile").read_text(encoding="utf-8")
    flags = re.search(r"^pytest = \$\(python\) -m pytest (.*)", make, re.MULTILINE)[1]
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    assert f"python -m pytest {flags}\n" in workflow


def test_a_notebook_runs_in_an_empty_folder_of_its_own(settings, tmp_path):
    """It finds the data, but not what another has written; and it leaves nothing behind."""
    assert nbval.plugin.RunningKernel is settings.KernelInItsOwnFolder
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "digits").touch()
    (tmp_path / "cnn.pt").touch()
    kernel = settings.KernelInItsOwnFolder("python3", cwd=str(tmp_path))
    found = "{str(path) for path in Path().rglob('*')} == {'data'} and Path('data/digits').exists()"
    source = f"from pathlib import Path\nassert {found}\n_ = Path('mine').write_text('mine')"
    try:
        assert kernel.kc.execute_interactive(source, timeout=600)["content"]["status"] == "ok"
    finally:
        kernel.stop()
    assert {path.name for path in tmp_path.iterdir()} == {"data", "cnn.pt"}


def trusts_a_clock(tree):
    """Yield the lines of a test that ask a clock, or that wait for less than a minute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS:
            if isinstance(node.value, ast.Name) and node.value.id == "time":
                yield node.lineno
        elif isinstance(node, ast.keyword) and node.arg == "timeout":
            if isinstance(node.value, ast.Constant) and (node.value.value or 999) < LEAST_SECONDS:
                yield node.value.lineno
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield node.lineno


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_no_test_trusts_a_clock(path):
    lines = set(trusts_a_clock(ast.parse(path.read_text(encoding="utf-8"))))
    if path.name == "browser.py":
        assert len(lines) == 2, "when to stop waiting for a server, after minutes"
        return
    assert not lines, "count something, or wait for a minute or more"


def test_clocks_are_found():
    source = "import time\nfrom time import sleep\nassert time.perf_counter() < 2\nrun(timeout=5)\n"
    assert sorted(trusts_a_clock(ast.parse(source + "run(timeout=90)\nrun(timeout=None)"))) == [
        2,
        3,
        4,
    ]
