"""make wheels asks pip for everything, and the helper package's own wheel is complete."""

import subprocess
import sys
import zipfile

from packaging.requirements import Requirement
from project import PACKAGE, ROOT
from wheels import CPU, command, copy_of_package, how_to_install, requirements


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
    (tmp_path / "package").mkdir()
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path]
    package = copy_of_package(tmp_path / "package")
    subprocess.run([sys.executable, "-m", "pip", *build, package], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("mnist_helpers-*.whl")
    kept = [path for path in PACKAGE.rglob("*") if "__pycache__" not in path.parts]
    source = {path.relative_to(ROOT).as_posix() for path in kept if path.is_file()}
    assert {"mnist_helpers/drawings/seven.png", "mnist_helpers/explorer/explorer.js"} <= source
    assert set(zipfile.ZipFile(wheel).namelist()) >= source
