"""Products with stacks of constant matrices, against numpy."""

import numpy as np
import pytest
from layer_calls import call_on, computed, samples

from snntoolbox.frontends.layer_call import Activation, Refusal
from snntoolbox.frontends.maps import matrix_product

RNG = np.random.default_rng(2)


@pytest.mark.parametrize(
    ("shape", "stack"),
    [((2, 3, 4), (2, 4, 5)), ((1, 3, 4), (2, 4, 5)), ((2, 3, 4), (1, 2, 4, 5)), ((2, 3, 1), (2, 1, 1))],
)
@pytest.mark.parametrize("left", [False, True])
def test_product(shape, stack, left):
    matrices, (x,) = RNG.normal(size=stack), samples(shape)
    if left:
        shape, x, matrices = (*shape[:-2], *shape[:-3:-1]), x.swapaxes(-1, -2), matrices.swapaxes(-1, -2)
    call = call_on(shape)
    factors = (matrices, Activation("x0")) if left else (Activation("x0"), matrices)
    whole = matrices[0] if matrices.ndim > 3 else matrices
    wanted = whole @ x if left else x @ whole
    np.testing.assert_allclose(computed(call, matrix_product(call, *factors), x), wanted, atol=1e-12)


@pytest.mark.parametrize(
    ("stack", "reason"), [((2, 3, 4), "stack of constant matrices"), ((3, 2, 4, 5), "varies over the batch")]
)
def test_stacks_that_do_not_fit(stack, reason):
    with pytest.raises(Refusal, match=reason):
        matrix_product(call_on((2, 3, 4)), Activation("x0"), np.ones(stack))
