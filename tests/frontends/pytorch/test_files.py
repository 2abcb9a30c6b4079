"""Opening a state dict beside its code: the convention, and what is refused because it is damaged or unsafe."""

import pickle
import zipfile

import numpy as np
import pytest
import torch
from torch import nn
from torch_nets import FRONTEND, Bomb, agrees, net

from snntoolbox.conversion.load import load
from snntoolbox.errors import FrontendError
from snntoolbox.frontends.pytorch.files import read_state_dict
from snntoolbox.workflow.cli import main

MODEL_PY = """
import torch
from torch import nn

{module_level}

class Model(nn.Module):
    {class_level}

    def __init__(self, hidden=5):
        super().__init__()
        {instance_level}
        self.first = nn.Linear(4, hidden)
        self.norm = nn.BatchNorm1d(hidden)
        self.last = nn.Linear(hidden, 3)

    def forward(self, x):
        return self.last(torch.relu(self.norm(self.first(x))))
"""


def code(module="", of_class="input_shape = (4,)", instance="pass"):
    return MODEL_PY.format(module_level=module, class_level=of_class, instance_level=instance)


@pytest.mark.parametrize("ending", ["", ".py", ".weights"])
@pytest.mark.parametrize("suffix", [".pth", ".pkl", ".pt"])
def test_convention(tmp_path, suffix, ending):
    (tmp_path / "net.v1.py").write_text(code())
    torch.save(net().state_dict(), tmp_path / f"net.v1{suffix}")
    agrees(tmp_path / ("net.v1" + ending.replace(".weights", suffix)), net())


@pytest.mark.parametrize(
    "source",
    [
        code(of_class="", module="input_shape = [4]"),
        code(of_class="", instance="self.input_shape = (4,)"),
        code(module="kwargs = {'hidden': 7}"),
        "from __future__ import annotations\nimport dataclasses\n@dataclasses.dataclass\nclass C:\n    a: int = 1\n"
        + code(),
    ],
    ids=["module_level_shape", "instance_shape", "kwargs", "dataclass"],
)
def test_forms_of_the_code(tmp_path, source):
    hidden = 7 if "kwargs" in source else 5
    (tmp_path / "net.py").write_text(source)
    torch.save(net(hidden).state_dict(), tmp_path / "net.pth")
    agrees(tmp_path / "net", net(hidden))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {f"module.{k}": v for k, v in s.items()},
        lambda s: {"epoch": 3, "state_dict": s},
        lambda s: {"state_dict": {f"module.{k}": v for k, v in s.items()}, "best": 0.5},
        lambda s: {k: v for k, v in s.items() if "num_batches" not in k},
    ],
    ids=["data_parallel", "checkpoint", "both", "old"],
)
def test_forms_of_the_state_dict(tmp_path, wrap):
    (tmp_path / "net.py").write_text(code())
    torch.save(wrap(dict(net().state_dict())), tmp_path / "net.pth")
    agrees(tmp_path / "net.pth", net())


def test_legacy_pickle_format(tmp_path):
    (tmp_path / "net.py").write_text(code())
    torch.save(net().state_dict(), tmp_path / "net.pkl", _use_new_zipfile_serialization=False)
    agrees(tmp_path / "net", net())


def test_given_shape_is_used(tmp_path):
    (tmp_path / "net.py").write_text(code(of_class=""))
    torch.save(net().state_dict(), tmp_path / "net.pth")
    with pytest.raises(FrontendError, match="shape of its input is not known"):
        FRONTEND.open(tmp_path / "net")
    agrees(tmp_path / "net", net(), shape=(4,))


@pytest.mark.parametrize(
    ("source", "change", "message"),
    [
        (code(), lambda s: s.pop("last.bias"), "missing: last.bias"),
        (code(), lambda s: s.update(more=torch.ones(1)), "unexpected: more"),
        (code(), lambda s: (s.pop("last.bias"), s.update(more=torch.ones(1))), "missing: last.bias; unexpected: more"),
        (code(), lambda s: s.update({"last.bias": torch.ones(9)}), "size mismatch for last.bias"),
        (code(), lambda s: s.update({"last.bias": 3}), "no state dict"),
        ("x = 1", lambda s: None, "no `class Model"),
        ("1 / 0", lambda s: None, "ZeroDivisionError"),
        ("def broken(:", lambda s: None, "SyntaxError"),
        (code(module="kwargs = {'nope': 1}"), lambda s: None, r"Model\(nope\).*failed"),
        (code(module="kwargs = 3"), lambda s: None, "not a dictionary"),
        (code(of_class="input_shape = (0, 4)"), lambda s: None, "no sample shape"),
        (code(of_class="input_shape = (9,)"), lambda s: None, "torch.export cannot trace it"),
    ],
)
def test_what_does_not_fit(tmp_path, source, change, message):
    (tmp_path / "net.py").write_text(source)
    state = dict(net().state_dict())
    change(state)
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(FrontendError, match=message):
        FRONTEND.open(tmp_path / "net.py")


def _whole(path):
    torch.save(nn.Linear(4, 3), path)


def _pickled(path):
    path.write_bytes(pickle.dumps(Bomb(path.parent / "boom")))


def _bomb(path):
    torch.save({"a": torch.ones(3), "b": Bomb(path.parent / "boom")}, path)


def _script(path):
    torch.jit.save(torch.jit.trace(nn.Linear(4, 3), torch.ones(2, 4)), path)


def _truncated(path):
    torch.save(net().state_dict(), path)
    path.write_bytes(path.read_bytes()[:-300])


@pytest.mark.parametrize("suffix", [".pth", ".pkl", ".pt"])
@pytest.mark.parametrize(
    ("write", "message"),
    [
        (_whole, "pickled Python objects"),
        (_pickled, "pickled Python objects|damaged"),
        (_bomb, "pickled Python objects"),
        (_script, "TorchScript"),
        (_truncated, "damaged"),
        (lambda p: p.write_bytes(b"\x80garbage" * 30), "damaged"),
        (lambda p: p.write_bytes(b""), "empty"),
    ],
    ids=["whole", "pickle", "bomb", "script", "truncated", "garbage", "empty"],
)
def test_bad_weights(tmp_path, write, message, suffix):
    (tmp_path / "net.py").write_text(code())
    write(tmp_path / f"net{suffix}")
    with pytest.raises(FrontendError, match=message) as error:
        FRONTEND.open(tmp_path / "net")
    assert not (tmp_path / "boom").exists()
    assert "empty" in message or error.value.hint


def test_weights_without_their_code(tmp_path):
    torch.save(net().state_dict(), tmp_path / "net.pth")
    with pytest.raises(FrontendError, match=r"weights only \(9 tensors: first.weight") as error:
        FRONTEND.open(tmp_path / "net.pth")
    assert "net.py" in error.value.hint


@pytest.mark.parametrize("name", ["net", "net.py", "net.pth", "net.pt2", ""])
def test_nothing_there(tmp_path, name):
    with pytest.raises(FrontendError):
        FRONTEND.open(tmp_path / name)
    (tmp_path / "net.py").write_text(code())
    with pytest.raises(FrontendError):
        FRONTEND.open(tmp_path / name)


def test_random_damage_to_a_state_dict_gives_only_our_errors(tmp_path):
    (tmp_path / "net.py").write_text(code())
    for new_format in (True, False):
        torch.save(net().state_dict(), tmp_path / "net.pth", _use_new_zipfile_serialization=new_format)
        whole = (tmp_path / "net.pth").read_bytes()
        rng = np.random.default_rng(0)
        for i in range(25):
            data = bytearray(whole if i % 3 else whole[: rng.integers(1, len(whole))])
            for position in rng.integers(0, len(data), 4):
                data[position] ^= 1 << rng.integers(8)
            (tmp_path / "net.pth").write_bytes(data)
            try:
                read_state_dict(tmp_path / "net.pth")
            except FrontendError:
                continue


def test_a_state_dict_that_unpacks_to_more_is_refused(tmp_path):
    torch.save({"w": torch.zeros(100_000)}, tmp_path / "plain.pth")
    with (
        zipfile.ZipFile(tmp_path / "plain.pth") as old,
        zipfile.ZipFile(tmp_path / "net.pth", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with pytest.raises(FrontendError, match="unpacks to"):
        FRONTEND.open(tmp_path / "net.pth")


EXITS = {
    "in the file": code(module="import sys\nsys.exit(0)"),
    "with a word": code(module="import sys\nsys.exit('done')"),
    "raised": code(module="raise SystemExit"),
    "in the class": code(of_class="quit()"),
    "in the constructor": code(instance="exit(3)"),
    "in forward": code().replace("return self.last", "exit(0)\n        return self.last"),
}


@pytest.mark.parametrize("where", EXITS)
def test_code_that_ends_the_program(tmp_path, where, capsys):
    (tmp_path / "net.py").write_text(EXITS[where])
    torch.save(net().state_dict(), tmp_path / "net.pth")
    with pytest.raises(FrontendError, match=r"ends the program: it calls exit\("):
        load(tmp_path / "net.pth")
    assert main(["inspect", str(tmp_path / "net.pth")]) == 2
    assert "ends the program" in capsys.readouterr().err


def test_that_code_is_run_is_told(tmp_path, caplog):
    (tmp_path / "net.py").write_text(code())
    torch.save(net().state_dict(), tmp_path / "net.pth")
    FRONTEND.open(tmp_path / "net.pth")
    assert "net.py' is code, and is run" in caplog.text


def test_weights_that_repeat_beyond_their_data(tmp_path):
    torch.save({"w": torch.zeros(1).expand(10**9)}, tmp_path / "net.pth")
    with pytest.raises(FrontendError, match="without holding them"):
        read_state_dict(tmp_path / "net.pth")


@pytest.mark.parametrize("kind", ["sparse", "meta", "quantised"])
def test_weights_that_are_no_plain_tensors(tmp_path, kind):
    weight = {
        "sparse": lambda: torch.eye(3).to_sparse(),
        "meta": lambda: torch.ones(3, device="meta"),
        "quantised": lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
    }[kind]()
    torch.save({"fine": torch.ones(2), "odd": weight}, tmp_path / "net.pth")
    with pytest.raises(FrontendError, match="sparse, quantised or without data: odd"):
        read_state_dict(tmp_path / "net.pth")
