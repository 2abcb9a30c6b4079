"""Reads an ONNX model from a file, bytes or a live object, and checks it before anything of its size is made."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import external_data_helper, version_converter

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.onnx.inlined import inlined
from snntoolbox.ir.regular_files import check_regular

log = logging.getLogger(__name__)

OLDEST_OPSET = 7
MOST_BYTES = 2**31 - 1  # of one protobuf message
DOMAINS = ("", "ai.onnx")

# What else a file may be, by its first bytes.
SIGNATURES = (
    (b"\x80\x02", "a pickle"),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
    (b"PK\x03\x04", "a zip archive (a PyTorch or Keras 3 file?)"),
    (b"\x89HDF", "an HDF5 file (Keras?)"),
    (b"version https://git-lfs", "a Git LFS pointer: fetch the file itself with `git lfs pull`"),
)
TYPED_FIELDS = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")
# What protobuf and the onnx package raise on a damaged model; TypeError and KeyError come from their Python parts.
DAMAGE = (
    *(DecodeError, ValueError, RuntimeError, TypeError, KeyError),
    *(onnx.checker.ValidationError, onnx.shape_inference.InferenceError, version_converter.ConvertError),
)


def read_proto(source: Any) -> tuple[Any, str]:
    """A checked ModelProto and a name for it; FrontendError where `source` is not one."""
    if isinstance(source, (str, Path)):
        path = Path(source)
        return checked(parsed(_content(path), f"'{path}'"), f"'{path}'", path.parent), path.stem
    if isinstance(source, (bytes, bytearray, memoryview)):
        return checked(parsed(bytes(source), "the given bytes"), "the given bytes", None), "model"
    if not isinstance(source, onnx.ModelProto):
        raise FrontendError(f"cannot open an object of type {type(source).__name__} as an ONNX model")
    copy = onnx.ModelProto()
    copy.CopyFrom(source)
    return checked(copy, "the given model", None), copy.graph.name or "model"


def _content(path: Path) -> bytes:
    """The bytes of a file that is small enough for one protobuf message."""
    check_regular(path, FrontendError)
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise FrontendError(
                f"'{path}' has {size:,} bytes, more than one ONNX file can hold",
                hint="save the model with external data",
            )
        return path.read_bytes()
    except OSError as error:
        raise FrontendError(f"cannot read '{path}': {error.strerror or error}") from error


def parsed(content: bytes, what: str) -> Any:
    """The message in `content`; FrontendError where that is not a whole ONNX model."""
    if not content:
        raise FrontendError(f"{what} is empty")
    for signature, kind in SIGNATURES:
        if content.startswith(signature):
            raise FrontendError(f"{what} is not an ONNX model but {kind}")
    try:
        return onnx.load_model_from_string(content)
    except DAMAGE as error:
        raise FrontendError(f"{what} is not an ONNX model, or is damaged: {error}") from error


def checked(proto: Any, what: str, folder: Path | None) -> Any:
    """The model with its external data, its functions inlined, and an opset that the handlers know."""
    if not proto.graph.output or not proto.graph.node or not proto.opset_import:
        raise FrontendError(f"{what} is not a whole ONNX model: it has no nodes, no outputs or no opset")
    if not all(isinstance(text, str) for text in _texts(proto.graph)):  # protobuf gives bytes where it is not UTF-8
        raise FrontendError(f"{what} is damaged: it has a name that is not text")
    try:
        for tensor in tensors(proto):
            _check_tensor(tensor, what)
        _load_external(proto, what, folder)
        if broken := broken_rule(proto):  # many files that break a rule of the checker still have one meaning
            log.warning("%s is not strictly valid ONNX: %s", what, broken)
        proto = inlined(proto, what)
    except DAMAGE as error:
        raise FrontendError(f"{what} is damaged: {_first_line(error)}") from error
    return _known_opset(proto, what)


def broken_rule(proto: Any) -> str | None:
    """What the ONNX checker says of a model, None where all is well; other parts of ONNX can crash on what is not."""
    try:
        if proto.ByteSize() <= MOST_BYTES:
            onnx.checker.check_model(proto)
    except DAMAGE as error:
        return _first_line(error)
    return None


def opset(proto: Any) -> int:
    """The version of the standard operators that the model uses."""
    versions = [int(entry.version) for entry in proto.opset_import if entry.domain in DOMAINS]
    return max(versions, default=0)


def _known_opset(proto: Any, what: str) -> Any:
    """The model itself, or converted where its opset is older than the handlers know."""
    version, newest = opset(proto), int(onnx.defs.onnx_opset_version())
    if version > newest:
        raise FrontendError(
            f"{what} uses opset {version}; the installed onnx {onnx.__version__} knows {newest}",
            hint="pip install --upgrade onnx onnxruntime",
        )
    if version >= OLDEST_OPSET:
        return proto
    broken = broken_rule(proto)
    try:
        if broken is None:
            return version_converter.convert_version(proto, OLDEST_OPSET)
    except DAMAGE as error:
        broken = _first_line(error)
    raise FrontendError(
        f"{what} uses opset {version}, older than {OLDEST_OPSET}, and cannot be converted: {broken}",
        hint="export the model again with a newer opset",
    )


def _texts(graph: Any) -> Iterator[Any]:
    """Every name in a graph and its nodes."""
    yield graph.name
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        yield value.name
    for sparse in graph.sparse_initializer:
        yield sparse.values.name


# -- tensors ----------------------------------------------------------------------------------------------------


def tensors(proto: Any) -> Iterator[Any]:
    """Every stored tensor of the model: initializers and attributes, subgraphs and functions included."""
    yield from _graph_tensors(proto.graph)
    for function in proto.functions:
        yield from _node_tensors(function.node)


def _graph_tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _node_tensors(graph.node)


def _node_tensors(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for graph in (attribute.g, *attribute.graphs):
                yield from _graph_tensors(graph)


def _check_tensor(tensor: Any, what: str) -> None:
    """FrontendError where a tensor declares more values than it has data for."""
    count = math.prod(tensor.dims)
    if any(d < 0 for d in tensor.dims):
        raise FrontendError(f"{what} has a tensor '{tensor.name}' of negative size {list(tensor.dims)}")
    if tensor.data_location == onnx.TensorProto.EXTERNAL or not tensor.data_type:
        return
    held = len(tensor.raw_data) + sum(len(getattr(tensor, field)) for field in TYPED_FIELDS)
    if count > 8 * held:  # the smallest types pack some values into one entry
        raise FrontendError(f"{what} declares {count:,} values for '{tensor.name}' but holds no data for them")


def _load_external(proto: Any, what: str, folder: Path | None) -> None:
    """Read external tensors from files inside `folder`."""
    for tensor in tensors(proto):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        if folder is None:
            raise FrontendError(
                f"{what} keeps the tensor '{tensor.name}' in another file, and in which folder is not known",
                hint="open the .onnx file by its path",
            )
        _check_external(tensor, what, folder)
        try:
            external_data_helper.load_external_data_for_tensor(tensor, str(folder))
        except OSError as error:
            raise FrontendError(f"cannot read the external data of '{tensor.name}': {error}") from error
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]
        _check_tensor(tensor, what)


def _check_external(tensor: Any, what: str, folder: Path) -> None:
    """FrontendError where external data lie outside the folder, are missing or too short."""
    info = external_data_helper.ExternalDataInfo(tensor)
    file = (folder / info.location).resolve()
    if not info.location or not file.is_relative_to(folder.resolve()):
        raise FrontendError(f"{what} refers to external data in '{info.location}', outside its own folder")
    if not file.is_file():
        raise FrontendError(f"{what} needs the file '{info.location}' beside it (external data), which is missing")
    start, length = info.offset or 0, info.length or 0
    if start < 0 or length < 0 or start + length > file.stat().st_size:
        raise FrontendError(f"{what} refers to more external data than the file '{info.location}' holds")


def _first_line(error: BaseException) -> str:
    """The first line of an error's message that says something."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
