"""The state dict of a module as a file of PyTorch."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from snntoolbox.ir.node import Array
from snntoolbox.ir.writing import write_bytes

MODULE_ATTRIBUTES = frozenset(dir(torch.nn.Module()))
"""What no layer of a module may be called."""


def save_state(state: Mapping[str, Array], path: Path) -> None:
    """Write the arrays as a state dict: numbers in double precision, indices as they are."""
    # Arrays of no axes keep none.
    tensors = {name: torch.from_numpy(np.array(value, order="C")) for name, value in state.items()}
    file = io.BytesIO()
    torch.save(tensors, file)
    write_bytes(path, file.getvalue())
