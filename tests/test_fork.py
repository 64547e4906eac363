"""tools/fork.py changes the repository's address everywhere, and nothing else."""

import re
import shutil
import subprocess
from pathlib import Path

import fork
import pytest
from project import ROOT
from project import URL as OLD

OWNER, NAME = "some-teacher", "digits.2027"  # apart: this file is in the copy too
NEW = f"https://github.com/{OWNER}/{NAME}"


def path_of(url):
    return url.removeprefix("https://github.com/").encode()


@pytest.fixture
def run_fork(checkout, monkeypatch):
    """Run the command on the copy."""

    def run(*arguments):
        monkeypatch.setattr(fork, "ROOT", checkout)
        monkeypatch.setattr("sys.argv", ["fork.py", *arguments])
        fork.main()

    return run


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not {".git", "__pycache__"} & set(path.relative_to(folder).parts)
    }


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the files of this repository, in a repository of its own."""
    copy = tmp_path_factory.mktemp("fork")
    for path in fork.tracked_files(ROOT):
        if path.suffix not in (".gz", ".png"):
            target = copy / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    subprocess.run(["git", "init", "--quiet", copy], check=True)
    return copy


def test_the_address_is_replaced_and_nothing_else_and_back_again(checkout, run_fork):
    before = contents(checkout)
    run_fork(NEW + ".git")
    after = contents(checkout)
    assert not [path for path, text in after.items() if path_of(OLD) in text]
    assert after == {p: text.replace(path_of(OLD), path_of(NEW)) for p, text in before.items()}
    assert NEW.encode() in after[Path("pyproject.toml")]
    fork.replace_in_files(checkout, fork.owner_and_name(NEW), fork.owner_and_name(OLD + "/"))
    assert contents(checkout) == before


@pytest.mark.parametrize("arguments", [[], ["https://example.org/you/fork"], [NEW, NEW]])
def test_a_wrong_address_gets_a_usage_line_and_changes_nothing(
    checkout, run_fork, capsys, arguments
):
    before = contents(checkout)
    with pytest.raises(SystemExit, match="2"):
        run_fork(*arguments)
    assert capsys.readouterr().err.startswith("usage: tools/fork.py")
    assert contents(checkout) == before


@pytest.mark.parametrize("address", ["you/fork", "https://github.com/you", "http://github.com/a/b"])
def test_an_address_that_colab_cannot_open_is_refused(address):
    with pytest.raises(ValueError):
        fork.owner_and_name(address)


def test_citation_names_the_repository():
    found = re.findall(r"https://github\.com/[^\s\"']+", (ROOT / "CITATION.cff").read_text("utf-8"))
    assert found
    assert set(found) == {OLD}
