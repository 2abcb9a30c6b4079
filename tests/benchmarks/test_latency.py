"""The latency benchmark: one run is as good as many, a phased network as its quantised one, nothing is run twice."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def parts():
    """The modules of the benchmark, and the demo as its model of 40 samples."""
    sys.path.insert(0, str(BENCHMARKS))
    import latency
    import latency_cells
    import latency_rows

    sys.path.remove(str(BENCHMARKS))
    return latency, latency_cells, latency_rows, latency.digits(40)


@pytest.mark.parametrize("name", ["toolbox", "percentile", "ltb", "signed", "differential"])
def test_one_run_gives_what_separate_conversions_and_runs_give(parts, name):
    _, cells, rows, model = parts
    row, bench, steps = rows.ROWS[name], cells.Bench(model, rows.Limits()), (1, 2, 4, 9)
    assert row.once
    network = bench.convert(row, None)
    together = bench.classes(network, slice(0, 40), 9)
    for t in steps:
        apart = bench.classes(bench.convert(row, t), slice(0, 40), t)[-1]
        np.testing.assert_array_equal(together[t - 1], apart)
    found = bench.once(row, steps)
    assert [found[t].agreement for t in steps] == [np.mean(together[t - 1] == model.classes) for t in steps]
    assert {c.samples for c in found.values()} == {40}


def test_every_row_is_another_network(parts):
    """Two rows with the same figures at every number of steps would be one."""
    _, cells, rows, model = parts
    bench, found = cells.Bench(model, rows.Limits()), {}
    for name in ("toolbox", "half", "percentile", "signed", "ltb", "differential"):
        network = bench.convert(rows.ROWS[name], None)
        found[name] = bench.classes(network, slice(0, 40), 8).tobytes()
    assert len({*found.values()}) == len(found)


def test_rows_that_depend_on_the_steps_are_not_run_once(parts, monkeypatch):
    _, cells, rows, model = parts
    bench = cells.Bench(model, rows.Limits())
    for name, row in rows.ROWS.items():
        chosen = row.choices
        free = chosen.get("threshold_rule") in ("percentile", "ltb") or chosen.get("schedule") == "differential"
        uncorrected = (chosen.get("layer_correction"), chosen.get("readout_correction")) == ("none", 0)
        assert row.once == (free and uncorrected), name
    forgetful = rows.Row({"threshold_rule": "percentile", "readout_correction": 100}, once=True)
    monkeypatch.setattr(cells.Bench, "convert", lambda self, row, steps: _forgetting(model))
    with pytest.raises(ValueError, match="forgets steps"):
        bench.once(forgetful, (8,))


def _forgetting(model):
    import snntoolbox as stb

    network = stb.convert(model.graph, model.calibration, threshold_rule="percentile")
    from dataclasses import replace

    return network.replaced(readouts=[replace(r, start=2) for r in network.readouts])


def test_long_runs_take_fewer_samples_and_the_same_ones(parts):
    latency, cells, rows, model = parts
    bench, row = cells.Bench(model, rows.Limits(40, 15)), rows.ROWS["toolbox"]
    found = bench.once(row, (4, 64))
    assert {t: c.samples for t, c in found.items()} == {4: 40, 64: 15}
    assert cells.Bench(model, rows.Limits(40, 15, start=4)).samples(row, 4) == 15
    assert found[4] == cells.cell_of(model, _separately(bench, row, 40, 4), found[4].converting, found[4].running)
    assert found[64].agreement == np.mean(_separately(bench, row, 15, 64) == model.classes[:15])
    text = latency.table(model, {"toolbox": found}, (2, 4, 64))
    assert "of 40 samples" in text
    assert "of 15 samples" in text
    line = next(line for line in text.splitlines() if line.startswith("| toolbox"))
    assert line.split(" | ")[1].strip() == ""
    assert line.count("*") == 1


def _separately(bench, row, samples, steps):
    return bench.classes(bench.convert(row, steps), slice(0, samples), steps)[-1]


def test_a_phased_network_is_run_as_its_quantised_one(parts, monkeypatch):
    _, cells, rows, model = parts
    bench, row = cells.Bench(model, rows.Limits()), rows.ROWS["phased"]
    found, simulated = bench.phased(row, 2), bench.classes(bench.convert(row, 2), slice(0, 40), None)[-1]
    assert found.agreement == np.mean(simulated == model.classes)
    assert found.told.startswith("0 of ")
    assert "7 T, a sample every 4 T steps (two membranes: 3 T)" in found.told
    from snntoolbox.engine.quantized import QuantizedRun

    counts = QuantizedRun.counts
    monkeypatch.setattr(QuantizedRun, "counts", lambda self, x: {n: c + 1 for n, c in counts(self, x).items()})
    with pytest.raises(ValueError, match="do not fire as"):
        bench.phased(row, 2)


def test_what_was_measured_is_not_measured_again(parts, tmp_path, monkeypatch, capsys):
    latency, cells, _, _ = parts
    file = tmp_path / "cells.jsonl"
    monkeypatch.delenv("SNNTOOLBOX_ZOO", raising=False)
    arguments = ["--models", "digits", "--rows", "toolbox,mmse", "--steps", "1,2", "--samples", "10"]
    arguments += ["--cache", str(file)]
    latency.main(arguments)
    first = capsys.readouterr().out
    assert len(file.read_text().splitlines()) == 4
    assert first.count("T = 2: ") >= 2
    file.write_text(file.read_text() + '{"key": "digi')  # killed while it wrote
    monkeypatch.setattr(cells.Bench, "once", None)
    monkeypatch.setattr(cells.Bench, "each", None)
    latency.main(arguments)
    again = capsys.readouterr().out
    assert "digits toolbox" not in again
    assert again.strip() == first[first.index("digits: ANN") :].strip()
    with pytest.raises(TypeError):
        latency.main([*arguments[:-2], "--cache", str(file), "--samples", "11"])


def test_the_cache_holds_the_recipe(parts, tmp_path):
    """A row that was changed is another one."""
    _, cells, rows, model = parts
    bench, cache = cells.Bench(model, rows.Limits()), cells.Cache(tmp_path / "c")
    keys = {cache.key(bench, "r", rows.Row({"percentile": p}), 8) for p in (99.0, 99.9)}
    assert len(keys) == 2
    cache.add(min(keys), cells.Cell(40, 1.0, 1.0, 0.0, 0.0))
    assert json.loads((tmp_path / "c").read_text())["key"] == min(keys)
    assert cells.Cache(tmp_path / "c").cells == cache.cells


def test_a_row_that_a_model_refuses_leaves_the_others(parts, monkeypatch, capsys):
    """A network without rectifiers has no first layer that could have digits of its own."""
    from snntoolbox.ir.graph import Graph
    from snntoolbox.ir.nodes import Dense, Input

    latency, cells, _, digits = parts
    nodes = [
        Input(name="x", shape=(8,)),
        Dense(name="y", inputs=("x",), weight=np.random.default_rng(0).normal(size=(3, 8))),
    ]
    x = digits.x.reshape(len(digits.x), -1)[:, :8]
    model = cells.Model("linear", Graph(nodes, ["y"]), x, digits.labels % 3, x)
    monkeypatch.setattr(latency, "models", lambda options: [lambda: model])
    asked = ["--rows", "radix,radix+first", "--steps", "4", "--losses", "radix,radix+first"]
    assert latency.main(asked) == 0
    told = capsys.readouterr().out
    assert "linear radix+first: refused: bits are set for '0'" in told
    assert "| radix | 100.0 / " in told
    assert "4 steps, 1 models: mean 0.00" in told
    assert "nan" not in told
    latency.main(["--rows", "radix+first", "--steps", "4"])
    assert capsys.readouterr().out.startswith("refused: bits are set for '0'")
