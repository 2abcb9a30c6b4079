"""Gives each layer of a saved model its weights, by the names that Keras 3 has for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.keras.files import ByLayer, ByPath, Saved
from snntoolbox.frontends.keras.inputs import name_of
from snntoolbox.frontends.keras.legacy import translated
from snntoolbox.frontends.keras.nested import CELLS, GROUPED, parts, snake, told_apart
from snntoolbox.frontends.keras.records import has_integer_weights
from snntoolbox.frontends.keras.runtime import QCFS
from snntoolbox.ir.node import Array

Weights = dict[str, dict[str, Array]]
"""The weights of each layer, by its name with those of the models it is in."""

SAVED_AS = "saved_as"
"""Where the entry of a layer has the name of the class that its weights are stored under, if that is another."""

MODELS = ("Functional", "Sequential")

_ALIASES = {
    "W": "kernel",
    "b": "bias",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",  # it held the variance
    "alphas": "alpha",
}
_KNOWN = (
    *("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance", "alpha", "mean", "variance", "count"),
    *("recurrent_kernel", "threshold", "kernel_scale"),
)
_SHORT = re.compile(rf"(?:^|_)({'|'.join(('depthwise_kernel', 'pointwise_kernel', *_ALIASES, *_KNOWN))})(?:_\d+)?$")


def assigned(saved: Saved) -> Weights:
    """The weights of every layer that is known to have any; FrontendError where file and architecture do not fit."""
    if saved.by_path is not None:
        return _from_paths(saved, saved.by_path)
    assert saved.by_layer is not None
    weights: Weights = {}
    for entry in saved.config["config"]["layers"]:
        weights.update(_from_list(entry, saved, saved.by_layer))
    return weights


def variables(kind: str, config: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The weights that a layer has, in Keras' order: those that are trained, and the others."""
    each = [_variables(part.kind, part.config) for part in parts(kind, config)]
    trained, others = ([name for names in group for name in names] for group in zip(*each, strict=True))
    return tuple(told_apart((name, None) for name in trained)), tuple(told_apart((name, None) for name in others))


def _variables(kind: str, config: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    bias = ("bias",) if config.get("use_bias", True) else ()
    if kind.startswith("SeparableConv"):
        return ("depthwise_kernel", "pointwise_kernel", *bias), ()
    if kind == "EinsumDense":
        return ("kernel", *(("bias",) if config.get("bias_axes") else ())), ()
    if kind == "Attention":
        scored = ("concat_score_weight",) if config.get("score_mode") == "concat" else ()
        return (*(("scale",) if config.get("use_scale") else ()), *scored), ()
    if kind in CELLS:
        return ("kernel", "recurrent_kernel", *bias), ()
    if kind == "Dense" and has_integer_weights(config):
        return ("kernel", *bias, "kernel_scale"), ()
    if kind == "Dense" or re.fullmatch(r"(Depthwise)?Conv\dD(Transpose)?", kind):
        return ("kernel", *bias), ()
    if kind in ("BatchNormalization", "LayerNormalization", "GroupNormalization"):
        scale = ("gamma",) if config.get("scale", True) else ()
        moving = ("moving_mean", "moving_variance") if kind == "BatchNormalization" else ()
        return (*scale, *(("beta",) if config.get("center", True) else ())), moving
    if kind == "RMSNormalization":
        return ("scale",), ()
    if kind == "Normalization":
        return (), () if config.get("mean") is not None else ("mean", "variance", "count")
    if kind == QCFS:
        return ("threshold",), ()
    if kind == "LayerScale":
        return ("variable",), ()
    return (("alpha",), ()) if kind == "PReLU" else ((), ())


# -- .keras: by place -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    """A layer that has weights: its full name and kind, their names, what is stored at its path, and its identity.

    A layer that is in several models is stored once, with whichever Keras met first; all its entries have the same
    `shared` number.
    """

    name: str
    kind: str
    weights: tuple[str, ...]
    stored: Sequence[Array]
    shared: Any


def _from_paths(saved: Saved, stored: ByPath) -> Weights:
    """The weights of all layers, each from its own path or from that of the same layer in another model."""
    places = list(_places(saved.config, "", "", stored))
    known = {p.shared: p.stored for p in places if p.shared is not None and len(p.stored) >= len(p.weights)}
    weights: Weights = {}
    for place in places:
        values = place.stored or known.get(place.shared, ())
        if len(values) < len(place.weights):
            raise FrontendError(
                f"{len(values)} weights are stored, it has {len(place.weights)}",
                layer=f"{place.name} (keras {place.kind})",
                hint="of a layer that several models share the file may not tell; then Keras cannot load it either: "
                "save the model as .h5, or give the live one",
            )
        weights[place.name] = dict(zip(place.weights, values, strict=False))
    return weights


def _places(entry: Mapping[str, Any], scope: str, path: str, stored: ByPath) -> Iterator[_Place]:
    """Keras numbers the layers of one class within a model: 'layers/dense', 'layers/dense_1'."""
    used: dict[str, int] = {}
    for layer in entry["config"]["layers"]:
        kind, name = layer["class_name"], name_of(layer)
        if "ops" in str(layer.get("module")).split("."):
            continue
        stem = snake(GROUPED[0] if kind in GROUPED else layer.get(SAVED_AS, kind))
        number = used[stem] = used.get(stem, -1) + 1
        place = f"{path}layers/{stem}" + (f"_{number}" if number else "")
        if kind in MODELS:
            yield from _places(layer, f"{scope}{name}/", f"{place}/", stored)
            continue
        names = tuple(n for part in variables(kind, layer["config"]) for n in part)
        old = place.replace("layers", "_layer_checkpoint_dependencies")
        if names:
            places = [f"{place}{part.place}" for part in parts(kind, layer["config"])]
            values = [value for p in places for value in stored.get(p, ())] or stored.get(old) or []
            yield _Place(f"{scope}{name}", kind, names, values, layer.get("shared_object_id"))


# -- .h5: by layer and order ----------------------------------------------------------------------------------------


def _from_list(entry: Mapping[str, Any], saved: Saved, stored: ByLayer) -> Weights:
    """The weights of one layer of the model, or of all layers of a model in it."""
    leaves = list(_leaves(entry, "", saved))
    trained = [(name, n) for name, first, _, on in leaves for n in first if on]
    fixed = [(name, n) for name, first, rest, on in leaves for n in (rest if on else (*first, *rest))]
    needed = [*trained, *fixed]
    if not needed:
        return {}
    name, values = name_of(entry), stored.get(name_of(entry), [])
    shorts = [_short(n) for n, _ in values]
    weights: Weights = {layer: {} for layer, _ in needed}
    plain = [n.rpartition("/")[2] for _, n in needed]
    if len(shorts) != len(plain) or any(s not in (None, n) for s, n in zip(shorts, plain, strict=True)):
        needed = _by_name(needed, [n for n, _ in values], name, str(entry["class_name"]))
    for (layer, short), (_, value) in zip(needed, values, strict=True):
        weights[layer][short] = value
    return weights


Leaf = tuple[str, tuple[str, ...], tuple[str, ...], bool]


def _leaves(entry: Mapping[str, Any], scope: str, saved: Saved) -> Iterator[Leaf]:
    """Each layer's full name, its trained weights and its others, and whether it was being trained."""
    name = f"{scope}{name_of(entry)}"
    if entry["class_name"] in MODELS:
        for layer in entry["config"]["layers"]:
            yield from _leaves(layer, f"{name}/", saved)
        return
    kind, config, _ = translated(entry["class_name"], entry["config"], saved.generation, saved.backend)
    first, rest = variables(kind, config)
    yield name, first, rest, bool(config.get("trainable", True))


def _short(name: str) -> str | None:
    """The short name of a stored weight: 'conv2d_1/kernel:0' and 'convolution2d_1_W' are 'kernel'."""
    last = name.split("/")[-1].split(":")[0]
    match = _SHORT.search(last)
    short = None if match is None else _ALIASES.get(match[1], match[1])
    if short == "depthwise_kernel" and not name.count("separable"):
        return None  # a depthwise layer's only kernel, or a separable one's first: which its place says
    return short


def _by_name(needed: list[tuple[str, str]], stored_names: list[str], layer: str, kind: str) -> list[tuple[str, str]]:
    """What each stored weight is, where their order is not Keras': the layer's name in front of it says so."""
    known = {(name.split("/")[-1], short): (name, short) for name, short in needed}
    single = len({name for name, _ in needed}) == 1
    identified = []
    for name in stored_names:
        parts, short = name.split("/"), _short(name)
        owner = needed[0][0].split("/")[-1] if single else parts[-2] if len(parts) > 1 else ""
        if short is None or (owner, short) not in known:
            break
        identified.append(known[owner, short])
    counts = (len(identified), len(stored_names), len(set(identified)), len(known))
    if any(count != len(needed) for count in counts):
        shorts = ", ".join(short for _, short in needed)
        raise FrontendError(
            f"the weights stored for it are {', '.join(stored_names) or 'none'}; it has {shorts}",
            layer=f"{layer} (keras {kind})",
        )
    return identified
