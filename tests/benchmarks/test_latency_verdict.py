"""The verdict of the latency benchmark: paired differences and shares by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest

from snntoolbox.errors import ConversionError

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def parts():
    """The modules of the benchmark."""
    sys.path.insert(0, str(BENCHMARKS))
    import latency
    import latency_cells
    import latency_verdict

    sys.path.remove(str(BENCHMARKS))
    return latency, latency_cells, latency_verdict


def cell(cells, right):
    """A cell that classified these samples rightly."""
    right = np.asarray(right, bool)
    return cells.Cell(len(right), 1.0, float(right.mean()), 0.0, 0.0, right=np.packbits(right).tobytes().hex())


def upto(n, of=100):
    return np.arange(of) < n


def test_a_cell_keeps_which_samples_were_right(parts):
    latency, cells, _ = parts
    model = latency.digits(13)
    found = model.labels.copy()
    found[[2, 11]] += 1
    kept = cells.cell_of(model, found, 0.0, 0.0)
    assert np.flatnonzero(~kept.correct()).tolist() == [2, 11]
    assert kept.accuracy == 11 / 13


def test_a_lag_is_paired(parts):
    """90 and 95 of 100: nested they differ on 5 samples, else on 15, and the error is larger for the same lag."""
    _, cells, verdict = parts
    nested = verdict.lag("m", "r", cell(cells, upto(90)), cell(cells, upto(95)))
    crossed = verdict.lag("m", "r", cell(cells, upto(90)), cell(cells, np.arange(100) >= 5))
    assert nested.points == pytest.approx(5)
    assert crossed.points == pytest.approx(5)
    assert nested.error == pytest.approx(10 * np.sqrt(0.05 - 0.05**2))
    assert crossed.error == pytest.approx(10 * np.sqrt(0.15 - 0.05**2))
    assert nested.surely
    assert crossed.missed
    assert not crossed.surely


def test_what_is_lost_is_told_against_the_original(parts):
    """The original is right on 38 of 40; the cell lacks two of those and has one that the original lacks."""
    latency, cells, _ = parts
    model = latency.digits(40)
    model.classes = model.labels.copy()
    model.classes[[0, 1]] += 1
    found = model.labels.copy()
    found[[1, 5, 6]] += 1
    text = latency.lost(model, {"default": {4: cells.cell_of(model, found, 0.0, 0.0)}}, (4, 8))
    error = 100 * np.sqrt((3 / 40 - 1 / 1600) / 40)
    assert text == f"Accuracy that the default loses, points: T = 4: 2.50 ± {error:.2f}"


def test_half_a_point_is_allowed(parts):
    _, cells, verdict = parts
    assert not verdict.lag("m", "r", cell(cells, upto(900, 1000)), cell(cells, upto(905, 1000))).missed
    assert verdict.lag("m", "r", cell(cells, upto(900, 1000)), cell(cells, upto(906, 1000))).missed


def test_the_shares(parts):
    """`mmse` is best on average; `half` is best on b. The default is 5 points behind on a, 2 on b, ahead on c."""
    _, cells, verdict = parts
    rights = {
        "a": {"default": 85, "mmse": 90, "half": 80},
        "b": {"default": 88, "mmse": 88, "half": 90},
        "c": {"default": 99, "mmse": 95, "half": 90},
    }
    models = {m: {r: {8: cell(cells, upto(n))} for r, n in rows.items()} for m, rows in rights.items()}
    assert verdict.best_over_all(verdict.lags(models, 8)) == "mmse"
    text = verdict.verdict(models, (8, 16))
    line = next(one for one in text.splitlines() if one.startswith("| 8"))
    shares = ["2 of 3 (67 %)", "2 of 3 (67 %)", "1 of 3 (33 %)", "2 of 3 (67 %)"]
    assert [part.strip() for part in line.split("|")[1:-1]] == ["8", "3", "mmse", "+0.33", *shares]
    assert "- T = 8: a 5.0 ± 2.2 behind mmse" in text
    assert "b 2.0" not in text
    assert "| 16" not in text


def test_what_no_simulator_of_plain_neurons_runs_is_no_rival(parts):
    _, cells, verdict = parts
    rows = {"default": 90, "phased": 99, "signed": 99, "mmse": 90}
    found = verdict.lags({"a": {r: {8: cell(cells, upto(n))} for r, n in rows.items()}}, 8)
    assert [one.row for one in found[0]] == ["mmse"]


def test_it_is_printed_and_a_model_that_is_refused_is_told(parts, tmp_path, capsys, monkeypatch):
    latency, _, _ = parts

    def refused(*given):
        raise ConversionError("has a sigmoid", layer="dense")

    arguments = ["--models", "digits", "--rows", "default,half", "--steps", "2", "--samples", "20", "--verdict"]
    monkeypatch.delenv("SNNTOOLBOX_ZOO", raising=False)
    latency.main(arguments)
    assert "| 2 | 1 |" in capsys.readouterr().out
    monkeypatch.setattr(latency, "compared", refused)
    latency.main(arguments)
    assert "refused: dense: has a sigmoid" in capsys.readouterr().out


def test_losses_say_which_aims_are_kept(parts):
    """Of 100 samples the original has 90 right; one network loses 4 of them, another none."""
    _, cells, verdict = parts
    models = {
        "a": {"radix": {4: cell(cells, upto(86)), 6: cell(cells, upto(90))}},
        "b": {"radix": {4: cell(cells, upto(90))}},
    }
    text = verdict.losses(models, dict.fromkeys("ab", cell(cells, upto(90))), "radix", [4, 6])
    error = 100 * np.sqrt(0.04 * 0.96 / 100)
    assert f"| a | 90.0 | 4.00 ± {error:.2f} | 0.00 ± 0.00 |" in text
    assert "| b | 90.0 | 0.00 ± 0.00 |  |" in text
    assert "4 steps, 2 models: mean 2.00; 50% lose at most 1.0; more than 0.3 beyond the standard error: a" in text
    assert "6 steps, 1 models: mean 0.00; 100% lose at most 1.0; more than 0.3 beyond the standard error: none" in text
