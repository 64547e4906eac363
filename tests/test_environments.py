"""The lists of packages agree, and a notebook alone runs where the helper package is not."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from importlib.metadata import packages_distributions
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from packaging.requirements import Requirement
from project import PROJECT, RAW, ROOT, code_cells, parse_cell, paths, read

CONDA_NAMES = {"torch": "pytorch"}


def bounds(lines):
    """Return {name: version bounds} for lines such as 'torch>=2.11'."""
    requirements = [Requirement(line) for line in lines]
    return {requirement.name: str(requirement.specifier) for requirement in requirements}


def pip_list():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return bounds(line for line in lines if not line.startswith(("#", "-e")))


def conda_lines(path):
    """Return the list of an environment.yml. Its lines are plain enough to be read without YAML."""
    text = path.read_text(encoding="utf-8").partition("dependencies:")[2]
    return [line.strip().removeprefix("- ") for line in text.splitlines() if line.strip()]


def conda_list():
    """Return the bounds in environment.yml."""
    lines = conda_lines(ROOT / "environment.yml")
    pip = lines.index("pip:")
    assert lines[pip + 1 :] == ["-e ."]
    return bounds(lines[:pip])


def extras_list():
    return bounds(PROJECT["optional-dependencies"]["extras"])


def tools_list():
    return bounds(PROJECT["optional-dependencies"]["test"])


def notebook_sources():
    for path in paths():
        for cell in code_cells(read(path)):
            yield cell.source


def sources_in(*patterns):
    return [path.read_text(encoding="utf-8") for part in patterns for path in ROOT.glob(part)]


def third_party(sources):
    """Return the packages that these sources import, under the names that pip knows."""
    modules = set()
    for source in sources:
        for node in ast.walk(parse_cell(source)):
            if isinstance(node, ast.Import):
                modules.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                modules.add(node.module.partition(".")[0])
    own = {path.stem for folder in ("tests", "tools") for path in (ROOT / folder).glob("*.py")}
    known, own = packages_distributions(), own | {"mnist_helpers"}
    return {known[name][0] for name in modules - set(sys.stdlib_module_names) - own}


def test_pip_and_conda_install_the_same():
    conda = conda_list()
    assert conda.pop("python") == PROJECT["requires-python"]
    assert conda.pop("pip") == ""
    assert conda == {CONDA_NAMES.get(name, name): bound for name, bound in pip_list().items()}


def test_binder_installs_the_same_for_the_processor():
    binder = conda_lines(ROOT / ".binder" / "environment.yml")
    python = binder.pop(0)
    assert re.fullmatch(r"python=3\.\d+", python)
    assert (
        python.removeprefix("python=")
        in Requirement("python" + PROJECT["requires-python"]).specifier
    )
    conda = conda_list()
    del conda["python"]
    conda["pytorch-cpu"] = conda.pop("pytorch")
    assert bounds(binder) == conda
    build = ROOT / ".binder" / "postBuild"
    assert "pip install --no-deps ." in build.read_text(encoding="utf-8")
    listed = subprocess.run(
        ["git", "ls-files", "--stage", build], cwd=ROOT, capture_output=True, text=True
    )
    assert listed.stdout.startswith("100755"), "Binder runs it: git update-index --chmod=+x"


def test_codespaces_install_the_list():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    assert container["postCreateCommand"].endswith(" -r requirements.txt")
    opened = container["customizations"]["codespaces"]["openFiles"]
    assert all((ROOT / name).exists() for name in opened)


def test_threads_stop_spinning_before_torch_is_imported():
    program = """
import os, sys
seen = []
note = lambda: seen.append(os.environ.get("GOMP_SPINCOUNT"))
sys.addaudithook(lambda event, given: event == "import" and given[0] == "torch" and note())
import mnist_helpers
print(seen[0])
"""
    environment = {name: os.environ[name] for name in os.environ if name != "GOMP_SPINCOUNT"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | {"OMP_DISPLAY_ENV": "verbose"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1000\n"
    if "GOMP_SPINCOUNT" in done.stderr:  # libgomp, that of pip's torch on Linux, says what it read
        assert "GOMP_SPINCOUNT = '1000'" in done.stderr


def test_the_package_asks_for_the_versions_of_the_list():
    assert bounds(PROJECT["dependencies"]).items() <= pip_list().items()


def test_every_imported_package_is_in_the_list():
    sources = sources_in("mnist_helpers/**/*.py")
    sources += [source for source in notebook_sources() if "have(" not in source]
    imported = third_party(sources)
    assert imported <= pip_list().keys()
    # JupyterLab shows the explorer through ipywidgets, which nobody imports.
    needed = {"jupyterlab", "nbval", "ipywidgets"}
    assert pip_list().keys() - imported <= needed, "no learner needs these"


def test_the_package_asks_for_what_it_imports():
    imported = third_party(sources_in("mnist_helpers/**/*.py"))
    assert imported <= bounds(PROJECT["dependencies"]).keys()


def test_cells_that_ask_for_the_extras_may_import_them():
    sources = [source for source in notebook_sources() if "have(" in source]
    assert third_party(sources) <= pip_list().keys() | extras_list().keys()


def test_what_tests_and_tools_import_is_in_the_lists():
    imported = third_party(sources_in("tests/*.py", "tools/*.py", "conftest.py"))
    assert imported <= pip_list().keys() | tools_list().keys() | extras_list().keys()
    started = {"notebook", "pytest-xdist", "ruff", "axe-playwright-python"}
    started |= {"sphinx", "myst-nb", "sphinx-book-theme", "jupyter-server-mathjax"}
    started |= {"sphinx-revealjs"}
    assert tools_list().keys() - imported <= started, "no test needs these"


def test_the_oldest_versions_are_the_lower_bounds():
    lines = (ROOT / "tests" / "oldest.txt").read_text(encoding="utf-8").splitlines()
    oldest = bounds(line for line in lines if not line.startswith("#"))
    for name, bound in (pip_list() | tools_list() | extras_list()).items():
        # '==2.11.0' is the lower bound '>=2.11'
        assert oldest[name].removeprefix("==").startswith(bound.removeprefix(">=")), name


def copy_with_changes(folder):
    """Return a new repository with the helper package as it is in this checkout, committed."""
    for name in ["pyproject.toml", "README.md", "LICENSE"]:
        folder.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "mnist_helpers", folder / "mnist_helpers")
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "Changed"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    """An environment that has everything but mnist_helpers, as a Jupyter kernel."""
    repository = ROOT
    status = ["git", "status", "--porcelain", "mnist_helpers", "pyproject.toml"]
    changed = subprocess.run(status, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    if changed:  # pip installs a commit: here, one of a copy that has the changes
        repository = copy_with_changes(tmp_path_factory.mktemp("changed") / "repository")
    folder = tmp_path_factory.mktemp("colab")
    venv.create(folder / "venv", symlinks=os.name != "nt")
    python = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    environment = {
        # Not the checkout: an editable install is a .pth file, which PYTHONPATH does not read.
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("site-packages")),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{repository.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": PROJECT["urls"]["Repository"],
    }
    absent = subprocess.run(
        [python, "-c", "import torch, mnist_helpers"],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert "No module named 'mnist_helpers'" in absent.stderr
    kernel = folder / "kernels" / "colab"
    kernel.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    specification = {"argv": command, "env": environment, "display_name": "Colab"}
    (kernel / "kernel.json").write_text(json.dumps(specification))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder))
        yield folder / "venv"


def once_for_each_push(path):
    """Mark all notebooks but 02: the others take minutes, and go to the weekly run."""
    marks = [] if path.stem == "02_architecture" else [pytest.mark.weekly]
    return pytest.param(path, marks=marks, id=path.stem)


@pytest.mark.parametrize("path", [once_for_each_push(path) for path in paths()])
def test_a_notebook_alone_runs_in_colab(colab, path, tmp_path):
    notebook = read(path)
    where = nbformat.v4.new_code_cell("import mnist_helpers; print(mnist_helpers.__file__)")
    notebook.cells.append(where)
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in RAW.glob("*.gz"):
        shutil.copy(file, raw)
    NotebookClient(
        notebook,
        kernel_name="colab",
        timeout=600,
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    assert Path(notebook.cells[-1].outputs[0].text).is_relative_to(colab)


@pytest.mark.parametrize(
    "name", [pytest.param("my ünit test", marks=pytest.mark.weekly), "数字 & Łódź"]
)
def test_a_checkout_at_any_path_works(name, tmp_path, monkeypatch):
    """A path with spaces and with letters that are not ASCII, as in many a home on Windows."""
    checkout = tmp_path / name
    raw = checkout / "notebooks" / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    shutil.copytree(ROOT / "mnist_helpers", checkout / "mnist_helpers")
    for file in RAW.glob("*.gz"):
        shutil.copy(file, raw)
    monkeypatch.setenv("PYTHONPATH", str(checkout))
    notebook = read(6)
    notebook.cells = notebook.cells[:3]  # title, set-up, imports
    load = nbformat.v4.new_code_cell("_ = mnist_helpers.load_mnist('./data', 'test')")
    where = nbformat.v4.new_code_cell("print(mnist_helpers.__file__)")
    notebook.cells += [load, where]
    place = {"metadata": {"path": str(checkout / "notebooks")}}
    NotebookClient(notebook, kernel_name="python3", timeout=600, resources=place).execute()
    assert Path(where.outputs[0].text.strip()).is_relative_to(checkout)
    assert (raw / "t10k-labels-idx1-ubyte").exists()  # unpacked there
    command = [sys.executable, "-m", "mnist_helpers", "train", "--help"]
    subprocess.run(command, cwd=checkout, check=True, capture_output=True)
