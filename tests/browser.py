"""What the tests share that open notebooks in a real browser."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright
from project import RAW, installed_chromium

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
SECONDS = 300  # to wait for anything: on a busy machine it comes late, and no test fails for that
LAB = [
    "jupyterlab",
    "--LabApp.expose_app_in_browser=True",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
]
NOTEBOOK_7 = ["notebook", "--JupyterNotebookApp.expose_app_in_browser=True"]

expect.set_options(timeout=SECONDS * 1000)


@contextmanager
def chromium():
    """Start Chromium. Without one the tests are skipped, or fail where CI is set."""
    with sync_playwright() as playwright:
        path = installed_chromium() or playwright.chromium.executable_path
        if not Path(path).exists():
            missing = "no Chromium here: install your system's, or run: playwright install chromium"
            pytest.fail(missing) if "CI" in os.environ else pytest.skip(missing)
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def new_page(browser):
    """Open a page that notes its errors and the hosts that it asks for anything."""
    page = browser.new_page(viewport={"width": 1300, "height": 1200})
    page.set_default_timeout(SECONDS * 1000)
    # Badges, with or without a network.
    page.route(re.compile("^https:"), lambda route: route.fulfill(body=""))
    page.console_errors, page.hosts = [], set()
    page.on("console", lambda m: m.type == "error" and page.console_errors.append(m.text))
    page.on("pageerror", lambda error: page.console_errors.append(str(error)))
    for event in ["request", "websocket"]:
        page.on(event, lambda asked: page.hosts.add(urlsplit(asked.url).hostname))
    yield page
    page.close()


def copy_data(folder):
    """Put the packed files of MNIST into a folder, where notebooks look for them."""
    raw = folder / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in RAW.glob("*.gz"):
        shutil.copy(file, raw)
    return raw


def address_in(home):
    """Return the address that a server wrote into its folder, or nothing before it has."""
    for info in (home / "JUPYTER_RUNTIME_DIR").glob("jpserver-*.json"):
        with suppress(json.JSONDecodeError):
            return json.loads(info.read_text())["url"]


@contextmanager
def serve(folder, home, application=LAB):
    """Start an application on a free port; yield the address that shows a notebook in it."""
    token = secrets.token_hex(16)
    settings = ["JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"]
    settings += ["JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR"]
    env = os.environ | {name: str(home / name) for name in settings} | {"JUPYTER_TOKEN": token}
    command = [sys.executable, "-m", *application, "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={folder}"]
    log = home / "log"
    with log.open("w") as output:
        server = subprocess.Popen(command, env=env, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + SECONDS
        # The log names the address before the file does, which is for a moment there and empty.
        while "is running at" not in log.read_text() or not (address := address_in(home)):
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        # Lab remembers its layout; Notebook has none, and fails at ?reset.
        place, reset = ("lab/tree", "reset&") if application == LAB else ("notebooks", "")
        yield f"{address}{place}/{{}}.ipynb?{reset}token={token}"
    finally:
        server.terminate()
        server.wait(SECONDS)


def run_all_cells(page, address, name):
    """Open a notebook, clear its outputs, run it; return its cells, as the browser has them."""
    page.goto(address.format(name))
    # Not awaited inside evaluate, which has no time limit: without a kernel it would never end.
    kernel = "shell.currentWidget?.sessionContext?.session?.kernel?.connectionStatus"
    page.wait_for_function(f"window.jupyterapp?.{kernel} === 'connected'")
    page.evaluate(
        """async (seconds) => {
            const late = new Promise((_, reject) =>
                setTimeout(() => reject(new Error('The notebook did not end.')), 1000 * seconds));
            const panel = jupyterapp.shell.currentWidget;
            await jupyterapp.restored;
            await panel.revealed;
            await panel.sessionContext.ready;
            await panel.sessionContext.session.kernel.info;
            panel.content.notebookConfig = {...panel.content.notebookConfig, windowingMode: 'none'};
            await jupyterapp.commands.execute('notebook:clear-all-cell-outputs');
            await Promise.race([late, jupyterapp.commands.execute('notebook:run-all-cells')]);
            await panel.context.save();
        }""",
        3 * SECONDS,
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


def drag(page, points):
    """Press the mouse at the first point, move it through the others, and let go."""
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=4)
    page.mouse.up()
