"""A result as a dataset: every array under its name, axes named, times in ms."""

import sys

import numpy as np
import pytest

from snntoolbox.errors import SNNToolboxError
from snntoolbox.ir.head import Head
from snntoolbox.ir.result import Result

RNG = np.random.default_rng(0)
COUNTS = {"conv/1": RNG.integers(0, 9, (3, 2, 4, 5)), "fc": RNG.integers(0, 9, (3, 6)), "map": np.ones((3, 4, 5))}
SPIKES = {"fc": RNG.random((7, 3, 6)) < 0.5}
OUTPUT = RNG.random((3, 4))


def result(**more):
    return Result(
        steps=7, samples=3, counts=COUNTS, outputs={"out": OUTPUT}, outputs_per_step={"out": RNG.random((7, 3, 4))},
        spikes=SPIKES, potentials={"map": RNG.random((7, 3, 4, 5))}, hardware={"energy (J)": np.arange(3.0)}, **more,
    )  # fmt: skip


def test_everything_is_in_it():
    pytest.importorskip("xarray")
    data = result().to_xarray()
    assert data["conv/1.counts"].dims == ("sample", "conv/1.channel", "conv/1.row", "conv/1.column")
    np.testing.assert_array_equal(data["conv/1.counts"], COUNTS["conv/1"])
    np.testing.assert_array_equal(data["fc.spikes"].sel(time=3.0), SPIKES["fc"][2])
    assert data["map.potentials"].dims == ("time", "sample", "map.row", "map.column")
    np.testing.assert_array_equal(data["prediction"], OUTPUT.argmax(axis=1))
    assert data["out.output_per_step"].dims == ("time", "sample", "out.neuron")
    assert data["hardware.energy (J)"].sum() == 3
    assert data.time.values.tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_an_output_that_says_no_class_has_no_prediction():
    pytest.importorskip("xarray")
    assert "prediction" not in result(heads={"out": Head(kind="values")}).to_xarray()


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(SNNToolboxError) as caught:
        result().to_xarray()
    assert "snntoolbox[xarray]" in caught.value.hint
