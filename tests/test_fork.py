"""tools/fork.py changes the repository's address everywhere, and nothing else."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from fork import tracked_files

ROOT = Path(__file__).parents[1]
OWNER, NAME = "some-teacher", "digits.2027"  # apart: this file is in the copy too
NEW = f"https://github.com/{OWNER}/{NAME}"
OLD = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"][
    "Repository"
]


def path_of(url):
    return url.removeprefix("https://github.com/").encode()


def run_fork(checkout, *arguments):
    return subprocess.run(
        [sys.executable, checkout / "tools" / "fork.py", *arguments], capture_output=True, text=True
    )


@pytest.fixture
def checkout(tmp_path):
    """A copy of the files of this repository, in a repository of its own."""
    copy = tmp_path / "copy"
    for path in tracked_files():
        if path.suffix != ".gz":
            target = copy / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    subprocess.run(["git", "init", "--quiet", copy], check=True)
    return copy


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def test_the_old_address_is_replaced_and_nothing_else(checkout):
    before = contents(checkout)
    result = run_fork(checkout, NEW)
    after = contents(checkout)
    assert result.returncode == 0, result.stderr
    assert not [path for path, text in after.items() if path_of(OLD) in text]
    assert after == {p: text.replace(path_of(OLD), path_of(NEW)) for p, text in before.items()}
    assert NEW.encode() in after[Path("pyproject.toml")]


def test_forking_back_restores_every_byte(checkout):
    before = contents(checkout)
    run_fork(checkout, NEW + ".git")
    run_fork(checkout, OLD + "/")
    assert contents(checkout) == before


@pytest.mark.parametrize(
    "arguments",
    [[], ["you/fork"], ["https://example.org/you/fork"], ["https://github.com/you"], [NEW, NEW]],
)
def test_a_wrong_address_gets_a_usage_line_and_changes_nothing(checkout, arguments):
    before = contents(checkout)
    result = run_fork(checkout, *arguments)
    assert result.returncode == 2
    assert result.stderr.startswith("usage: tools/fork.py")
    assert contents(checkout) == before
