"""Weights in a ``.safetensors`` file beside their code."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import nn
from torch_nets import FRONTEND, agrees, net

from snntoolbox.errors import FrontendError

CODE = """
import torch
from torch import nn

class Model(nn.Module):
    input_shape = (4,)

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 3)

    def forward(self, x):
        return self.last(torch.relu(self.norm(self.first(x))))
"""
TIED = """
from torch import nn

class Model(nn.Module):
    input_shape = (4,)

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = self.first

    def forward(self, x):
        return self.second(self.first(x).relu())
"""


def test_weights_beside_their_code(tmp_path):
    (tmp_path / "net.py").write_text(CODE)
    save_model(net(), tmp_path / "net.safetensors")
    agrees(tmp_path / "net", net())
    agrees(tmp_path / "net.safetensors", net())


def test_shared_weights_are_stored_once(tmp_path):
    (tmp_path / "net.py").write_text(TIED)
    layer = nn.Linear(4, 4)
    save_file(dict(nn.ModuleDict({"first": layer}).state_dict()), tmp_path / "net.safetensors")
    agrees(tmp_path / "net", nn.Sequential(layer, nn.ReLU(), layer))


def test_half_precision_becomes_float32(tmp_path):
    (tmp_path / "net.py").write_text(CODE)
    state = {k: v.half() if v.is_floating_point() else v for k, v in net().state_dict().items()}
    save_file(state, tmp_path / "net.safetensors")
    original = net()
    original.load_state_dict(state)
    agrees(tmp_path / "net", original)


def test_what_does_not_fit(tmp_path):
    (tmp_path / "net.py").write_text(CODE)
    save_file({"first.weight": torch.ones(5, 4)}, tmp_path / "net.safetensors")
    with pytest.raises(FrontendError, match=r"does not fit the Model; missing: first\.bias, norm"):
        FRONTEND.open(tmp_path / "net")
    (tmp_path / "net.py").unlink()
    with pytest.raises(FrontendError, match=r"weights only \(1 tensors: first.weight\), but no network"):
        FRONTEND.open(tmp_path / "net.safetensors")


def test_damage_gives_only_our_errors(tmp_path):
    (tmp_path / "net.py").write_text(CODE)
    path = tmp_path / "net.safetensors"
    save_model(net(), path)
    whole, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
    claims = (10**12).to_bytes(8, "little") + whole[8:]
    header = b'{"first.weight":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4000000000000]}}'
    huge = len(header).to_bytes(8, "little") + header
    cut = [whole[:n] for n in rng.integers(1, len(whole), 15)]
    for content in (claims, huge, b"\x80\x02garbage", *cut):
        path.write_bytes(content)
        with pytest.raises(FrontendError, match="is damaged or no safetensors file"):
            FRONTEND.open(path)
        refused += 1
    assert refused == 18
