"""Attention under masks, against numpy."""

import numpy as np
import pytest
from layer_calls import call_on, computed, samples
from scipy.special import softmax

from snntoolbox.frontends.attention import attention, causal, joined
from snntoolbox.frontends.layer_call import Refusal

SHAPES = (2, 3, 4), (2, 5, 4), (2, 5, 6)
SEEN = np.array([[1, 0, 0, 1, 0], [0, 1, 1, 1, 1], [1, 1, 1, 1, 1]], bool)
MASKS = {
    "none": [],
    "truth values": [SEEN],
    "added": [np.where(SEEN, 0.5, -np.inf)],
    "one for each head": [np.stack([SEEN, SEEN[::-1]])],
    "two": [SEEN, np.linspace(-1, 1, 5)],
}


@pytest.mark.parametrize("case", MASKS)
def test_attention(case):
    call, (q, k, v) = call_on(*SHAPES), samples(*SHAPES)
    found = computed(call, attention(call, "x0", "x1", "x2", 0.7, joined(MASKS[case]))[0], q, k, v)
    scores = 0.7 * q @ k.swapaxes(-1, -2)
    for mask in MASKS[case]:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    np.testing.assert_allclose(found, softmax(scores, axis=-1) @ v, atol=1e-12)


def test_each_query_sees_what_came():
    call = call_on(*SHAPES)
    np.testing.assert_array_equal(causal(call, "x0", "x1"), np.tri(3, 5))


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (SEEN[:, :1] & False, "without any key"),
        (np.ones((3, 4), bool), "do not fit"),
        (np.ones((2, 2, 3, 5)), "does not fit"),
    ],
)
def test_masks_that_do_not_fit(mask, reason):
    with pytest.raises(Refusal, match=reason):
        attention(call_on(*SHAPES), "x0", "x1", "x2", mask=mask)
