"""Opens a Keras file: what is in it is read and checked by us, then Keras loads it where it can."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from snntoolbox.errors import FrontendError, SNNToolboxError, Unsupported, UnsupportedError
from snntoolbox.frontends.keras.checking import check_config
from snntoolbox.frontends.keras.custom_objects import Table, with_known
from snntoolbox.frontends.keras.files import Saved, read_saved
from snntoolbox.frontends.keras.nested import parts
from snntoolbox.frontends.keras.parse import parse_net
from snntoolbox.frontends.keras.rebuilding import rebuilt
from snntoolbox.frontends.keras.records import Net
from snntoolbox.frontends.keras.runtime import has_own_layer, import_keras, own_layer
from snntoolbox.frontends.keras.wiring import read_net
from snntoolbox.frontends.layer_call import hint_for
from snntoolbox.ir.hdf5 import brief
from snntoolbox.ir.node import Shape


@dataclass(frozen=True)
class FileModel:
    """A model that Keras does not load, as it was read from its file."""

    net: Net

    @cached_property
    def model(self) -> Any:
        """The same layers made anew in Keras; NoReferenceError where that fails."""
        return rebuilt(import_keras(), self.net)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shape of a sample of each input."""
        return tuple(i.shape for i in self.net.inputs)


def open_file(path: Path, input_shape: Shape | None = None, known: Table = MappingProxyType({})) -> Any:
    """The model in a file: a keras.Model, or a `FileModel` where Keras would not load it or not as it was meant.

    What custom objects are, `known` says.

    FrontendError or UnsupportedError where neither can be had. All that Keras will allocate is checked before.
    """
    with _damage_reported(path):
        saved = with_known(read_saved(path), known)
        keras = import_keras()
        offenders = check_config(keras, saved)
        net = _checked_net(keras, saved, input_shape, offenders)
    if has_own_layer(saved.config):
        own_layer()
    if not saved.whole or _changed(saved):
        return FileModel(net)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras' advice to whoever wrote the model's code
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception:
        return FileModel(net)


def _checked_net(keras: ModuleType, saved: Saved, input_shape: Shape | None, offenders: list[Unsupported]) -> Net:
    """The model as plain data, of which all shapes are known to fit; UnsupportedError that lists every offender."""
    try:
        net = read_net(saved, input_shape, keras.backend.backend(), keras.config.image_data_format())
        parse_net(net)
    except UnsupportedError as error:
        known = {_bare(o) for o in error.offenders}
        offenders = [*error.offenders, *(o for o in offenders if _bare(o) not in known)]
    except FrontendError:
        if not offenders:
            raise
    else:
        return net
    hints = dict.fromkeys(filter(None, (hint_for(o.reason) for o in offenders)))
    raise UnsupportedError(
        f"the keras frontend, reading {saved.path.name},",
        offenders,
        hint="; ".join(hints) or "replace these layers and train again",
    )


def _bare(offender: Unsupported) -> str:
    """A layer's own name, without its kind and the models it is in."""
    return offender.layer.split(" (")[0].split("/")[-1]


def _changed(saved: Saved) -> bool:
    """Whether Keras 3 loads such a file, if at all, as something else than it was."""
    old = saved.generation < 3
    return saved.generation == 1 or (old and (saved.backend == "theano" or _has_changed(saved.config)))


def _has_changed(entry: Any) -> bool:
    """Whether a model has hard_sigmoid, or no input layer, so that Keras 3 takes its first shape for another."""
    config = entry.get("config")
    if not isinstance(config, dict):
        return False
    layers = config.get("layers")
    if not isinstance(layers, list):
        return any(part.config.get("activation") == "hard_sigmoid" for part in parts(entry["class_name"], config))
    headless = entry["class_name"] == "Sequential" and layers[:1] and layers[0]["class_name"] != "InputLayer"
    return bool(headless) or any(map(_has_changed, layers))


@contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    """A file's content may be anything: what its reading stumbles over is reported as damage."""
    try:
        yield
    except SNNToolboxError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, MemoryError) as error:
        raise FrontendError(
            f"the architecture in {path.name} is damaged: {brief(error)}",
            hint="open it with the Keras that made it and save it again with model.save('NAME.keras')",
        ) from error
