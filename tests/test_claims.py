"""A claim is judged by one rule, out of the committed results, and could have lost."""

import contextlib
import io
import re

import pytest
import torch
from claims import BEGIN, END, PAGE, README, judged, page, summary, with_summary
from experiments import missing, write_rows
from project import NOTEBOOKS, PACKAGE, arms_of, claims_of, code_cells, number_of, paths, read

from mnist_helpers import claims as lesson
from mnist_helpers.claims import compare, in_all, interval, load_results, run_arms, tell
from mnist_helpers.guards import unlikely

CLAIMS = [(path, claim) for path in paths() for claim in claims_of(path)]
LAB = list(dict.fromkeys(path for path, _ in CLAIMS))
# The only one that may speak of verdicts by itself.
JUDGES = {"08_best_practices"}


def test_better():
    baseline = torch.zeros(4)
    gains = torch.tensor([0.9, 1.0, 1.0, 1.1])
    assert compare(gains, baseline, matters=0.5).word == "true"
    assert compare(gains, baseline, matters=1.2).word == "not here"
    assert compare(gains, baseline, matters=1.05).word == "undecided"
    assert compare(-gains, baseline, matters=0.5).word == "not here"
    wide = torch.tensor([-3.0, 5.0, 4.0, -2.0])
    assert compare(wide, baseline, matters=0.5).word == "undecided"


def test_no_worse():
    baseline = torch.zeros(4)
    loss = torch.tensor([-0.9, -1.0, -1.0, -1.1])
    assert compare(loss, baseline, matters=1.2, no_worse=True).word == "true"
    assert compare(loss, baseline, matters=0.5, no_worse=True).word == "not here"
    assert compare(loss, baseline, matters=1.0, no_worse=True).word == "undecided"
    assert compare(-loss, baseline, matters=0.5, no_worse=True).word == "true"


def test_the_interval_is_students():
    # By hand: mean 2, standard deviation 1, t(0.975, 2 degrees of freedom) = 4.3027.
    mean, low, high = interval(torch.tensor([1.0, 2.0, 3.0]))
    assert mean == pytest.approx(2)
    assert (low, high) == pytest.approx((2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), abs=1e-4)


@pytest.mark.parametrize(
    ("treated", "baseline", "said"),
    [
        ([1.0], [0.0], "two seeds or more"),
        ([1.0, 2.0], [0.0, 0.0, 0.0], "cannot be paired"),
        ([1.0, float("nan")], [0.0, 0.0], "not a finite number"),
    ],
)
def test_what_shows_nothing_is_refused(treated, baseline, said):
    with pytest.raises(ValueError, match=said):
        compare(torch.tensor(treated), torch.tensor(baseline), matters=1)


def test_chance_alone_is_seldom_called_true():
    generator = torch.Generator().manual_seed(0)
    draws = torch.randn(2000, 2, 10, generator=generator)
    spread = 2**0.5  # of the differences
    better = [compare(a, b, matters=1.12 * spread).word for a, b in draws]
    assert better.count("true") <= 100  # 5 %
    assert better.count("not here") >= 1700
    found = [compare(a + 2 * 1.12 * spread, b, matters=1.12 * spread).word for a, b in draws]
    assert found.count("true") >= 1800
    no_worse = [compare(a - 1, b, matters=1, no_worse=True).word for a, b in draws]
    assert no_worse.count("true") <= 100


def test_results_are_paired_by_their_seeds(tmp_path, monkeypatch):
    """Not by the order of the rows; an arm that lacks a seed is refused."""
    monkeypatch.setattr(lesson.importlib.resources, "files", lambda package: tmp_path)
    (tmp_path / "results").mkdir()
    rows = ["arm,seed,figure,value", "b,10,height,3", "b,2,height,2", "a,2,height,4"]
    rows += ["b,0,height,1", "a,0,height,5"]
    file = tmp_path / "results" / "08.csv"
    file.write_text("\n".join([*rows, "a,10,height,6"]), encoding="utf-8")
    results = load_results("08")
    assert {arm: figures["height"].tolist() for arm, figures in results.items()} == {
        "b": [1, 2, 3],
        "a": [5, 4, 6],
    }
    file.write_text("\n".join([*rows, "a,1,height,6"]), encoding="utf-8")
    with pytest.raises(ValueError, match="the arms of 08 must all have the same seeds"):
        load_results("08")


def test_several_conditions():
    baseline, up = torch.zeros(3), torch.tensor([0.9, 1.0, 1.1])
    true, not_here = compare(up, baseline, 0.5), compare(-up, baseline, 0.5)
    undecided = compare(9 * (up - 1), baseline, 0.5)
    assert undecided.word == "undecided"
    assert in_all({"a": true, "b": true}).word == "true"
    assert in_all({"a": not_here, "b": not_here}).word == "not here"
    assert in_all({"a": true, "b": not_here}).word == "partly"
    assert in_all({"a": true, "b": undecided}).word == "partly"
    assert in_all({"a": not_here, "b": undecided}).word == "undecided"
    assert in_all({"a": true, "b": not_here}).measured.startswith("a: true, +1.00 points")
    assert compare(torch.tensor([-0.001, -0.002]), torch.zeros(2), 1).measured.startswith("+0.00")


def test_a_claim_is_told(capsys):
    def claim_fish_fly(results):
        """Fish fly"""
        return compare(results["fish"]["height"], results["stone"]["height"], 0.5, unit="m")

    arms = {"fish": lambda seed: {"height": 1 + seed / 10}, "stone": lambda seed: {"height": 0}}
    results = run_arms(arms, seeds=3)
    assert results["fish"]["height"].tolist() == pytest.approx([1, 1.1, 1.2])
    tell(claim_fish_fly, results)
    assert capsys.readouterr().out == "Fish fly: true\n    +1.10 m (+0.85 to +1.35)\n"


def test_a_live_seed_far_from_the_committed_ones_is_seen():
    committed = {"arm": {"accuracy": torch.tensor([97.0, 97.2, 97.4]), "bytes": torch.ones(3)}}
    near = {"arm": {"accuracy": torch.tensor([97.9]), "bytes": torch.tensor([1.0])}}
    assert unlikely(near, committed) == []
    far = {"arm": {"accuracy": torch.tensor([60.0]), "bytes": torch.tensor([2.0])}}
    assert [line.partition(":")[0] for line in unlikely(far, committed)] == [
        "arm, accuracy",
        "arm, bytes",
    ]


class MadeUp:
    """Results of any arm and figure: around one value in each, with one spread for all."""

    def __init__(self, seed, seeds=10):
        self.generator = torch.Generator().manual_seed(seed)
        self.seeds = seeds
        self.distance = [0.0, 0.3, 3.0, 30.0][seed % 4]
        self.spread = [0.001, 0.3, 3.0][seed // 4 % 3]
        self.arms = {}

    def __getitem__(self, arm):
        return self.arms.setdefault(arm, Figures(self))

    def draw(self):
        middle = 50 + self.distance * torch.randn(1, generator=self.generator)
        return middle + self.spread * torch.randn(self.seeds, generator=self.generator)


class Figures(dict):
    def __init__(self, results):
        super().__init__()
        self.results = results

    def __missing__(self, figure):
        self[figure] = self.results.draw()
        return self[figure]


@pytest.mark.parametrize(
    ("path", "claim"), CLAIMS, ids=[f"{p.name[:2]}-{c.__name__}" for p, c in CLAIMS]
)
def test_every_claim_could_have_had_each_outcome(path, claim):
    outcomes = {claim(MadeUp(seed)).word for seed in range(600)}
    assert outcomes >= {"true", "not here", "undecided"}
    assert outcomes <= {"true", "not here", "undecided", "partly"}


@pytest.mark.parametrize(
    ("path", "claim"), CLAIMS, ids=[f"{p.name[:2]}-{c.__name__}" for p, c in CLAIMS]
)
def test_a_claim_is_a_sentence_judged_from_the_committed_results(path, claim):
    assert re.fullmatch(r"[A-Z].*[^.]", claim.__doc__), "one line, without a full stop"
    with contextlib.redirect_stdout(io.StringIO()) as told:
        tell(claim, load_results(number_of(path)))
    texts = [output.get("text", "") for cell in code_cells(read(path)) for output in cell.outputs]
    assert any(told.getvalue() in text for text in texts)


@pytest.mark.parametrize("path", LAB, ids=lambda path: path.stem)
def test_the_results_are_those_of_the_arms(path, monkeypatch):
    """Ten seeds of each or more, the same for all figures; no arm that is gone."""
    monkeypatch.chdir(NOTEBOOKS)  # the arms may load "./data"
    results = load_results(number_of(path))
    assert [*results] == [*arms_of(path)], "make experiments"
    for arm, figures in results.items():
        assert len({len(values) for values in figures.values()}) == 1
        assert len(next(iter(figures.values()))) >= 10, f"{arm} has too few seeds"


def test_no_verdict_is_made_elsewhere():
    """Only ``compare`` and ``in_all`` say true, not here, undecided or partly."""
    words = re.compile(r"""["'](?:not here|undecided|partly)["']""")
    for path in LAB:
        if path.stem not in JUDGES:
            for cell in code_cells(read(path)):
                assert not words.search(cell.source), f"{path.stem}: {cell.source[:80]}"


def test_the_lab_has_claims():
    assert [path.name[:2] for path in LAB] == [f"{number:02}" for number in range(8, 15)]


def test_the_page_and_the_readme_say_what_the_results_say():
    rows = judged()
    assert PAGE.read_text(encoding="utf-8") == page(rows), "make claims"
    text = README.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    assert with_summary(text, summary(rows)) == text, "make claims"


def test_only_what_is_missing_is_run(tmp_path):
    rows = [
        {"arm": arm, "seed": seed, "figure": "accuracy", "value": "1", "date": "", "machine": ""}
        for arm, seed in [("b", 0), ("a", 1), ("a", 0)]
    ]
    assert missing(rows, ["a", "b"], seeds=3) == [(1, ["b"]), (2, ["a", "b"])]
    file = tmp_path / "08.csv"
    write_rows(file, rows, ["a", "b"])
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [line[:4] for line in lines[1:]] == ["a,0,", "a,1,", "b,0,"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["08.csv"]


def test_results_travel_with_the_package():
    for path in LAB:
        assert (PACKAGE / "results" / f"{number_of(path)}.csv").is_file()
