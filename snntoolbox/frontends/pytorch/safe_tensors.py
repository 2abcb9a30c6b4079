"""Reads the weights of a ``.safetensors`` file: named tensors and nothing else, by the library of that name."""

from __future__ import annotations

from pathlib import Path

import torch

from snntoolbox.errors import FrontendError

SUFFIX = ".safetensors"
HINT = "save it anew: safetensors.torch.save_model(model, 'NAME.safetensors')"


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors by name; FrontendError where the library is missing or the file damaged."""
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        extra = 'pip install "snntoolbox[safetensors]"'
        raise FrontendError(f"'{path}' needs the package safetensors", hint=extra) from error
    try:
        return load_file(path, device="cpu")
    except (SafetensorError, KeyError, ValueError, RuntimeError, OSError) as error:
        raise FrontendError(f"'{path}' is damaged or no safetensors file: {error}", hint=HINT) from error
