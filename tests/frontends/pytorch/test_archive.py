"""Opening exported programs: nothing stored in the file runs, and what is damaged is refused."""

import io
import json
import zipfile

import numpy as np
import pytest
import torch
from torch import nn
from torch_nets import FRONTEND, Bomb, agrees, net

from snntoolbox.errors import FrontendError, SNNToolboxError


@pytest.fixture(scope="module")
def archive():
    dims = ({0: torch.export.Dim("n", min=2, max=4)},)
    program = torch.export.export(net(), (torch.ones(2, 4),), dynamic_shapes=dims)
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["net.pt2", "net.pt"])
def test_exported_program(tmp_path, archive, name):
    (tmp_path / name).write_bytes(archive)
    agrees(tmp_path / name, net())
    agrees(tmp_path / "net", net())


@pytest.mark.parametrize("batch", [1, 2])
def test_fixed_batch_program(tmp_path, batch):
    program = torch.export.export(net(), (torch.ones(batch, 4),))
    torch.export.save(program, tmp_path / "net.pt2")
    agrees(tmp_path / "net.pt2", net())


def test_live_program():
    agrees(torch.export.export(net(), (torch.ones(2, 4),)), net())


def test_program_with_keyword_and_dictionary_inputs():
    class Both(nn.Module):
        def forward(self, pair, *, other):
            return pair["a"] + 2 * other, pair["b"]

    examples = {"a": torch.ones(2, 3), "b": torch.ones(2, 2)}
    program = torch.export.export(Both(), (examples,), {"other": torch.ones(2, 3)})
    x = [np.random.default_rng(i).normal(size=(3, n)).astype(np.float32) for i, n in enumerate((3, 2, 3))]
    outputs = FRONTEND.predict(program, *x)
    graph = FRONTEND.parse(program)
    assert np.allclose(graph.run(*x), outputs[0])
    assert np.array_equal(outputs[1], x[1])


@pytest.mark.parametrize("size", [0, 1, 100, 0.3, 0.9, -1])
def test_truncated_program(tmp_path, archive, size):
    cut = archive[: int(size * len(archive)) if isinstance(size, float) else size]
    (tmp_path / "net.pt2").write_bytes(cut)
    with pytest.raises(FrontendError):
        FRONTEND.open(tmp_path / "net.pt2")


def edited(archive, path, change_program=None, change_weights=None, extra=None):
    """The archive with its JSON parts changed."""
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            for ending, change in (("models/model.json", change_program), ("weights_config.json", change_weights)):
                if name.endswith(ending) and change:
                    part = json.loads(content)
                    change(part)
                    content = json.dumps(part).encode()
            new.writestr(name, content)
        for name, content in (extra or {}).items():
            new.writestr(f"archive/{name}", content)


def _expression(program, text):
    value = next(
        v
        for v in program["graph_module"]["graph"]["tensor_values"].values()
        if v["sizes"] and "as_expr" in v["sizes"][0]
    )
    value["sizes"][0]["as_expr"]["expr_str"] = text


def _rename_input(program, name):
    text = json.dumps(program).replace('"x"', json.dumps(name))
    program.clear()
    program.update(json.loads(text))


def _target(program, target):
    program["graph_module"]["graph"]["nodes"][0]["target"] = target


def _default_factory(program, flag):
    spec = {
        "type": "collections.defaultdict",
        "context": json.dumps({"default_factory_module": "os"}),
        "children_spec": [],
    }
    signature = program["graph_module"]["module_call_graph"][0]["signature"]
    signature["out_spec"] = json.dumps([1, spec])


def _enumeration(program, flag):
    context = json.dumps({"__enum__": True, "fqn": "os:path"}).replace("__enum__", "\\u005f_enum__")
    spec = json.dumps([1, {"type": "builtins.tuple", "context": context, "children_spec": []}])
    program["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = spec


HOSTILE = {
    "enumeration": (_enumeration, "something else than tuples"),
    "slow_expression": (lambda p, f: _expression(p, "a" * 1500 + "!"), "size expression"),
    "weight_name": (
        lambda p, f: p["graph_module"]["signature"]["input_specs"][0]["parameter"].update(parameter_name='a"b'),
        "no attribute path",
    ),
    "expression": (lambda p, f: _expression(p, f"open('{f}', 'w')"), "size expression"),
    "long_power": (lambda p, f: _expression(p, "9**9**9"), "size expression"),
    "input_name": (lambda p, f: _rename_input(p, f"x=open('{f}','w')"), "no identifier"),
    "operator": (lambda p, f: _target(p, "torch.load"), "none of torch's own"),
    "file_operator": (lambda p, f: _target(p, "torch.ops.aten.from_file.default"), "none of torch's own"),
    "structure": (_default_factory, "something else than tuples"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_program(tmp_path, archive, name):
    change, message = HOSTILE[name]
    flag = tmp_path / "boom"
    edited(archive, tmp_path / "net.pt2", change_program=lambda p: change(p, flag))
    with pytest.raises(FrontendError, match=message):
        FRONTEND.open(tmp_path / "net.pt2")
    assert not flag.exists()


def test_guards_of_a_file_are_not_compiled(tmp_path, archive):
    flag = tmp_path / "boom"
    edited(archive, tmp_path / "net.pt2", lambda p: p.update(guards_code=[f"open('{flag}', 'w')"]))
    agrees(tmp_path / "net.pt2", net())
    assert not flag.exists()


def test_program_of_a_gpu_opens_without_one(tmp_path, archive):
    def on_gpu(part):
        text = json.dumps(part).replace('{"type": "cpu", "index": null}', '{"type": "cuda", "index": 0}')
        assert "cuda" in text
        part.update(json.loads(text))

    edited(archive, tmp_path / "net.pt2", on_gpu, on_gpu)
    agrees(tmp_path / "net.pt2", net())


def _first(config):
    return next(iter(config["config"].values()))


def test_pickled_weight_is_refused(tmp_path, archive):
    edited(archive, tmp_path / "net.pt2", change_weights=lambda c: _first(c).update(use_pickle=True))
    with pytest.raises(FrontendError, match="pickled Python object"):
        FRONTEND.open(tmp_path / "net.pt2")


def test_pickled_sample_inputs_are_refused(tmp_path, archive):
    buffer = io.BytesIO()
    torch.save(((Bomb(tmp_path / "boom"),), {}), buffer)
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(tmp_path / "net.pt2", "w") as new:
        for name in old.namelist():
            new.writestr(name, buffer.getvalue() if "sample_inputs" in name else old.read(name))
    with pytest.raises(FrontendError, match="pickled Python objects"):
        FRONTEND.open(tmp_path / "net.pt2")
    assert not (tmp_path / "boom").exists()


def test_size_without_data_is_refused(tmp_path, archive):
    sizes = [{"as_int": 200_000}, {"as_int": 200_000}]
    edited(archive, tmp_path / "net.pt2", change_weights=lambda c: _first(c)["tensor_meta"].update(sizes=sizes))
    with pytest.raises(FrontendError, match="without holding them"):
        FRONTEND.open(tmp_path / "net.pt2")


def test_parts_that_do_not_fit(tmp_path, archive):
    def narrower(config):
        meta = config["config"]["first.weight"]["tensor_meta"]
        meta.update(sizes=[{"as_int": 5}, {"as_int": 2}])

    edited(archive, tmp_path / "net.pt2", change_weights=narrower)
    with pytest.raises(FrontendError, match="fails on its data"):
        FRONTEND.open(tmp_path / "net.pt2")


def test_compiled_code_is_left_behind(tmp_path, archive):
    edited(archive, tmp_path / "net.pt2", extra={"data/aotinductor/model/x.so": b"code"})
    agrees(tmp_path / "net.pt2", net())


def test_random_damage_gives_only_our_errors(tmp_path, archive):
    rng = np.random.default_rng(0)
    for _ in range(15):
        data = bytearray(archive)
        for position in rng.integers(0, len(data), 6):
            data[position] = int(rng.integers(256))
        (tmp_path / "net.pt2").write_bytes(data)
        try:
            FRONTEND.open(tmp_path / "net.pt2")
        except FrontendError:
            continue


class Padded(nn.Module):
    def forward(self, x):
        return nn.functional.pad(torch.relu(x), (0, 1), value=2.0)


def test_sizes_are_checked_before_anything_is_made(tmp_path):
    torch.export.save(torch.export.export(Padded(), (torch.ones(2, 4),)), tmp_path / "small.pt2")
    agrees(tmp_path / "small.pt2", Padded())

    def pad_more(program):
        text = json.dumps(program)
        assert text.count('"as_ints": [0, 1]') == 1
        program.update(json.loads(text.replace('"as_ints": [0, 1]', f'"as_ints": [0, {10**11}]')))

    edited((tmp_path / "small.pt2").read_bytes(), tmp_path / "net.pt2", pad_more)
    with pytest.raises(FrontendError, match="too large"):
        FRONTEND.open(tmp_path / "net.pt2")
    program = torch.export.export(Padded(), (torch.ones(2, 4),))
    node = next(n for n in program.graph.nodes if n.name == "pad")
    node.args = (node.args[0], [0, 10**11], *node.args[2:])
    with pytest.raises(SNNToolboxError, match="too large"):
        FRONTEND.parse(program)


def test_dynamic_image_size_is_refused():
    dims = ({0: torch.export.Dim("n"), 2: torch.export.Dim("h", min=4)},)
    program = torch.export.export(nn.Conv2d(1, 1, 3), (torch.ones(2, 1, 8, 8),), dynamic_shapes=dims)
    with pytest.raises(FrontendError, match="free axis"):
        FRONTEND.open(program)
