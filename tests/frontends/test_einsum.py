"""Einstein sums of branches and constants, against numpy."""

import numpy as np
import pytest
from layer_calls import call_on, computed, samples

from snntoolbox.frontends.einsum import einsum
from snntoolbox.frontends.layer_call import Activation, Refusal

X, Y = Activation("x0"), Activation("x1")
RNG = np.random.default_rng(2)
SUMS = {
    "scores": ("bid,bjd->bij", [X, Y], [(3, 4), (5, 4)]),
    "heads": ("bihd,bjhd->bhij", [X, Y], [(3, 2, 4), (5, 2, 4)]),
    "outer": ("bi,bj->bji", [X, Y], [(3,), (4,)]),
    "value by value": ("bij,bij->bji", [X, Y], [(3, 4), (3, 4)]),
    "dot": ("bi,bi->b", [X, Y], [(3,), (3,)]),
    "one alone": ("bij->bj", [X], [(3, 4)]),
    "turned": ("b i j -> b j i", [X], [(3, 4)]),
    "summed before": ("bik,bj->bij", [X, Y], [(3, 2), (4,)]),
    "constant": ("bid,de->bie", [X, RNG.normal(size=(4, 5))], [(3, 4)]),
    "constant first": ("ed,bid->bie", [RNG.normal(size=(5, 4)), X], [(3, 4)]),
    "a matrix for each": ("bhid,hde->bihe", [X, RNG.normal(size=(2, 4, 5))], [(2, 3, 4)]),
    "a factor for each": ("bij,i->bij", [X, RNG.normal(size=3)], [(3, 4)]),
    "constant outer": ("bi,j->bij", [X, RNG.normal(size=4)], [(3,)]),
    "two constants": ("de,bid,ef->bif", [RNG.normal(size=(4, 5)), X, RNG.normal(size=(5, 2))], [(3, 4)]),
    "three": ("bid,de,bje->bji", [X, RNG.normal(size=(4, 4)), Y], [(3, 4), (5, 4)]),
    "dots": ("b...d,ed->b...e", [X, RNG.normal(size=(5, 4))], [(2, 3, 4)]),
    "dots of both": ("b...id,b...jd->b...ij", [X, Y], [(2, 3, 4), (2, 5, 4)]),
    "no result named": ("aij,jk", [X, RNG.normal(size=(4, 2))], [(3, 4)]),
    "no result named, dots": ("...j,jk", [X, RNG.normal(size=(4, 2))], [(3, 4)]),
}


@pytest.mark.parametrize("case", SUMS)
def test_sums(case):
    equation, operands, shapes = SUMS[case]
    call, x = call_on(*shapes), samples(*shapes)
    given = iter(x)
    arrays = [next(given) if isinstance(o, Activation) else o for o in operands]
    found = computed(call, einsum(call, equation, operands), *x)
    np.testing.assert_allclose(found, np.einsum(equation, *arrays), atol=1e-12)


REFUSED = {
    "reads a diagonal": ("bii->bi", [X], [(3, 3)]),
    "mixes samples": ("bi,ci->bc", [X, Y], [(3,), (3,)]),
    "'bi,bi->bi' mixes samples": ("bi,bi->bi", [X, np.ones((1, 3))], [(3,)]),
    "moves the batch axis": ("bi->ib", [X], [(3,)]),
    "or sums over it": ("bi->i", [X], [(3,)]),
    "does not fit operands of 2, 3 axes": ("bi,bi->bi", [X, Y], [(3,), (3, 3)]),
    "has 1 terms for 2 operands": ("bi->bi", [X, Y], [(3,), (3,)]),
    "is malformed": ("bi->bij", [X], [(3,)]),
    "different sizes": ("bi,bi->bi", [X, Y], [(3,), (4,)]),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_refused(reason):
    equation, operands, shapes = REFUSED[reason]
    with pytest.raises(Refusal, match=reason):
        einsum(call_on(*shapes), equation, operands)
