"""What `make notebooks` keeps of a run, what it drops, and which runs it refuses to keep."""

import base64
import io

import nbformat
import pytest
import quiet
from form import COLLAPSED
from PIL import Image, ImageChops
from project import read, write

import notebooks

v4 = nbformat.v4


def cleaned(cell):
    return notebooks.clean(v4.new_notebook(cells=[cell])).cells[0]


def test_tags_ids_and_counts_are_kept_and_other_metadata_dropped():
    metadata = {"tags": ["slow"], "scrolled": True, "jupyter": {"outputs_hidden": True}}
    cell = v4.new_code_cell("1 + 1", metadata=metadata, execution_count=7, id="mine")
    kept = cleaned(cell)
    assert (kept.id, kept.execution_count, kept.source) == ("mine", 7, "1 + 1")
    assert kept.metadata == {"tags": ["slow"]}
    assert cleaned(v4.new_markdown_cell("Text")).metadata == {}


@pytest.mark.parametrize(
    ("tags", "kept"),
    [(["collapsed"], ["collapsed"]), (["check"], ["check", "collapsed"])],
)
def test_what_is_collapsed_is_hidden_in_jupyterlab_and_colab(tags, kept):
    cell = cleaned(v4.new_code_cell("assert True", metadata={"tags": tags}))
    assert cell.metadata == {"tags": kept} | COLLAPSED
    assert cleaned(cell).metadata == cell.metadata


def test_metadata_of_the_notebook_is_that_of_the_kernel():
    made = v4.new_notebook(
        metadata={"widgets": {}, "kernelspec": {"name": "mine", "display_name": "Mine"}}
    )
    assert notebooks.clean(made).metadata == notebooks.METADATA


def test_pictures_become_smaller_and_keep_the_size_at_which_they_are_shown():
    picture, file = Image.linear_gradient("L").resize((640, 400)), io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    data = {"image/png": base64.b64encode(file.getvalue()).decode(), "text/plain": "<Figure>"}
    shown = {"image/png": {"width": 320, "height": 200}}
    output = v4.new_output("display_data", data, metadata=shown)
    (kept,) = cleaned(v4.new_code_cell("draw()", outputs=[output])).outputs
    png = kept.data["image/png"]
    assert notebooks.with_fewer_colors(png) == png
    small = base64.b64decode(png)
    assert kept.metadata == shown
    assert len(small) < len(file.getvalue())
    with Image.open(io.BytesIO(small)) as image:
        assert image.size == (640, 400)
        difference = ImageChops.difference(image.convert("L"), picture)
    assert difference.getextrema()[1] <= 4


def test_folders_of_this_machine_are_dropped_from_tracebacks():
    error = v4.new_output("error", ename="E", evalue="e")
    error.traceback = [f"File {notebooks.ROOT}/mnist_helpers/model.py:12, in forward"]
    (kept,) = cleaned(v4.new_code_cell("1 / 0", outputs=[error])).outputs
    assert kept.traceback == ["File mnist_helpers/model.py:12, in forward"]


@pytest.mark.parametrize(
    ("one", "two", "disturbed"),
    [
        (1.8, 1.4, False),  # idle
        (2.3, 4.5, True),  # beside another training
        (2.1, 4.0, True),  # beside a busy process
        (0.2, 0.1, False),  # a faster machine
        (1.8, 29.0, True),
    ],
)
def test_two_threads_must_not_be_slower_than_one(one, two, disturbed):
    assert quiet.is_disturbed(one, two) == disturbed


@pytest.mark.parametrize(("cores", "seconds", "told"), [(2, (2, 1), False), (2, (1, 2), True)])
def test_the_machine_is_asked_with_one_thread_and_with_two(monkeypatch, cores, seconds, told):
    monkeypatch.setattr(quiet.os, "cpu_count", lambda: cores)
    monkeypatch.setattr(quiet, "seconds", lambda threads: seconds[threads - 1])
    assert bool(quiet.disturbance()) == told


def test_one_core_is_never_disturbed_since_nothing_can_be_compared(monkeypatch):
    monkeypatch.setattr(quiet.os, "cpu_count", lambda: 1)
    monkeypatch.setattr(quiet, "seconds", None)
    assert quiet.disturbance() is None


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command on a made-up notebook, with made-up answers about the machine."""
    path = tmp_path / "05_made_up.ipynb"
    write(v4.new_notebook(cells=[v4.new_code_cell("print(1)")]), path)

    def execute(path):
        notebook = read(path)
        notebook.cells[0].execution_count = 1
        return notebook

    def run(*options, answers=()):
        monkeypatch.setattr(notebooks, "execute", execute)
        monkeypatch.setattr(notebooks, "disturbance", iter(answers).__next__)
        monkeypatch.setattr("sys.argv", ["notebooks.py", *options, str(path)])
        notebooks.main()
        return read(path).cells[0].execution_count

    run.path = path
    return run


def test_a_run_on_a_quiet_machine_is_kept(run):
    assert run(answers=[None, None]) == 1


@pytest.mark.parametrize("answers", [["busy before"], [None, "busy after"]])
def test_a_run_on_a_disturbed_machine_is_not_kept(run, answers):
    before = run.path.read_bytes()
    with pytest.raises(SystemExit, match=answers[-1]):
        run(answers=answers)
    assert run.path.read_bytes() == before


def test_it_is_kept_anyway_if_told_so_and_that_is_said(run, capsys):
    assert run("--anyway") == 1
    assert "believe no time" in capsys.readouterr().out


def test_cleaning_runs_nothing(run):
    assert run("--no-run") is None


def test_what_is_nearly_grey_becomes_grey():
    palette = [250, 238, 245, 190, 183, 186, 213, 94, 0]
    assert notebooks.without_tint(palette) == [244, 244, 244, 186, 186, 186, 213, 94, 0]
