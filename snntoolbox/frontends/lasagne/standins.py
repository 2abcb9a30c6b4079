"""Modules that stand for ``lasagne`` and ``theano`` while the user's file builds its network."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from snntoolbox.frontends.lasagne import initial, layers, moving_layers, networks, nonlinearities, pooling_layers
from snntoolbox.frontends.lasagne.expressions import Expression, Shared, recorder

ROOTS = ("lasagne", "theano")
_SUBMODULES = frozenset(
    {
        *("tensor", "nnet", "signal", "pool", "conv", "abstract_conv", "elemwise", "extra_ops", "basic", "sandbox"),
        *("rng_mrg", "scalar", "gof", "compile", "printing", "ifelse", "cuda", "gradient", "shared_randomstreams"),
        *("downsample", "layers", "init", "nonlinearities", "utils", "random", "objectives", "regularization"),
        *("updates", "dnn", "helper", "corrmm", "base", "dense", "input", "noise", "shape", "merge", "normalization"),
        *("special", "theano_extensions"),
    }
)
_LAYER_MODULES = ("layers", "dnn", "helper", "corrmm", "cuda_convnet")

# -- of Theano ------------------------------------------------------------------------------------------------------


class Op:
    """An operation of the user's own: what it computes is code for Theano, so only its name is noted."""

    def __init__(self, *_: Any, name: str | None = None, **__: Any) -> None:
        self.name = name

    def __call__(self, *operands: Any, **settings: Any) -> Expression:
        """A note of the call."""
        return Expression(self.name or type(self).__name__, *operands, **settings)


class Elemwise:
    """An operation on single values, made one on arrays."""

    def __init__(self, scalar_op: Any, *_: Any, **__: Any) -> None:
        self.scalar_op = scalar_op

    def __call__(self, *operands: Any, **settings: Any) -> Expression:
        """A note of the call."""
        return Expression(getattr(self.scalar_op, "name", None) or type(self.scalar_op).__name__, *operands, **settings)


def _function(*_: Any, **__: Any) -> Any:
    """What stands for a compiled function: it can be made and passed on, not called."""

    def compiled(*_: Any) -> Any:
        raise TypeError("Theano is not there: functions of it cannot be called")

    return compiled


def _shared(value: Any, name: str | None = None, **_: Any) -> Shared:
    array = np.asarray(value)
    return Shared(array, array.shape, name)


_CONFIG = SimpleNamespace(floatX="float32", device="cpu", compute_test_value="off", mode="FAST_RUN")
_THEANO: Mapping[str, Any] = {
    **{"shared": _shared, "function": _function, "config": _CONFIG, "Elemwise": Elemwise, "Op": Op},
    "__version__": "1.0",
}


def _of_theano(name: str) -> Any:
    if name in _THEANO:
        return _THEANO[name]
    if name.endswith("Variable"):
        return Expression
    return Op if name.endswith("Op") else recorder(name)


# -- of Lasagne -----------------------------------------------------------------------------------------------------

_ALIASES: Mapping[str, Any] = {
    **{"dropout": moving_layers.DropoutLayer, "GaussianNoiseLayer": moving_layers.DropoutLayer},
    **dict.fromkeys(("dropout_channels", "spatial_dropout", "dropout_locations"), moving_layers.DropoutLayer),
    **{"concat": moving_layers.ConcatLayer, "flatten": moving_layers.FlattenLayer, "pad": moving_layers.PadLayer},
    **{"reshape": moving_layers.ReshapeLayer, "dimshuffle": moving_layers.DimshuffleLayer},
    **{"Pool2DDNNLayer": pooling_layers.Pool2DLayer, "MaxPool2DDNNLayer": pooling_layers.MaxPool2DLayer},
    **{"Pool3DDNNLayer": pooling_layers.Pool3DLayer, "MaxPool3DDNNLayer": pooling_layers.MaxPool3DLayer},
    **{f"Upscale{n}DLayer": pooling_layers.UpscaleLayer for n in (1, 2, 3)},
    "batch_norm_dnn": moving_layers.batch_norm,
    "BatchNormDNNLayer": layers.BatchNormLayer,
}


_REFUSED = (
    *("LSTMLayer", "GRULayer", "RecurrentLayer", "CustomRecurrentLayer", "EmbeddingLayer", "TransformerLayer"),
    *("LocalResponseNormalization2DLayer", "StandardizationLayer", "instance_norm", "layer_norm", "InverseLayer"),
    *("TransposedConv2DLayer", "Deconv2DLayer", "LocallyConnected2DLayer", "SpatialPyramidPoolingLayer"),
    *("FeatureWTALayer", "RandomizedRectifierLayer", "rrelu", "TPSTransformerLayer"),
)
"""Layers of Lasagne that can be built and are refused when the network is read, as any that is not known."""


def _layer_names() -> list[str]:
    """What ``from lasagne.layers import *`` gives."""
    ours = {
        name
        for module in (layers, moving_layers, pooling_layers, networks)
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    }
    return sorted(ours.union(_ALIASES, _REFUSED))


def _layer(name: str) -> Any:
    """A layer or function of ``lasagne.layers``; a layer that is not known can be built, and is refused later."""
    if name in _ALIASES:
        return _ALIASES[name]
    for module in (layers, moving_layers, pooling_layers, networks):
        if hasattr(module, name):
            return getattr(module, name)
    return type(name, (moving_layers.UnknownLayer,), {})


def _updates(loss_or_grads: Any = None, params: Sequence[Any] | None = None, *_: Any, **__: Any) -> Any:
    """What an update rule gives: a note for each parameter, which is never computed."""
    known = OrderedDict(loss_or_grads) if isinstance(loss_or_grads, Mapping) else OrderedDict()
    known.update((param, Expression("updated", param)) for param in params or ())
    return known


def _of_utils(name: str) -> Any:
    known = {"floatX": lambda a: np.asarray(a, np.float32), "as_tuple": layers.as_tuple, "int_types": (int, np.integer)}
    return known.get(name) or recorder(name)


def _of_random(name: str) -> Any:
    return {"get_rng": lambda: np.random, "set_rng": lambda rng: None}.get(name) or recorder(name)


_NAMED: Mapping[str, Mapping[str, Any]] = {"init": initial.NAMES, "nonlinearities": nonlinearities.NAMES}
"""The modules of which all names are known, for ``from lasagne.init import *``."""


def _of_lasagne(module: str, name: str) -> Any:
    last = module.rpartition(".")[2]
    if name == "__all__" and last in _NAMED:
        return sorted(_NAMED[last])
    if last in _LAYER_MODULES or module.startswith("lasagne.layers."):
        return _layer(name)
    if last in _NAMED:
        if name not in _NAMED[last]:
            raise AttributeError(f"lasagne.{last} has no {name}")
        return _NAMED[last][name]
    if last == "updates":
        return _updates
    return {"utils": _of_utils, "random": _of_random}.get(last, recorder)(name)


# -- modules --------------------------------------------------------------------------------------------------------


class _Module(ModuleType):
    """A module that has whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        if name == "__all__" and self.__name__.startswith("lasagne.layers"):
            return _layer_names()
        named = name == "__all__" and self.__name__ in (f"lasagne.{last}" for last in _NAMED)
        if name.startswith("__") and name != "__version__" and not named:
            raise AttributeError(name)
        if name in _SUBMODULES:
            return _module(f"{self.__name__}.{name}")
        return _of_lasagne(self.__name__, name) if self.__name__.startswith("lasagne") else _of_theano(name)


def _module(name: str) -> ModuleType:
    if name not in sys.modules:
        sys.modules[name] = module_from_spec(ModuleSpec(name, _Finder(), is_package=True))
    return sys.modules[name]


class _Finder(MetaPathFinder, Loader):
    """Finds every module of both packages, however deep."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> ModuleSpec | None:
        """A stand-in for a module of Lasagne or Theano; None for any other."""
        return ModuleSpec(name, self, is_package=True) if name.partition(".")[0] in ROOTS else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """An empty stand-in."""
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is run."""


@contextmanager
def standing_in(folder: Path) -> Iterator[None]:
    """Modules of both packages are stand-ins, and files in `folder` can be imported; afterwards all is as before."""
    before, finder = dict(sys.modules), _Finder()
    for name in [*sys.modules]:
        if name.partition(".")[0] in ROOTS:
            del sys.modules[name]
    sys.meta_path.insert(0, finder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.meta_path.remove(finder)
        for name in [*sys.modules]:
            if name.partition(".")[0] in ROOTS or (name not in before and _lies_in(sys.modules[name], folder)):
                del sys.modules[name]
        sys.modules.update({n: m for n, m in before.items() if n.partition(".")[0] in ROOTS})


def _lies_in(module: Any, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and Path(file).resolve().is_relative_to(folder.resolve())
