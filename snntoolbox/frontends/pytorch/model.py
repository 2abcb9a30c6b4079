"""An opened PyTorch model: its exported program beside the callable that computes its own outputs."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import index
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.layer_call import MOST_VALUES, QUANTISED, not_supported
from snntoolbox.frontends.pytorch.samples_apart import SamplesApart
from snntoolbox.frontends.pytorch.sizes import quiet, value_shapes
from snntoolbox.ir.node import Array, Shape

_CHUNK = 128


@dataclass(frozen=True)
class TorchModel:
    """`program` is what becomes the graph, `call` takes one tensor per input; a batch has `least` to `most` samples.

    `apart` is False where a sample's outputs are known to depend on the rest of its batch. `one` gives the program of a
    single sample, None where there is none or batches give something else.
    """

    name: str
    program: ExportedProgram
    call: Callable[..., Any]
    shapes: tuple[Shape, ...]
    dtypes: tuple[torch.dtype, ...]
    least: int
    most: int
    apart: bool = True
    one: Callable[[], ExportedProgram | None] = lambda: None


def user_inputs(program: ExportedProgram) -> list[torch.fx.Node]:
    """The placeholders of the user's tensors, in order."""
    names = set(program.graph_signature.user_inputs)
    nodes = [n for n in program.graph.nodes if n.op == "placeholder" and n.name in names]
    return [n for n in nodes if isinstance(n.meta.get("val"), torch.Tensor)]


def output_nodes(program: ExportedProgram) -> list[torch.fx.Node]:
    """The fx nodes that the user gets back."""
    by_name = {n.name: n for n in program.graph.nodes}
    return [by_name[n] for n in program.graph_signature.user_outputs if isinstance(n, str) and n in by_name]


def wrap_program(program: ExportedProgram, name: str, call: Callable[..., Any] | None = None) -> TorchModel:
    """An opened model from a program; FrontendError where its inputs have no batch axis or no fixed sample shape."""
    vals = [n.meta["val"] for n in user_inputs(program)]
    if not vals:
        raise FrontendError("the program has no tensor input", hint="export it with the data as an argument")
    for node, val in zip(user_inputs(program), vals, strict=True):
        if val.ndim == 0:
            raise FrontendError(f"its input '{node.name}' is a single number without batch axis")
        if any(isinstance(d, torch.SymInt) for d in val.shape[1:]):
            raise FrontendError(
                f"its input '{node.name}' has a free axis besides the batch: {tuple(map(str, val.shape))}",
                hint="export it with a fixed sample shape; only the batch may be dynamic",
            )
    batches = {str(v.shape[0]) for v in vals}
    if len(batches) != 1:
        raise FrontendError(f"its inputs have different batch sizes: {', '.join(sorted(batches))}")
    least, most = _batch_range(program, vals[0].shape[0])
    shapes = tuple(tuple(int(d) for d in v.shape[1:]) for v in vals)
    dtypes = tuple(v.dtype for v in vals)
    called = call or _program_call(program)
    examples = tuple(torch.randn(2, *s).to(d) for s, d in zip(shapes, dtypes, strict=True))
    one = partial(_of_one, call if isinstance(call, torch.nn.Module) else None, examples)
    return TorchModel(name, program, called, shapes, dtypes, least, most, one=one)


def _of_one(module: torch.nn.Module | None, examples: tuple[torch.Tensor, ...]) -> ExportedProgram | None:
    """The program of a single sample, where a batch gives for each what it gives alone."""
    if module is None:
        return None
    try:
        if _independent(module, examples) and _independent(module, examples, alone=True):
            return _export(module, tuple(e[:1] for e in examples), None)
    except Exception:  # whatever it is, batches have been exported, and say what is refused
        return None
    return None


def _batch_range(program: ExportedProgram, batch: Any) -> tuple[int, int]:
    """The smallest and the largest batch that the program takes."""
    if not isinstance(batch, torch.SymInt):
        return int(batch), int(batch)
    allowed = program.range_constraints.get(batch.node.expr)
    low, high = (1, _CHUNK) if allowed is None else (allowed.lower, allowed.upper)
    least = max(int(low), 1)
    return least, max(least, _CHUNK if not getattr(high, "is_number", True) or high > _CHUNK else int(high))


def _program_call(program: ExportedProgram) -> Callable[..., Any]:
    """The program as a function of its flat tensor inputs."""
    state: dict[str, Any] = {}

    def call(*tensors: torch.Tensor) -> Any:
        if "module" not in state:  # building it costs more than parsing does
            state["module"] = program.module(check_guards=False)
        flat = iter(tensors)
        known = program.graph_signature.user_inputs
        tensor_names = {n.name for n in user_inputs(program)}
        leaves = [next(flat) if n in tensor_names else n for n in known]
        args, kwargs = torch.utils._pytree.tree_unflatten(leaves, program.call_spec.in_spec)
        return state["module"](*args, **kwargs)

    return call


# -- exporting a live module ------------------------------------------------------------------------------------


def export_module(module: torch.nn.Module, input_shape: Any, name: str) -> TorchModel:
    """A module exported with a free batch size, or with batches of two where it insists on a fixed one."""
    module = frozen_copy(module)
    try:
        return export_frozen(module, example_inputs(module, input_shape), name)
    except FrontendError:
        if not _looks_up(module):
            raise
        try:  # a module that begins behind its table still has it
            return export_frozen(module, example_inputs(module, input_shape, looks_up=False), name)
        except FrontendError:
            pass
        raise


def export_frozen(module: torch.nn.Module, examples: tuple[torch.Tensor, ...], name: str) -> TorchModel:
    """The same for a module that need not be copied."""
    try:
        return wrap_program(_export(module, examples, _free_batch(module, len(examples))), name, module)
    except Exception:  # whatever it is, the second attempt meets it again or was right not to
        try:
            program = _export(module, examples, None)
        except Exception as error:
            raise FrontendError(
                f"torch.export cannot trace it: {in_short(error)}",
                hint="write forward() without Python control flow on values, and with the shapes of `input_shape`; "
                "torch.export.export(model.eval(), (example,)) shows the whole reason",
            ) from error
    return replace(wrap_program(program, name, module), apart=_independent(module, examples))


def _free_batch(module: torch.nn.Module, count: int) -> tuple[Any, ...]:
    """The dynamic batch axis of each input, in the form of forward()'s arguments."""
    batch = torch.export.Dim("batch")
    each = tuple({0: batch} for _ in range(count))
    kinds = [p.kind for p in inspect.signature(module.forward).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL not in kinds:
        return each
    named = kinds.index(inspect.Parameter.VAR_POSITIONAL)
    return (*each[:named], each[named:])


def _independent(module: torch.nn.Module, examples: tuple[torch.Tensor, ...], *, alone: bool = False) -> bool:
    """Whether a third sample changes nothing for the other two, or the second nothing for the first, `alone`."""
    with quiet(), torch.no_grad():
        few = torch.utils._pytree.tree_leaves(module(*(e[:1].clone() if alone else e.clone() for e in examples)))
        more = torch.utils._pytree.tree_leaves(module(*(e if alone else torch.cat([e, e[:1]]) for e in examples)))
    pairs = [(f, m[: len(f)]) for f, m in zip(few, more, strict=True) if isinstance(f, torch.Tensor)]
    return all(
        f.shape == m.shape and torch.allclose(f, m, rtol=1e-4, atol=1e-5 * float(f.abs().max())) for f, m in pairs
    )


def frozen_copy(module: torch.nn.Module) -> torch.nn.Module:
    """A copy on the CPU in evaluation mode; half precision becomes float32."""
    try:
        module = copy.deepcopy(module)
    except Exception as error:
        raise FrontendError(f"the module cannot be copied by copy.deepcopy: {in_short(error)}") from error
    if any(t.is_meta for t in (*module.parameters(), *module.buffers())):
        raise FrontendError("the module lies on the device 'meta', without values", hint="load its weights first")
    if any(".quantized" in type(m).__module__ for m in module.modules()):
        refusal = not_supported(type(module).__name__, QUANTISED)
        raise FrontendError(refusal.reason, hint=refusal.hint)
    module = module.cpu().eval()
    halves = (torch.float16, torch.bfloat16)
    return module.float() if any(p.dtype in halves for p in module.parameters()) else module


def _looks_up(module: torch.nn.Module) -> bool:
    """Whether it has tables that it may look whole numbers up in."""
    return any(isinstance(m, (torch.nn.Embedding, torch.nn.EmbeddingBag)) for m in module.modules())


def example_inputs(
    module: torch.nn.Module, input_shape: Any, *, looks_up: bool | None = None
) -> tuple[torch.Tensor, ...]:
    """Batches of two of the module's floating type (or of the example inputs' own type, if they are whole numbers).

    They are whole numbers where it has tables, or as `looks_up` says.
    """
    input_shape = getattr(module, "input_shape", None) if input_shape is None else input_shape
    input_shape = _first_features(module) if input_shape is None else input_shape
    if input_shape is None:
        raise FrontendError(
            "the shape of its input is not known",
            hint="set `input_shape = (channels, height, width)`, without the batch, in the module's class; from Python "
            "also load(model, input_shape=...), or convert(model, calibration_data)",
        )
    if _is_array(input_shape):
        input_shape = (input_shape,)
    floats = [p.dtype for p in module.parameters() if p.dtype.is_floating_point]
    dtype = floats[0] if floats else torch.float32
    if isinstance(input_shape, Sequence) and input_shape and all(map(_is_array, input_shape)):
        arrays = [_two_samples(torch.as_tensor(a).detach().cpu()) for a in input_shape]
        return tuple(a.to(dtype) if a.is_floating_point() else a for a in arrays)
    if _looks_up(module) if looks_up is None else looks_up:
        return tuple(torch.zeros(2, *shape, dtype=torch.int64) for shape in sample_shapes(input_shape))
    return tuple(torch.randn(2, *shape, dtype=dtype) for shape in sample_shapes(input_shape))


def _first_features(module: torch.nn.Module) -> Shape | None:
    """The shape of a sample of a sequence of layers that begins with a dense one, which says it; None else."""
    while isinstance(module, torch.nn.Sequential):
        passed = (torch.nn.Flatten, torch.nn.Identity, torch.nn.Dropout)
        first = next((layer for layer in module if not isinstance(layer, passed)), None)
        if first is None:
            return None
        module = first
    return (module.in_features,) if isinstance(module, torch.nn.Linear) else None


def _is_array(value: Any) -> bool:
    return isinstance(value, (np.ndarray, torch.Tensor))


def _two_samples(example: torch.Tensor) -> torch.Tensor:
    """Two samples of a batch: one alone would be taken for a fixed size."""
    if example.ndim == 0:
        raise FrontendError("an example input needs a batch axis")
    return torch.cat([example[:1], example[-1:]])


def sample_shapes(input_shape: Any) -> tuple[Shape, ...]:
    """One shape per input from a shape or a sequence of shapes."""
    try:
        many = input_shape if any(isinstance(g, Sequence) for g in input_shape) else (input_shape,)
        shapes = tuple(tuple(index(n) for n in shape) for shape in many)
    except (TypeError, ValueError):
        shapes = ()
    if not shapes or any(n < 1 for shape in shapes for n in shape):
        raise FrontendError(
            f"input_shape = {input_shape!r} is no sample shape",
            hint="write it without the batch, as (channels, height, width)",
        )
    return shapes


def _export(module: torch.nn.Module, examples: tuple[torch.Tensor, ...], dynamic: Any) -> ExportedProgram:
    """``torch.export.export`` in silence; the arguments go by position, whatever forward() calls them."""
    with quiet(), torch.no_grad(), SamplesApart():
        return torch.export.export(module, examples, dynamic_shapes=dynamic, strict=False)


def in_short(error: BaseException) -> str:
    """The first telling line of an error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


# -- running ----------------------------------------------------------------------------------------------------


def run_batches(model: TorchModel, x: Sequence[Array]) -> tuple[Array, ...]:
    """The outputs for all samples; a last batch that is too small is filled up and cut."""
    if len(x) != len(model.shapes):
        raise FrontendError(f"the model has {len(model.shapes)} inputs, got {len(x)}")
    tensors = [torch.as_tensor(np.ascontiguousarray(a)).to(d) for a, d in zip(x, model.dtypes, strict=True)]
    for tensor, shape in zip(tensors, model.shapes, strict=True):
        if tuple(tensor.shape[1:]) != shape:
            raise FrontendError(f"expects samples of shape {shape}, got {tuple(tensor.shape[1:])}")
    count = len(tensors[0])
    if count == 0 or any(len(t) != count for t in tensors):
        raise FrontendError(f"needs as many samples for each input, at least one, got {[len(t) for t in tensors]}")
    parts = [_run_one(model, [t[i : i + model.most] for t in tensors]) for i in range(0, count, model.most)]
    return tuple(np.concatenate(outputs) for outputs in zip(*parts, strict=True))


def check_fits(model: TorchModel) -> TorchModel:
    """The model, after the sizes of all its values were worked out: a file may hold a program whose parts do not fit.

    Nothing is run: torch would only find out what an operation reads and writes when it is too late.
    """
    if any(model.least * math.prod(shape) > MOST_VALUES for shape in model.shapes):
        raise FrontendError(f"it takes samples of shape {model.shapes}, more than {MOST_VALUES} values")
    shapes = value_shapes(model.program, model.least, model.shapes, model.dtypes)
    for node in output_nodes(model.program):
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor) and str(value.shape[1:]) != str(torch.Size(shapes[node.name][1:])):
            raise FrontendError("its outputs have not the shapes that it says: the file is damaged")
    return model


def _run_one(model: TorchModel, batch: list[torch.Tensor]) -> list[Array]:
    """The outputs for one batch of at most `most` samples."""
    count = len(batch[0])
    short = model.least - count
    if short > 0:
        batch = [torch.cat([t, t[-1:].expand(short, *t.shape[1:])]) for t in batch]
    try:
        with quiet(), torch.no_grad():
            # a module may work in place, also on its input
            outputs = torch.utils._pytree.tree_leaves(model.call(*(t.clone() for t in batch)))
    except Exception as error:  # the user's code, or a damaged program
        raise FrontendError(f"the model fails on its data: {in_short(error)}") from error
    arrays = [_as_numpy(o) for o in outputs if isinstance(o, torch.Tensor)]
    return [a[:count] for a in arrays]


def _as_numpy(tensor: torch.Tensor) -> Array:
    """A numpy copy; numpy has no bfloat16."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy().copy()
