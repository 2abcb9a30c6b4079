"""What a result says of itself in one line, whatever it holds."""

import numpy as np

from snntoolbox.ir.result import Result


def test_its_text_is_short():
    big = np.zeros((50, 40, 3, 30))
    outputs = {"out": np.zeros((40, 2))}
    text = repr(Result(steps=50, samples=40, counts={"a\x1bb": big[0]}, outputs=outputs, spikes={"a\x1bb": big}))
    assert text == r"Result(40 samples, 50 steps; counts, outputs, spikes of a\x1bb)"
