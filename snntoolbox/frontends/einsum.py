"""Einstein sums: axes named by letters, those that the result does not have summed over."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_letters

import numpy as np

from snntoolbox.frontends import maps
from snntoolbox.frontends.layer_call import TREAT_ALONE, Activation, LayerCall, Operand, Refusal
from snntoolbox.frontends.stacks import by_matrices


@dataclass(frozen=True)
class _Term:
    """An operand whose axes have these letters; of an activation those of a sample."""

    letters: str
    value: Operand


def einsum(call: LayerCall, equation: str, operands: Sequence[Operand]) -> str:
    """The sum that the equation says, of activations with one batch letter in front and of constants."""
    ranks = [len(call.shape(o.name)) + 1 if isinstance(o, Activation) else np.ndim(o) for o in operands]
    inputs, output = _read(equation, ranks)
    batch = next(t[0] for t, o in zip(inputs, operands, strict=True) if isinstance(o, Activation))
    terms = []
    for letters, operand in zip(inputs, operands, strict=True):
        if len(set(letters)) < len(letters):
            raise Refusal(f"'{equation}' reads a diagonal")
        if letters.find(batch) != (0 if isinstance(operand, Activation) else -1):
            raise Refusal(f"'{equation}' mixes samples", hint=TREAT_ALONE)
        terms.append(_Term(letters.removeprefix(batch), operand))
    if output[:1] != batch:
        raise Refusal(f"'{equation}' moves the batch axis, or sums over it", hint=TREAT_ALONE)
    wanted = output[1:]
    while len(terms) > 1:
        first, second, *others = terms
        kept = set(wanted).union(*(t.letters for t in others))
        terms = [_pair(call, first, second, kept), *others]
    (last,) = (_summed(call, t, set(wanted)) for t in terms)
    assert isinstance(last.value, Activation)
    return call.builder.permute(call.name, last.value.name, [last.letters.index(c) for c in wanted], call.origin)


def _read(equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """The letters of each operand and of the result, dots spelt out."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    inputs = left.split(",")
    if len(inputs) != len(ranks):
        raise Refusal(f"'{equation}' has {len(inputs)} terms for {len(ranks)} operands")
    spare = [c for c in reversed(ascii_letters) if c not in equation]
    widest = max((r - len(t) + 3 for t, r in zip(inputs, ranks, strict=True) if "..." in t), default=0)
    dots = "".join(spare[: max(widest, 0)])
    spelt = []
    for term, rank in zip(inputs, ranks, strict=True):
        missing = rank - len(term.replace("...", ""))
        if missing < 0 or ("..." not in term and missing):
            raise Refusal(f"'{equation}' does not fit operands of {', '.join(map(str, ranks))} axes")
        spelt.append(term.replace("...", dots[len(dots) - missing :]))
    joint = "".join(spelt)
    alone = sorted(c for c in set(joint) if joint.count(c) == 1 and c not in dots)
    output = right.replace("...", dots) if arrow else dots + "".join(alone)
    if not all(c in joint for c in output) or len(set(output)) < len(output) or not joint.isalpha():
        raise Refusal(f"'{equation}' is malformed")
    return spelt, output


def _pair(call: LayerCall, first: _Term, second: _Term, kept: set[str]) -> _Term:
    """The product of two terms, summed over the letters that are not kept."""
    if not isinstance(first.value, Activation):
        first, second = second, first
    first, second = _summed(call, first, kept | set(second.letters)), _summed(call, second, kept | set(first.letters))
    one, other = _sizes(call, first), _sizes(call, second)
    if any(one[c] != other[c] for c in one.keys() & other.keys()):
        raise Refusal("axes of one letter have different sizes")
    joint = "".join(c for c in one if c in other and c in kept)
    inner = "".join(c for c in one if c in other and c not in kept)
    rows, columns = "".join(c for c in one if c not in other), "".join(c for c in other if c not in one)
    letters = joint + rows + columns
    if not isinstance(first.value, Activation):
        arrays = np.asarray(first.value), np.asarray(second.value)
        return _Term(letters, np.einsum(f"{first.letters},{second.letters}->{letters}", *arrays))
    left, right = _grouped(call, first, (joint, rows, inner)), _grouped(call, second, (joint, inner, columns))
    assert isinstance(left, Activation)
    both = isinstance(right, Activation)
    found = maps.matrix_product(call, left, right) if both else by_matrices(call, left.name, np.asarray(right))
    shape = [(one | other)[c] for c in letters]
    return _Term(letters, Activation(call.builder.reshape(f"{call.name}_apart", found, shape, call.origin)))


def _grouped(call: LayerCall, term: _Term, groups: tuple[str, ...]) -> Operand:
    """A term with its axes in this order, those of a group as one."""
    order = [term.letters.index(c) for c in "".join(groups)]
    shape = [math.prod(_sizes(call, term)[c] for c in group) for group in groups]
    if not isinstance(term.value, Activation):
        return np.transpose(term.value, order).reshape(shape)
    moved = call.builder.permute(f"{call.name}_moved", term.value.name, order, call.origin)
    return Activation(call.builder.reshape(f"{call.name}_joint", moved, shape, call.origin))


def _summed(call: LayerCall, term: _Term, kept: set[str]) -> _Term:
    """A term summed over the letters that are not kept."""
    axes = [i for i, c in enumerate(term.letters) if c not in kept]
    if not axes:
        return term
    letters = "".join(c for c in term.letters if c in kept)
    if isinstance(term.value, Activation):
        return _Term(letters, Activation(maps.total(call, term.value.name, axes, keepdims=False)))
    return _Term(letters, np.sum(term.value, axis=tuple(axes)))


def _sizes(call: LayerCall, term: _Term) -> dict[str, int]:
    shape = call.shape(term.value.name) if isinstance(term.value, Activation) else np.shape(term.value)
    return dict(zip(term.letters, shape, strict=True))
