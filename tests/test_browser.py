"""Notebooks run in JupyterLab, in a real browser, and their widgets answer the mouse."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
CHROMIUM = ["chromium", "chromium-browser", "google-chrome"]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
SECONDS = 120


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        installed = filter(None, map(shutil.which, CHROMIUM))
        path = next(installed, playwright.chromium.executable_path)
        if not Path(path).exists():
            missing = "no Chromium here: install your system's, or run: playwright install chromium"
            pytest.fail(missing) if "CI" in os.environ else pytest.skip(missing)
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def serve(folder, home):
    """Start JupyterLab on a free port; yield its address and token."""
    token = secrets.token_hex(16)
    settings = ["JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"]
    settings += ["JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR"]
    env = os.environ | {name: str(home / name) for name in settings} | {"JUPYTER_TOKEN": token}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={folder}"]
    command += ["--LabApp.expose_app_in_browser=True"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    log = home / "log"
    with log.open("w") as output:
        server = subprocess.Popen(command, env=env, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 60
        while "is running at" not in log.read_text():
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        (info,) = (home / "JUPYTER_RUNTIME_DIR").glob("jpserver-*.json")
        yield json.loads(info.read_text())["url"], token
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on a copy of the notebooks, so that nothing here is changed."""
    folder = tmp_path_factory.mktemp("notebooks")
    raw = folder / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in (NOTEBOOKS / "data" / "MNIST" / "raw").glob("*.gz"):
        shutil.copy(file, raw)
    for file in NOTEBOOKS.glob("*.ipynb"):
        shutil.copy(file, folder)
    with serve(folder, tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1300, "height": 1200})
    page.set_default_timeout(SECONDS * 1000)
    # Badges, with or without a network.
    page.route(re.compile("^https:"), lambda route: route.fulfill(body=""))
    page.console_errors = []
    page.on("console", lambda m: m.type == "error" and page.console_errors.append(m.text))
    page.on("pageerror", lambda error: page.console_errors.append(str(error)))
    yield page
    page.close()


def run_all_cells(page, lab, name):
    """Open a notebook, clear its outputs, run it; return its cells, as the browser has them."""
    url, token = lab
    page.goto(f"{url}lab/tree/{name}.ipynb?reset&token={token}")
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext")
    page.evaluate(
        """async () => {
            const panel = jupyterapp.shell.currentWidget;
            await jupyterapp.restored;
            await panel.revealed;
            await panel.sessionContext.ready;
            await panel.sessionContext.session.kernel.info;
            panel.content.notebookConfig = {...panel.content.notebookConfig, windowingMode: 'none'};
            await jupyterapp.commands.execute('notebook:clear-all-cell-outputs');
            await jupyterapp.commands.execute('notebook:run-all-cells');
            await panel.context.save();
        }"""
    )
    return page.evaluate("jupyterapp.shell.currentWidget.content.model.toJSON().cells")


def problems(cells):
    """Return the code cells that did not run, or that failed without being meant to."""
    found = []
    for cell in cells:
        if cell["cell_type"] == "code" and "".join(cell["source"]).strip():
            errors = [output for output in cell["outputs"] if output["output_type"] == "error"]
            meant = "raises-exception" in cell["metadata"].get("tags", [])
            if not cell["execution_count"] or (errors and not meant):
                found.append(("".join(cell["source"]), errors))
    return found


@pytest.mark.parametrize("name", ["02_architecture", "05_training"])
def test_all_cells_run(page, lab, name):
    assert problems(run_all_cells(page, lab, name)) == []
    assert page.console_errors == []


def test_the_kernel_explorer_answers_the_mouse(page, lab):
    cells = run_all_cells(page, lab, "02_architecture")
    (number,) = [i for i, c in enumerate(cells) if "interactive" in c["metadata"].get("tags", [])]
    cell = page.locator(f".jp-Notebook-cell[data-windowed-list-index='{number}']")
    figure = cell.locator(".widget-output img")
    before = figure.get_attribute("src")
    handle = cell.locator(".widget-slider .noUi-handle").first
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 120, y, steps=10)
    page.mouse.up()
    expect(figure).not_to_have_attribute("src", before)
    assert page.console_errors == []
