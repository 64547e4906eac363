"""make wheels asks pip for everything, and the helper package's own wheel is complete."""

import os
import subprocess
import sys
import venv
from pathlib import Path

from packaging.requirements import Requirement
from wheels import CPU, ROOT, command, copy_of_package, how_to_install, requirements


def test_pip_is_asked_for_the_list_and_the_package():
    asked = command("wheels", "package", test=True)
    assert asked[:4] == [sys.executable, "-m", "pip", "wheel"]
    assert asked[4:9] == ["--wheel-dir", "wheels", "--find-links", "wheels", "package[test]"]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert asked[9:] == [line for line in lines if not line.startswith(("#", "-e"))]
    assert CPU not in asked and CPU in command("wheels", "package", cpu=True)


def test_what_is_installed_is_what_was_gathered(tmp_path):
    names = {Requirement(line).name for line in requirements().splitlines() if line[0] != "#"}
    asked = [argument for argument in command("wheels", "package") if argument[0] != "-"]
    assert names - {"mnist-helpers"} == {Requirement(line).name for line in asked[6:]}
    assert f'"{tmp_path}/requirements.txt"' in how_to_install(tmp_path)


def test_the_wheel_of_the_package_is_complete(tmp_path):
    """Built, installed without an index, and read from a folder where the checkout is not."""
    (tmp_path / "package").mkdir()
    wheels = tmp_path / "wheels"
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels]
    package = copy_of_package(tmp_path / "package")
    subprocess.run([sys.executable, "-m", "pip", *build, package], check=True, capture_output=True)
    venv.create(tmp_path / "venv", with_pip=True, symlinks=os.name != "nt")
    python = tmp_path / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = ["-m", "pip", "install", "--no-index", "--no-deps", "--find-links", wheels]
    subprocess.run([python, *install, "mnist-helpers"], check=True, capture_output=True)
    look = "import importlib.util as u; print(u.find_spec('mnist_helpers').origin)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    said = subprocess.run(
        [python, "-c", look], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    installed = Path(said.stdout.strip()).parent
    assert installed.is_relative_to(tmp_path / "venv")
    kept = [p for p in (ROOT / "mnist_helpers").rglob("*") if "__pycache__" not in p.parts]
    source = {path.relative_to(ROOT / "mnist_helpers") for path in kept if path.is_file()}
    assert Path("sweep.csv") in source and Path("drawings/seven.png") in source
    assert {p.relative_to(installed) for p in installed.rglob("*") if p.is_file()} >= source
