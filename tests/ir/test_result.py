"""What a result says of itself in one line, whatever it holds."""

import numpy as np

from snntoolbox.ir.result import Result, joined


def test_its_text_is_short():
    big = np.zeros((50, 40, 3, 30))
    outputs = {"out": np.zeros((40, 2))}
    text = repr(Result(steps=50, samples=40, counts={"a\x1bb": big[0]}, outputs=outputs, spikes={"a\x1bb": big}))
    assert text == r"Result(40 samples, 50 steps; counts, outputs, spikes of a\x1bb)"


def test_figures_that_one_batch_lacks_are_0_there():
    """A simulator of chips tells no energies of samples without spikes."""
    silent, other = (Result(steps=1, samples=n, counts={}, outputs={}, hardware=h) for n, h in (
        (2, {}), (1, {"energy (J)": np.ones(1)})))  # fmt: skip
    for results, wanted in (([silent, other], [0, 0, 1]), ([other, silent], [1, 0, 0])):
        assert joined(results).hardware["energy (J)"].tolist() == wanted
