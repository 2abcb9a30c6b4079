"""Handlers of Resize and Upsample: per axis a choice of indices (nearest) or a matrix (linear)."""

from __future__ import annotations

import math

import numpy as np

from snntoolbox.frontends.layer_call import TREAT_ALONE, Refusal, check_size
from snntoolbox.frontends.maps import interpolation
from snntoolbox.frontends.onnx.call import OnnxCall
from snntoolbox.ir.node import Array

MODES = ("nearest", "linear")
F = np.float32  # coordinates are worked out in this type, as onnxruntime does, so that ties fall the same way


def upsample(call: OnnxCall) -> str:
    """Upsample (opset 7 to 9): asymmetric coordinates, rounded down."""
    scales = call.setting("scales", 1)
    if scales is None:
        raise Refusal("has no scales")
    return _resize(call, [float(s) for s in scales], None, "asymmetric", "simple")


def resize(call: OnnxCall) -> str:
    """Resize: of opset 10 like Upsample, then with its many rules of coordinates."""
    if call.opset < 11:
        return _resize(call, _scales(call, 1), None, "asymmetric", "simple")
    if call.flag("antialias") or call.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise Refusal("resizing with antialias or a kept aspect ratio is not supported")
    scales, sizes = _scales(call, 2), call.sizes("sizes", 3)
    rank, axes = len(call.shape()) + 1, call.attributes.get("axes")
    named = list(range(rank)) if axes is None else [int(a) % rank for a in axes]
    full = None
    if sizes is not None:
        by_axis = dict(zip(named, sizes, strict=True))
        if not call.is_batch(by_axis.get(0, call.batch or 1)):
            raise Refusal("resizes the batch axis", hint=TREAT_ALONE)
        full = [by_axis.get(a + 1, n) for a, n in enumerate(call.shape())]
        if not all(isinstance(n, int) for n in full):
            raise Refusal("resizes to the batch size")
    elif scales is not None:
        factors = dict(zip(named, scales, strict=True))
        scales = [factors.get(a, 1.0) for a in range(rank)]
    rule = call.attribute("coordinate_transformation_mode", "half_pixel")
    return _resize(call, scales, full, rule, call.attribute("nearest_mode", "round_prefer_floor"))  # type: ignore[arg-type]


def _scales(call: OnnxCall, i: int) -> list[float] | None:
    """The scales, None where the input is left out or empty."""
    array = call.optional(i, "scales")
    return None if array is None or not array.size else [float(s) for s in np.ravel(array)]


def _resize(call: OnnxCall, scales: list[float] | None, sizes: list[int] | None, rule: str, rounding: str) -> str:
    mode, shape, source = call.attribute("mode", "nearest"), call.shape(), call.source()
    if mode not in MODES:
        raise Refusal(f"resizing by '{mode}' is not supported")
    if sizes is None:
        if scales is None or len(scales) != len(shape) + 1 or scales[0] != 1:
            raise Refusal(f"scales {scales} do not fit, or resize the batch")
        if not all(math.isfinite(s) and 0 < s < 2**24 for s in scales):
            raise Refusal(f"scales {scales} are malformed")
        sizes = [int(F(n) * F(s)) for n, s in zip(shape, scales[1:], strict=True)]
        factors = [F(s) for s in scales[1:]]
    else:
        factors = [F(m) / F(n) for m, n in zip(sizes, shape, strict=True)]
    if min(sizes) < 1:
        raise Refusal(f"resizes to {sizes}")
    check_size(sizes)
    for axis, (n, m, factor) in enumerate(zip(shape, sizes, factors, strict=True)):
        if n == m and factor == 1:
            continue
        places = _places(n, m, factor, rule)
        if mode == "nearest":
            picked = _nearest(places, n, factor, rounding)
            source = call.builder.take(call.name, source, axis, picked.tolist(), call.origin)
        else:
            check_size((n, m))
            call.builder.spend(n * m)
            source = call.builder.dense(
                call.name, source, interpolation(places, n), None, axis=axis, origin=call.origin
            )
    return source


def _places(n: int, m: int, factor: np.float32, rule: str) -> Array:
    """Where each of m outputs lies among n inputs (ONNX, operator Resize, coordinate_transformation_mode)."""
    i = np.arange(m, dtype=F)
    half = (i + F(0.5)) / factor - F(0.5)
    if rule == "half_pixel":
        return half
    if rule == "pytorch_half_pixel":
        return half if m > 1 else np.zeros(1, F)
    if rule == "half_pixel_symmetric":
        adjustment = F(m) / (factor * F(n))
        centre = F(n) / F(2)
        return centre * (F(1) - adjustment) + half
    if rule == "asymmetric":
        return i / factor
    if rule == "tf_half_pixel_for_nn":
        return (i + F(0.5)) / factor
    if rule == "align_corners":
        return i * F(n - 1) / F(m - 1) if m > 1 else np.zeros(1, F)
    raise Refusal(f"resizing by the rule '{rule}' is not supported")


def _nearest(places: Array, n: int, factor: np.float32, rounding: str) -> Array:
    """The index that each place is rounded to."""
    if rounding == "simple":
        rounding = "floor" if factor >= 1 else "ceil"
    if rounding == "floor":
        index = np.floor(places)
    elif rounding == "ceil":
        index = np.ceil(places)
    elif rounding == "round_prefer_floor":
        index = np.ceil(places - F(0.5))
    elif rounding == "round_prefer_ceil":
        index = np.floor(places + F(0.5))
    else:
        raise Refusal(f"rounding by the rule '{rounding}' is not supported")
    return np.asarray(np.clip(index, 0, n - 1).astype(np.int64))
