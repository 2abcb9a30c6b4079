"""Opens live TorchScript modules: torch itself turns them into exported programs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import torch

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.pytorch.model import TorchModel, example_inputs, export_frozen, frozen_copy, in_short
from snntoolbox.frontends.pytorch.sizes import quiet

HINT = "give the original nn.Module, or what torch.onnx.export(module, (example,), 'model.onnx', dynamo=False) writes"


def open_script(module: torch.jit.ScriptModule, input_shape: Any) -> TorchModel:
    """The module as torch's converter unrolls it, its own outputs beside it; FrontendError where it cannot."""
    from torch._export.converter import TS2EPConverter

    with torch.no_grad():  # else its parameters are copied as results, with a gradient
        script = cast(torch.jit.ScriptModule, frozen_copy(module))
    examples = example_inputs(script, input_shape)
    try:
        with quiet(), torch.no_grad():
            unrolled = TS2EPConverter(script, examples, {}).convert().module(check_guards=False)
    except Exception as error:  # torch raises whatever its converter stumbles over
        raise FrontendError(f"torch cannot unroll this TorchScript module: {in_short(error)}", hint=HINT) from error
    opened = export_frozen(unrolled, examples, "model")
    return replace(opened, call=script)
