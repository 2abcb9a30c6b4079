"""Opens PyTorch files: exported programs, and ``NAME.py`` with ``class Model`` beside its state dict."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.other_formats import TORCHSCRIPT
from snntoolbox.frontends.pytorch.archive import is_program, load_program
from snntoolbox.frontends.pytorch.model import TorchModel, check_fits, export_module, wrap_program
from snntoolbox.frontends.pytorch.operators import without_idle
from snntoolbox.frontends.pytorch.safe_tensors import SUFFIX, read_safetensors
from snntoolbox.frontends.pytorch.sizes import quiet
from snntoolbox.frontends.user_code import failing, run_code
from snntoolbox.ir.regular_files import check_regular

_WEIGHTS = (".pkl", ".pth", ".pt", SUFFIX)
_SPARE_BYTES = 1 << 26
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
_SAVE = "save torch.save(model.state_dict(), 'NAME.pth') beside NAME.py, or the model with torch.export.save"


def open_path(path: Path, input_shape: Any) -> TorchModel:
    """The model that a path means: a ``.pt2``, one of the two files of the convention, or their name without suffix."""
    code, weights = _locate(path)
    if weights is None:
        raise FrontendError(
            f"no weights found beside '{code}'" if code else f"there is no model '{path}'",
            hint=f"expected one of {', '.join(path.stem + s for s in (*_WEIGHTS, '.pt2'))} in '{path.parent}'",
        )
    if weights.stat().st_size == 0:
        raise FrontendError(f"'{weights}' is empty")
    names = _zip_names(weights)
    if weights.suffix == ".pt2" or is_program(names):
        return _opened_program(weights)
    if any("/code/" in f"/{n}" or n.endswith("constants.pkl") for n in names):
        raise FrontendError(TORCHSCRIPT.message(f"'{weights}'"), hint=TORCHSCRIPT.hint(weights))
    state = read_safetensors(weights) if weights.suffix == SUFFIX else read_state_dict(weights)
    if code is None:
        raise FrontendError(
            f"'{weights}' holds weights only ({len(state)} tensors: {_some(state)}), but no network",
            hint=f"put '{weights.stem}.py' with `class Model(torch.nn.Module)` and its `input_shape` beside it",
        )
    module, shape = build_model(code)
    _load_weights(module, state, weights)
    return export_module(module, shape if input_shape is None else input_shape, weights.stem)


def _opened_program(path: Path) -> TorchModel:
    """An exported program that loads, and whose parts fit; none of it has run."""
    program = load_program(path)
    without_idle(program.graph)
    program.graph_module.recompile()
    try:
        return check_fits(wrap_program(program, path.stem))
    except FrontendError as error:
        raise FrontendError(f"'{path}': {error.message}", hint=error.hint) from error


def _locate(path: Path) -> tuple[Path | None, Path | None]:
    """The code and the weights that belong to a path, None for what is not there."""
    if path.is_dir():
        raise FrontendError(f"'{path}' is a folder", hint="give the file, or its name without suffix")
    check_regular(path, FrontendError)
    known = path.suffix in (".py", ".pt2", *_WEIGHTS) or path.is_file()
    stem = path.with_suffix("") if known else path

    def beside(suffix: str) -> Path | None:
        candidate = stem.with_name(stem.name + suffix)
        return candidate if candidate.is_file() else None

    code = beside(".py")
    if known and path.suffix != ".py":
        return code, path if path.is_file() else None
    suffixes = _WEIGHTS if path.suffix == ".py" else (*_WEIGHTS, ".pt2") if code else (".pt2", *_WEIGHTS)
    return code, next((file for s in suffixes if (file := beside(s))), None)


def _zip_names(path: Path) -> list[str]:
    """The entries of a zip file; none for another file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file by name, read without running code; FrontendError for anything else."""
    _check_entries(path)
    try:
        with quiet():
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler meets damage with any kind of error
        text = str(error)
        if "GLOBAL" in text or "Unsupported" in text:
            raise FrontendError(
                f"'{path}' holds pickled Python objects (a whole module?), and loading them could run any code",
                hint=_SAVE,
            ) from error
        reason = next((line for line in text.splitlines() if line.strip()), type(error).__name__)
        raise FrontendError(f"'{path}' is damaged or no PyTorch file: {reason[:200]}", hint=_SAVE) from error
    for key in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(
        isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in content.items()
    ):
        raise FrontendError(f"'{path}' holds no state dict (a dictionary of named tensors)", hint=_SAVE)
    _check_tensors(content, path)
    if content and all(k.startswith("module.") for k in content):
        content = {k.removeprefix("module."): v for k, v in content.items()}
    return dict(content)


def _check_entries(path: Path) -> None:
    """FrontendError where a zip file unpacks to more than it holds: torch stores without compression."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(e.file_size for e in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return
    if unpacked > path.stat().st_size:
        raise FrontendError(f"'{path}' is damaged or no PyTorch file: it unpacks to {unpacked:,} bytes", hint=_SAVE)


def _check_tensors(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """FrontendError where tensors are not plain ones, or hold more than the file does: strides repeat, or reach out."""
    odd = [k for k, v in state.items() if v.layout != torch.strided or v.is_quantized or v.device.type != "cpu"]
    if odd:
        raise FrontendError(f"'{path}' holds tensors that are sparse, quantised or without data: {_some(odd)}")
    size = sum(v.numel() * v.element_size() for v in state.values())
    if size > path.stat().st_size + _SPARE_BYTES:
        raise FrontendError(f"'{path}' is damaged: it asks for {size:,} bytes of weights without holding them")


def build_model(code: Path) -> tuple[torch.nn.Module, Any]:
    """``Model(**kwargs)`` of the user's file and its `input_shape`; runs that file."""
    module = run_code(code, "Model")
    cls = getattr(module, "Model", None)
    if not (isinstance(cls, type) and issubclass(cls, torch.nn.Module)):
        raise FrontendError(f"'{code}' defines no `class Model(torch.nn.Module)`")
    kwargs = getattr(module, "kwargs", {})
    if not isinstance(kwargs, Mapping):
        raise FrontendError(f"`kwargs` in '{code}' is a {type(kwargs).__name__}, not a dictionary")
    hint = "arguments of Model go into a dictionary `kwargs` in that file"
    with failing(f"Model({', '.join(map(str, kwargs))}) in '{code}'", "Model", hint):
        model = cls(**kwargs)
    return model, getattr(model, "input_shape", getattr(module, "input_shape", None))


def _load_weights(model: torch.nn.Module, state: dict[str, torch.Tensor], path: Path) -> None:
    """Load all weights; FrontendError names what is missing, unexpected or of another shape."""
    try:
        keys = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        raise FrontendError(f"'{path}' does not fit the Model: {' '.join(lines)[:600]}") from error
    # the count of training batches says nothing about inference, and old files lack it
    missing = [k for k in keys.missing_keys if not k.endswith("num_batches_tracked") and not _shared(model, k, state)]
    unexpected = [k for k in keys.unexpected_keys if not k.endswith("num_batches_tracked")]
    misfits = [f"{what}: {_some(names)}" for what, names in (("missing", missing), ("unexpected", unexpected)) if names]
    if misfits:
        raise FrontendError(f"'{path}' does not fit the Model; {'; '.join(misfits)}")


def _shared(model: torch.nn.Module, key: str, state: Mapping[str, torch.Tensor]) -> bool:
    """Whether a tensor of the model is also one of another name that was loaded: safetensors holds it once."""
    own = model.state_dict(keep_vars=True)
    return any(own[other] is own[key] for other in state if other in own)


def _some(names: Any, limit: int = 10) -> str:
    """The first names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(map(str, names[:limit])) + more
