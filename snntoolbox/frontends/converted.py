"""Reads models by way of a converter in an interpreter of its own, where the original's outputs are computed too."""

from __future__ import annotations

import logging
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.converter import Converter
from snntoolbox.frontends.protocol import Frontend, Limits
from snntoolbox.frontends.whole_numbers import check_whole
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.other_python.process import EndedError, FailedError, OtherProcess
from snntoolbox.ir.scratch import Scratch

log = logging.getLogger(__name__)

SECONDS = 1800.0
"""For a conversion, and for the outputs of a batch."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Converted:
    """A model as the frontend of ONNX has opened it, and the process that has the original, with a folder for both."""

    opened: Any
    limits: tuple[Limits, ...]
    process: OtherProcess
    scratch: Scratch

    def __post_init__(self) -> None:
        weakref.finalize(self, _let_go, self.process, self.scratch)


def _let_go(process: OtherProcess, scratch: Scratch) -> None:
    process.end()
    scratch.close()


class ConvertedFrontend:
    """Reads one kind of file through its `converter`, in the interpreter `python`; what it gives is read by `onnx`."""

    suffixes: tuple[str, ...] = ()

    def __init__(self, kind: str, converter: Converter, python: str, onnx: Frontend) -> None:
        self.kind, self.converter, self.python, self.onnx = kind, converter, python, onnx
        self.name, self.doubt = converter.name, converter.doubt

    def accepts(self, model: Any) -> bool:
        """Whether `model` is what `open` gave."""
        return isinstance(model, Converted)

    def open(self, source: Path | Any, *, input_shape: Shape | None = None) -> Converted:
        """Convert a file or folder; FrontendError with the converter's last words where it cannot."""
        if isinstance(source, Converted):
            return source
        path = Path(source).absolute()
        python = self.converter.interpreter.found(self.python)
        library = self.converter.interpreter.library
        log.warning("'%s' is code, and is run by %s to convert it and to compare", source, library)
        scratch = Scratch()
        process = OtherProcess(python, self.converter.script, {"TMPDIR": str(scratch.path)})
        try:
            target = scratch.path / "model.onnx"
            request = {"do": "convert", "kind": self.kind, "model": str(path), "target": str(target)}
            whole = self._ask(process, request, f"'{source}' cannot be converted")
            opened = self.onnx.open(target, input_shape=input_shape)
            target.unlink()
        except BaseException:
            _let_go(process, scratch)
            raise
        limits = tuple(pair and (int(pair[0]), int(pair[1])) for pair in whole)
        return Converted(opened=opened, limits=limits, process=process, scratch=scratch)

    def parse(self, model: Converted) -> Graph:
        """The graph of what it was converted to."""
        return self.onnx.parse(model.opened)

    def limits(self, model: Converted) -> tuple[Limits, ...]:
        """Which whole numbers the original's inputs take."""
        return model.limits

    def predict(self, model: Converted, *x: Array) -> tuple[Array, ...]:
        """What the original gives, in its own framework."""
        for place, (array, limits) in enumerate(zip(x, model.limits, strict=True), 1):
            check_whole(array, limits, f"input {place} ({self.name})")
        given, found = (model.scratch.path / f"{name}.npz" for name in ("given", "found"))
        np.savez(given, **{str(k): array for k, array in enumerate(x)})  # type: ignore[arg-type]
        request = {"do": "predict", "given": str(given), "target": str(found)}
        self._ask(model.process, request, "the original cannot be run")
        with np.load(found) as file:
            outputs = tuple(file[str(k)] for k in range(len(file.files)))
        for path in (given, found):
            path.unlink()
        return outputs

    def _ask(self, process: OtherProcess, request: dict[str, str], what: str) -> Any:
        library = self.converter.interpreter.library
        try:
            return process.ask(request, SECONDS)
        except FailedError as error:
            raise FrontendError(f"{what}: {library} in '{self.python}' say {error}") from None
        except EndedError as error:
            raise FrontendError(f"{what}: '{self.python}' ended {error}") from None
        except TimeoutError:
            raise FrontendError(f"{what}: {library} in '{self.python}' took over {SECONDS:.0f} s") from None
