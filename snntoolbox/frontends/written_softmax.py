"""Recognises softmax in the pieces in which models write it out: exp, a sum, a division."""

from __future__ import annotations

from snntoolbox.frontends import functions
from snntoolbox.frontends.layer_call import LayerCall
from snntoolbox.frontends.written_means import averaged, is_one, same
from snntoolbox.ir.nodes import Add, Elementwise, Scale, Take


def softmax_of(call: LayerCall, dividend: str, divisor: str) -> str | None:
    """``exp(x) / sum(exp(x))`` along an axis as a softmax of x; None where that is not what is divided.

    What x is less, such as the largest of its row, is left out where it is one number for all that are summed: it
    changes nothing.
    """
    node, total = call.builder.node(dividend), averaged(call, divisor)
    if not isinstance(node, Elementwise) or node.function != "exp" or total is None or len(total.axes) != 1:
        return None
    (axis,) = total.axes
    if not is_one(total.factor / call.shape(dividend)[axis]) or not same(call, total.source, dividend):
        return None
    return functions.softmax(call, _unshifted(call, node.inputs[0], axis), axis)


def _unshifted(call: LayerCall, name: str, axis: int) -> str:
    """A value without what is taken off it that does not vary along an axis."""
    node = call.builder.node(name)
    if not isinstance(node, Add) or len(node.inputs) != 2 or node.factors[0] != 1 or node.bias is not None:
        return name
    return node.inputs[0] if _is_flat(call, node.inputs[1], axis) else name


def _is_flat(call: LayerCall, name: str, axis: int) -> bool:
    """Whether a value repeats one along an axis."""
    node = call.builder.node(name)
    while isinstance(node, Take | Scale) and (isinstance(node, Take) or node.gain.size == 1):
        if isinstance(node, Take) and node.axis == axis:
            return call.shape(node.inputs[0])[axis] == 1
        node = call.builder.node(node.inputs[0])
    return False
