"""Reads an exported program (``.pt2``) so that nothing stored in the file can run.

``torch.export.load`` unpickles custom objects, hands size expressions to sympy (which evaluates them), compiles guards
and placeholder names into Python, and imports what tree specs name. So the archive is rebuilt in memory from parts
that were checked, without what is not needed, and only that is loaded.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.pytorch.sizes import quiet

_OPERATOR = re.compile(
    r"torch\.ops\.(aten|prims|higher_order)\.\w+(\.\w+)?"
    r"|torch\.ops\.quantized_decomposed\.(de)?quantize_per_(tensor|channel)(\.\w+)?"
    r"|torch\.sym_(int|float|max|min|not|ite)"
    r"|math\.(trunc|floor|ceil)|_operator\.(getitem|add|sub|mul|truediv|floordiv|mod|neg|eq|ne|lt|le|gt|ge)"
    r"|_operator\.(and_|or_|not_)",
    re.ASCII,
)
_NAME = re.compile(r"(?:[A-Za-z_]\w*)?", re.ASCII)
_PATH = re.compile(r"[\w.\-]*", re.ASCII)
_EXPRESSION = re.compile(r"(?:'[A-Za-z_]\w*'|[A-Za-z]\w*|\d{1,15}|[\s(),=+\-*/<>])*+", re.ASCII)
_FUNCTIONS = {
    *("Symbol", "Integer", "Add", "Mul", "FloorDiv", "CleanDiv", "CeilDiv", "Mod", "PythonMod", "Max", "Min"),
    *("Eq", "Ne", "Gt", "Ge", "Lt", "Le", "Rational", "floor", "ceiling", "true", "false", "And", "Or", "Not"),
    *("positive", "integer", "nonnegative", "negative", "True", "False", "TruncToInt", "ToFloat", "IntTrueDiv"),
}
_SPECS = {None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"}
_ITEM_LIMIT = 1 << 24
_HINT = "save it anew: torch.export.save(torch.export.export(model.eval(), (example,)), path)"


def load_program(path: Path) -> ExportedProgram:
    """The exported program in a file; FrontendError where it is damaged or holds more than tensors and operations."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FrontendError(f"'{path}' cannot be read: {error.strerror}") from error
    clean = _rebuilt(path, data)
    # It makes torch know the operations of quantised exports.
    import torch.ao.quantization.fx._decomposed

    try:
        with quiet():
            return torch.export.load(clean)
    except Exception as error:  # torch raises whatever its parsers stumble over
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise FrontendError(f"'{path}' cannot be loaded by torch: {reason[:300]}", hint=_HINT) from error


def is_program(names: list[str]) -> bool:
    """Whether the entries of a zip file are those of an exported program (of torch 2.8 on, or before)."""
    return any(_inner(n).startswith("models/") for n in names) or "serialized_exported_program.json" in names


def _inner(name: str) -> str:
    """An entry's name without the archive's own folder."""
    return name.partition("/")[2]


def _rebuilt(path: Path, data: bytes) -> io.BytesIO:
    """The checked archive in memory."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            names = [e.filename for e in entries]
            if not is_program(names):
                raise FrontendError(f"'{path}' holds no exported program", hint=_HINT)
            if len(set(names)) != len(names) or sum(e.file_size for e in entries) > len(data) + _ITEM_LIMIT:
                raise FrontendError(f"'{path}' is damaged: its entries are doubled or larger than the file", hint=_HINT)
            parts = {e.filename: archive.read(e) for e in entries if not e.is_dir()}
    except FrontendError:
        raise
    except Exception as error:  # zipfile meets damage with many kinds of errors
        raise FrontendError(f"'{path}' is damaged or no .pt2 file: {error}", hint=_HINT) from error
    try:
        checked = {name: _checked(name, content, parts) for name, content in parts.items() if _wanted(name)}
    except FrontendError as error:
        raise FrontendError(f"'{path}' {error.message}", hint=_HINT) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FrontendError(f"'{path}' is damaged: {type(error).__name__}: {error}", hint=_HINT) from error
    clean = io.BytesIO()
    with zipfile.ZipFile(clean, "w", zipfile.ZIP_STORED) as archive:
        for name, content in checked.items():
            archive.writestr(name, content)
    clean.seek(0)
    return clean


def _wanted(name: str) -> bool:
    """Whether loading needs an entry: compiled code and extra files are left behind."""
    return not _inner(name).startswith(("data/aotinductor/", "extra/", "extra_files/", "executorch/"))


def _checked(name: str, content: bytes, parts: dict[str, bytes]) -> bytes:
    """An entry as it may be loaded; FrontendError where it may not."""
    inner = _inner(name)
    if inner.startswith("models/") or name == "serialized_exported_program.json":
        return json.dumps(_checked_program(json.loads(content))).encode()
    if inner.endswith("_config.json"):
        config = json.loads(content)
        _check_payloads(name, config, parts)
        return json.dumps(_on_cpu(config)).encode()
    if name.endswith(".pt") or name in ("serialized_state_dict.json", "serialized_constants.json"):
        clean = io.BytesIO()
        try:
            with quiet():
                torch.save(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True), clean)
            return clean.getvalue()
        except Exception as error:
            raise FrontendError(f"holds pickled Python objects in '{inner}', which are not loaded") from error
    return content


def _check_payloads(name: str, config: dict[str, Any], parts: dict[str, bytes]) -> None:
    """Weights must be plain tensors no larger than their data, but for some that repeat a few values."""
    folder, spare = name.rpartition("/")[0], _ITEM_LIMIT
    for key, entry in config["config"].items():
        if entry["use_pickle"] or entry["path_name"].startswith(("custom_obj_", "opaque_obj_")):
            raise FrontendError(f"holds the pickled Python object '{key}', which is not loaded")
        items = math.prod(int(s["as_int"]) for s in entry["tensor_meta"]["sizes"])
        spare -= max(items - len(parts[f"{folder}/{entry['path_name']}"]), 0)
        if spare < 0:
            raise FrontendError(f"asks for {items} values for '{key}' without holding them")


def _checked_program(program: dict[str, Any]) -> dict[str, Any]:
    """The program without guards, and without metadata but the layers' names, after all its strings were checked."""
    program["guards_code"] = []
    for key in program.get("range_constraints") or {}:
        _check_expression(key)
    if program.get("treespec_namedtuple_fields"):
        raise FrontendError("takes or returns named tuples, which need the user's own classes")
    for node in _walk(program):
        for key, check in _CHECKS.items():
            if isinstance(node.get(key), str):
                check(node[key])
        for name in node.get("forward_arg_names") or ():
            _check_name(name)
        if "target" in node and isinstance(node.get("metadata"), dict):
            node["metadata"] = {k: v for k, v in node["metadata"].items() if k == "nn_module_stack"}
    return _on_cpu(program)


def _on_cpu(part: dict[str, Any]) -> dict[str, Any]:
    """The same with every device the CPU, so that a program exported on a GPU opens anywhere."""
    for node in _walk(part):
        if node.keys() == {"type", "index"} and node["type"] in ("cuda", "mps", "xpu"):
            node.update(type="cpu", index=None)
    return part


def _walk(value: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary in a JSON value."""
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            yield item
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)


def _check_expression(text: str) -> None:
    """A size expression is arithmetic of symbols and integers."""
    words = re.findall(r"[A-Za-z_]\w*", re.sub(r"'\w*'", "", text))
    known = all(w in _FUNCTIONS or re.fullmatch(r"[a-z]+\d+", w) for w in words)
    if not known or not _EXPRESSION.fullmatch(text) or "**" in text or len(text) > 300:
        raise FrontendError(f"holds the size expression {text[:60]!r}, which is not evaluated")


def _check_operator(text: str) -> None:
    """An operation is one of torch's own."""
    if not _OPERATOR.fullmatch(text) or "from_file" in text:
        raise FrontendError(f"uses the operation '{text[:60]}', which is none of torch's own")


def _check_spec(text: str) -> None:
    """A structure of arguments is built of tuples, lists and dictionaries."""
    specs = [d for d in _walk(json.loads(text)) if "type" in d] if text else []
    contexts = [json.loads(d["context"]) for d in specs if d.get("context")]
    plain = all(c is None or (isinstance(c, list) and all(isinstance(k, str) for k in c)) for c in contexts)
    if {d["type"] for d in specs} - _SPECS or not plain:
        raise FrontendError("takes or returns something else than tuples, lists and dictionaries of tensors")


def _check_name(text: str) -> None:
    """A value's name is an identifier: torch compiles it."""
    if not _NAME.fullmatch(text):
        raise FrontendError(f"holds the name {text[:60]!r}, which is no identifier")


def _check_path(text: str) -> None:
    """A weight's name is a dotted path: torch compiles it."""
    if not _PATH.fullmatch(text):
        raise FrontendError(f"holds the weight name {text[:60]!r}, which is no attribute path")


_CHECKS: dict[str, Callable[[str], None]] = {
    "expr_str": _check_expression,
    "in_spec": _check_spec,
    "out_spec": _check_spec,
    "target": _check_operator,
    "as_operator": _check_operator,
    "name": _check_name,
    "parameter_name": _check_path,
    "buffer_name": _check_path,
    "tensor_constant_name": _check_path,
    "custom_obj_name": _check_path,
}
