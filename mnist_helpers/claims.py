"""Verdicts on what people say, from results over seeds (notebook 08)."""

import csv
import importlib.resources
from dataclasses import dataclass

import torch
from scipy.stats import t as student_t


@dataclass
class Verdict:
    """What an experiment says about a claim.

    Attributes:
        word: 'true', 'not here', 'undecided' or, of several conditions, 'partly'.
        measured: the figures behind it, for people.
    """

    word: str
    measured: str


def load_results(notebook):
    """Return the committed results of a notebook: {arm: {figure: one value for each seed}}.

    The values are tensors of shape (seeds,), in the order of the seeds: the same place in two arms
    is the same seed.

    Args:
        notebook: its number, such as "08".

    Raises:
        FileNotFoundError: there are no results of this notebook.
        ValueError: an arm has other seeds than the rest, so that they cannot be paired.
    """
    file = importlib.resources.files("mnist_helpers") / "results" / f"{notebook}.csv"
    series = {}
    with file.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            values = series.setdefault((row["arm"], row["figure"]), {})
            values[int(row["seed"])] = float(row["value"])
    if len({tuple(sorted(values)) for values in series.values()}) > 1:
        raise ValueError(f"the arms of {notebook} must all have the same seeds")
    results = {}
    for (arm, figure), values in series.items():
        in_order = [values[seed] for seed in sorted(values)]
        results.setdefault(arm, {})[figure] = torch.tensor(in_order)
    return results


def run_arms(arms, seeds):
    """Run each arm for the seeds 0, 1, …: the results have the form of ``load_results``.

    Args:
        arms: {name: function of a seed that returns {figure: value}}.
        seeds: how many.
    """
    results = {}
    for name, arm in arms.items():
        runs = [arm(seed) for seed in range(seeds)]
        results[name] = {key: torch.tensor([float(run[key]) for run in runs]) for key in runs[0]}
    return results


def interval(differences):
    """Return the mean of some differences and its 95 % interval by Student's t: (mean, low, high).

    Raises:
        ValueError: fewer than two differences, which have no spread, or one that is not finite.
    """
    count = len(differences)
    if count < 2:
        raise ValueError(f"an interval needs two seeds or more, but got {count}")
    if not differences.isfinite().all():
        raise ValueError("one of the results is not a finite number")
    mean = differences.mean().item()
    error = differences.std().item() / count**0.5  # the standard error of the mean
    reach = student_t.ppf(0.975, df=count - 1) * error
    return mean, mean - reach, mean + reach


def compare(treated, baseline, matters, *, no_worse=False, unit="points"):
    """Judge the claim that ``treated`` is better than ``baseline``; higher values are better.

    Better is *true* if the interval of the mean difference lies above zero and the mean is at
    least ``matters``; *not here* if the interval excludes ``matters``; else *undecided*.

    Args:
        treated, baseline: of shape (seeds,), paired: the same place is the same seed.
        matters: the smallest difference that would matter, fixed before the experiment.
        no_worse: judge the claim that ``treated`` is no worse. It is *true* if the interval
            excludes a loss of ``matters``, *not here* if it excludes any smaller loss.
        unit: of the values.

    Raises:
        ValueError: the two cannot be paired, or as ``interval`` does.
    """
    if treated.shape != baseline.shape:
        raise ValueError(f"these cannot be paired: {treated.shape} and {baseline.shape}")
    mean, low, high = interval(treated - baseline)
    if no_worse:
        true, not_here = low > -matters, high < -matters
    else:
        true, not_here = low > 0 and mean >= matters, high < matters
    word = "true" if true else "not here" if not_here else "undecided"
    mean, low, high = (round(value, 2) + 0.0 for value in (mean, low, high))  # never -0.00
    return Verdict(word, f"{mean:+.2f} {unit} ({low:+.2f} to {high:+.2f})")


def in_all(conditions):
    """Return one verdict for several conditions, {name: verdict}.

    It is theirs if they agree, *partly* if the claim is true in some and not in others, and
    *undecided* if it is true in none and open in some.
    """
    words = {verdict.word for verdict in conditions.values()}
    word = words.pop() if len(words) == 1 else "partly" if "true" in words else "undecided"
    parts = [f"{name}: {one.word}, {one.measured}" for name, one in conditions.items()]
    return Verdict(word, "; ".join(parts))


def tell(claim, results):
    """Print a claim, which is the docstring of its function, and its verdict on ``results``."""
    verdict = claim(results)
    print(f"{claim.__doc__}: {verdict.word}", *verdict.measured.split("; "), sep="\n    ")
