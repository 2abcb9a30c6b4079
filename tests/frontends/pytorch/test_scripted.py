"""TorchScript: live modules are unrolled by torch, files are refused with a line that converts them."""

import numpy as np
import pytest
import torch
from torch import nn
from torch_nets import FRONTEND

from snntoolbox.conversion.load import load
from snntoolbox.errors import FrontendError


class Convolved(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.last = nn.Conv2d(1, 4, 3, padding="same"), nn.BatchNorm2d(4), nn.Linear(64, 5)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.norm(self.conv(x))), 2)
        return torch.softmax(self.last(torch.flatten(x, 1)), -1)


def same(model, original, shape):
    x = np.random.default_rng(0).normal(size=(5, *shape)).astype(np.float32)
    with torch.no_grad():
        wanted = original(torch.from_numpy(x)).numpy()
    assert np.abs(load(model, input_shape=shape).run(x) - wanted).max() < 1e-5


@pytest.mark.parametrize("how", ["script", "trace"])
def test_live_script_modules_are_unrolled_by_torch(how):
    torch.manual_seed(0)
    module = Convolved()
    module(torch.randn(8, 1, 8, 8))
    traced = torch.jit.script(module) if how == "script" else torch.jit.trace(module.eval(), torch.ones(2, 1, 8, 8))
    same(traced, module.eval(), (1, 8, 8))


def test_a_script_that_torch_cannot_unroll_is_refused():
    with pytest.raises(FrontendError, match="cannot unroll this TorchScript module") as error:
        FRONTEND.open(torch.jit.trace(nn.Linear(4, 3), torch.ones(2, 4)), input_shape=(5,))
    assert "the original nn.Module" in error.value.hint


def test_files_of_it_are_refused_with_a_line_that_works(tmp_path):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).eval()
    path = tmp_path / "net.pt"
    torch.jit.save(torch.jit.script(module), path)
    with pytest.raises(FrontendError, match="TorchScript") as error:
        FRONTEND.open(path)
    line = error.value.hint.partition('python -c "')[2].partition('"')[0]
    line = line.replace("(1, ...)", "(1, 4)").replace("'model.onnx'", repr(str(tmp_path / "model.onnx")))
    exec(line, {})
    same(tmp_path / "model.onnx", module, (4,))
