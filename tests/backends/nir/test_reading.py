"""NIR files of others: read exactly, or refused by node; bad files are refused as what they are."""

from itertools import pairwise

import h5py
import nir
import numpy as np
import pytest
from drawn import network

import snntoolbox as stb
from snntoolbox.errors import ArgumentError, DataError, SNNToolboxError, UnsupportedError
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.interpreter import interpret

ONE = np.ones(1)


def neuron(size=1, **values):
    return nir.IF(**{"r": np.ones(size), "v_threshold": np.ones(size), "v_reset": np.zeros(size), **values})


def leaky(size=1, tau=4.0, r=1.0, v_leak=0.0, threshold=1.0):
    full = {"tau": tau, "r": r, "v_leak": v_leak, "v_threshold": threshold}
    return nir.LIF(**{k: np.full(size, float(v)) for k, v in full.items()})


def linear(*rows):
    return nir.Linear(np.array(rows, float))


def written(path, nodes, edges, size=1, out=1):
    nodes = {"input": nir.Input(np.array([size])), **nodes, "output": nir.Output(np.array([out]))}
    nir.write(path, nir.NIRGraph(nodes, edges, type_check=False))
    return path


def chain(*names):
    names = ("input", *names, "output")
    return list(pairwise(names))


def spikes(net, value, steps):
    record = stb.Record(spikes=True)
    result = interpret(net, np.array([[value]]), steps=steps, record=record)
    return {name: "".join(map(str, train.astype(int).ravel())) for name, train in result.spikes.items()}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.nir"


# -- what neurons mean ----------------------------------------------------------------------------------------------


def test_by_nirs_own_rules_a_spike_is_above_the_threshold_and_resets(path):
    written(path, {"a": linear([0.5]), "n": neuron()}, chain("a", "n"))
    net = stb.load_network(path, encoding=ConstantCurrent())
    assert spikes(net, 1.0, 6) == {"n": "001001"}


def test_other_rules_can_be_told(path):
    written(path, {"a": linear([0.5]), "n": neuron()}, chain("a", "n"))
    told = {"encoding": ConstantCurrent(), "comparison": ">="}
    assert spikes(stb.load_network(path, **told), 1.0, 6) == {"n": "010101"}
    assert spikes(stb.load_network(path, **told), 1.5, 8) == {"n": "01010101"}
    assert spikes(stb.load_network(path, **told, reset="subtract"), 1.5, 8) == {"n": "01110111"}


def test_a_reset_to_another_potential_and_a_resistance(path):
    written(path, {"a": linear([0.5]), "n": neuron(r=ONE * 2, v_reset=ONE * -1)}, chain("a", "n"))
    net = stb.load_network(path, encoding=ConstantCurrent(), comparison=">=")
    assert spikes(net, 1.0, 6) == {"n": "101010"}


def test_a_leak_needs_to_know_how_long_a_step_is(path):
    written(path, {"a": linear([1.0]), "n": leaky(tau=4e-3, r=4.0, v_leak=0.25)}, chain("a", "n"))
    with pytest.raises(DataError, match=r"'n' \(nir LIF\) leaks, and nothing says how long a step is"):
        stb.load_network(path)
    net = stb.load_network(path, dt=1e-3, encoding=ConstantCurrent(), comparison=">=")
    v, expected = 0.0, ""
    for _ in range(12):  # V += dt / tau (v_leak - V + r I)
        v += 0.25 * (0.25 - v + 4.0 * 0.4)
        expected += str(int(v >= 1))
        v = 0.0 if v >= 1 else v
    assert spikes(net, 0.4, 12) == {"n": expected}
    assert "1" in expected


def test_layers_of_all_kinds(path):
    conv = nir.Conv2d(
        (6, 6), np.random.default_rng(0).normal(size=(3, 2, 3, 3)), (1, 1), "same", (1, 1), 1, np.arange(3.0)
    )
    nodes = {
        "input": nir.Input(np.array([2, 6, 6])),
        "c": conv,
        "n": neuron((3, 6, 6), v_threshold=np.full((3, 6, 6), 2.0)),
        "s": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "g": nir.Scale(np.full((3, 3, 3), 0.5)),
        "p": nir.AvgPool2d(np.array([3, 3]), np.array([1, 1]), np.array([0, 0])),
        "f": nir.Flatten(np.array([3, 1, 1]), 0, -1),
        "a": nir.Affine(np.eye(3), np.ones(3)),
        "output": nir.Output(np.array([3])),
    }
    names = list(nodes)
    nir.write(path, nir.NIRGraph(nodes, list(pairwise(names)), type_check=False))
    net = stb.load_network(path, comparison=">=")
    x = (np.random.default_rng(1).random((2, 5, 2, 6, 6)) < 0.3).astype(np.int8)
    result = interpret(net, x, steps=5, record=stb.Record(spikes=True))
    padded = np.pad(x, ((0, 0), (0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(3, 4))
    current = np.einsum("btcyxij,fcij->tbfyx", windows, conv.weight) + np.arange(3.0)[:, None, None]
    v, counts = 0.0, 0.0
    for step in range(5):
        v = v + current[step]
        fired = v >= 2
        assert np.array_equal(result.spikes["n"][step], fired)
        v, counts = np.where(fired, 0.0, v), counts + fired
    assert np.allclose(result.output, counts.sum((2, 3)) * 0.5 / 9 / 5 + 1)


# -- loops ----------------------------------------------------------------------------------------------------------


def test_a_spike_comes_back_a_step_later(path):
    nodes = {"a": linear([1.0]), "n": neuron(), "w": linear([-1.0])}
    written(path, nodes, [*chain("a", "n"), ("n", "w"), ("w", "n")])
    net = stb.load_network(path, encoding=ConstantCurrent(), comparison=">=")
    assert spikes(net, 1.0, 6) == {"n": "101010"}


def test_a_graph_inside_a_graph(path):
    """As snnTorch writes its recurrent neurons."""
    inner = nir.NIRGraph(
        {
            "input": nir.Input(ONE.astype(int)),
            "lif": neuron(),
            "w": linear([-1.0]),
            "output": nir.Output(ONE.astype(int)),
        },
        [("input", "lif"), ("lif", "w"), ("w", "lif"), ("lif", "output")],
        type_check=False,
    )
    written(path, {"a": linear([1.0]), "r": inner}, chain("a", "r"))
    net = stb.load_network(path, encoding=ConstantCurrent(), comparison=">=")
    assert spikes(net, 1.0, 6) == {"r.lif": "101010"}


def test_delays_count_steps_of_dt(path):
    written(
        path, {"a": linear([1.0]), "n": neuron(), "d": nir.Delay(ONE * 3e-3), "m": neuron()}, chain("a", "n", "d", "m")
    )
    net = stb.load_network(path, dt=1e-3, encoding=ConstantCurrent(), comparison=">=", reset="subtract")
    assert spikes(net, 1000.0, 6) == {"n": "111111", "m": "000000"}  # r dt is the gain of IF too
    with pytest.raises(DataError, match=r"'d' \(nir Delay\) delays by 0.003, which is no number of steps of 0.002"):
        stb.load_network(path, dt=2e-3)


def test_a_loop_of_two_layers_must_say_who_comes_first(path):
    nodes = {"n": neuron(), "m": neuron(), "w": linear([1.0])}
    written(path, nodes, [*chain("n", "m"), ("m", "w"), ("w", "n")])
    with pytest.raises(DataError, match="the nodes 'm', 'n', 'w' form a loop without a Delay"):
        stb.load_network(path)


# -- what is refused ------------------------------------------------------------------------------------------------


def test_nodes_that_networks_have_not_are_named_together(path):
    values = dict.fromkeys(("tau_syn", "tau_mem", "r", "v_leak"), ONE)
    nodes = {"c": nir.CubaLI(**values), "t": nir.Threshold(ONE), "n": neuron()}
    written(path, nodes, chain("c", "t", "n"))
    with pytest.raises(UnsupportedError) as error:
        stb.load_network(path)
    assert [o.layer for o in error.value.offenders] == ["c (nir CubaLI)", "t (nir Threshold)"]


def huge(path):
    """A file of few bytes that speaks of 10^12 neurons."""
    with h5py.File(path, "r+") as file:
        nodes = file["node/nodes"]
        del nodes["input/shape"]
        nodes["input/shape"] = np.array([10**6, 10**6])


def virtual(path):
    """Thresholds of 10^12 neurons that are nowhere stored."""
    with h5py.File(path, "r+") as file:
        del file["node/nodes/n/r"]
        file.create_dataset("node/nodes/n/r", (10**6, 10**6), "f4", chunks=(1, 1000))


def changed(place, value):
    def change(path):
        with h5py.File(path, "r+") as file:
            del file[place]
            if value is not None:
                file[place] = value

    return change


BAD = {
    "10^12 inputs": (huge, "'input' claims 1,000,000,000,000 values"),
    "10^12 neurons": (virtual, "claims 4000000 MiB|claims"),
    "no type": (changed("node/nodes/n/type", None), "'n' is no node: it has no type"),
    "a type that is a number": (changed("node/nodes/n/type", 7), "n (nir 7): a node of an unknown kind"),
    "no threshold": (changed("node/nodes/n/v_threshold", None), r"'n' (IF) has no v_threshold"),
    "a text as threshold": (changed("node/nodes/n/v_threshold", "high"), "'v_threshold' of 'n' holds no numbers"),
    "NaN": (changed("node/nodes/a/weight", np.full((1, 1), np.nan)), "'weight' of 'a' holds NaN"),
    "a weight of three axes": (
        changed("node/nodes/a/weight", np.ones((1, 1, 1))),
        "'a' (nir Linear) has a weight of shape",
    ),
    "a weight that does not fit": (changed("node/nodes/a/weight", np.ones((1, 3))), "'a' (nir Linear)"),
    "neurons that do not fit": (changed("node/nodes/n/r", np.ones(5)), "'n'"),
    "a threshold of 0": (changed("node/nodes/n/v_threshold", np.zeros(1)), "'n' (nir IF) has a threshold of 0"),
    "an edge to nowhere": (
        changed("node/edges", np.array([["input", "b"]], dtype=object)),
        "an edge from 'input' to 'b', and there is no node 'b'",
    ),
    "an edge twice": (
        changed("node/edges", np.array([["input", "a"], ["a", "n"], ["a", "n"], ["n", "output"]], dtype=object)),
        "the edge from 'a' to 'n' stands there twice",
    ),
    "edges that are no pairs": (changed("node/edges", np.ones((2, 3))), "are no pairs of names"),
    "nothing leads to a node": (changed("node/edges", np.array([["a", "n"]], dtype=object)), "nothing leads to a node"),
    "a cycle of maps": (
        changed("node/edges", np.array([["input", "n"], ["n", "output"], ["a", "a"]], dtype=object)),
        "the nodes 'a' form a loop without a Delay",
    ),
    "no graph": (changed("node", None), "it has no group 'node'"),
    "a node alone": (changed("node/type", "IF"), "holds a single node of the kind IF"),
    "a link": (changed("node/nodes/a/weight", h5py.ExternalLink("other.h5", "x")), "links are not followed"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_files_are_refused_by_what_is_wrong(fault, path):
    change, told = BAD[fault]
    written(path, {"a": linear([1.0]), "n": neuron()}, chain("a", "n"))
    change(path)
    with pytest.raises(SNNToolboxError) as error:
        stb.load_network(path)
    assert any(part in str(error.value) for part in told.split("|"))


def test_damaged_files_end_in_errors_of_ours(path, tmp_path):
    stb.export(network("residual"), "nir", tmp_path / "out")
    content = (tmp_path / "out" / "network.nir").read_bytes()
    random = np.random.default_rng(5)
    ended = {"read": 0, "refused": 0}
    for k in range(80):
        damaged = bytearray(content if k % 2 else content[: random.integers(0, len(content))])
        for place in random.integers(0, max(len(damaged), 1), 12 if k % 2 else 0):
            damaged[place] = random.integers(0, 256)
        path.write_bytes(damaged)
        try:
            stb.load_network(path)
            ended["read"] += 1
        except SNNToolboxError:
            ended["refused"] += 1
    assert ended["refused"] >= 40


def several(path):
    """A file with nodes of most kinds, and a loop."""
    pair, cuba = np.array([2, 2]), ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold")
    nodes = {
        "input": nir.Input(np.array([2, 6, 6])),
        "c": nir.Conv2d((6, 6), np.ones((3, 2, 3, 3)), (1, 1), "same", (1, 1), 1, np.ones(3)),
        "n": leaky((3, 6, 6)),
        "s": nir.SumPool2d(pair, pair, np.array([0, 0])),
        "p": nir.AvgPool2d(np.array([3, 3]), np.array([1, 1]), np.array([0, 0])),
        "f": nir.Flatten(np.array([3, 1, 1]), 0, -1),
        "g": nir.Scale(np.ones(3)),
        "a": nir.Affine(np.eye(3), np.ones(3)),
        "m": nir.CubaLIF(**{name: np.full(3, 2.0) for name in cuba}),
        "output": nir.Output(np.array([3])),
    }
    edges = [*pairwise(nodes), ("m", "w"), ("w", "d"), ("d", "m")]
    nodes |= {"w": nir.Linear(np.eye(3)), "d": nir.Delay(np.ones(3))}
    nir.write(path, nir.NIRGraph(nodes, edges, type_check=False))


ODD = (
    *(np.zeros(0), np.nan, -np.ones(3), np.zeros(3), "word", 10**12, np.full(2, 10**6), np.ones((2,) * 5), 1e300),
    *(1e-300, np.arange(5), None, 1j, True, np.full(3, 2**62)),
)


def test_values_of_wrong_types_sizes_and_ranges_end_in_errors_of_ours(path):
    several(path)
    content, places, ended = path.read_bytes(), [], {"ran": 0, "refused": 0}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: places.append(name) if isinstance(item, h5py.Dataset) else None)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        path.write_bytes(content)
        with h5py.File(path, "r+") as file:
            place, value = places[rng.integers(len(places))], ODD[rng.integers(len(ODD))]
            del file[place]
            if value is not None:
                file[place] = value
        try:
            net = stb.load_network(path, dt=1.0)
            stb.simulate(net, np.zeros((1, 2, 2, 6, 6), np.int8), duration=2)
            ended["ran"] += 1
        except SNNToolboxError:
            ended["refused"] += 1
    assert ended["refused"] >= 30
    assert ended["ran"] >= 3


def test_a_stride_of_a_million_million(path):
    several(path)
    changed("node/nodes/p/stride", np.full(2, 10**12))(path)
    with pytest.raises(DataError, match="more than any axis is long"):
        stb.load_network(path, dt=1.0)


def test_damaged_notes_are_told(path, tmp_path):
    stb.export(network(), "nir", tmp_path / "out")
    with h5py.File(tmp_path / "out" / "network.nir", "r+") as file:
        text = file["node/metadata/snntoolbox"][()].decode()
        for wrong in ("{", "[]", text.replace('"ConstantCurrent"', '"Nothing"'), text.replace('"dt"', '"td"')):
            del file["node/metadata/snntoolbox"]
            file["node/metadata/snntoolbox"] = wrong
            file.flush()
            path.write_bytes((tmp_path / "out" / "network.nir").read_bytes())
            with pytest.raises(DataError, match="the notes of snntoolbox in it are damaged"):
                stb.load_network(path)


def test_options_of_reading_are_checked(path, tmp_path):
    written(path, {"n": neuron()}, chain("n"))
    for wrong in ({"dt": -1.0}, {"reset": "modulo"}, {"comparison": "<"}):
        with pytest.raises(ArgumentError):
            stb.load_network(path, **wrong)
    with pytest.raises(DataError, match="does not exist"):
        stb.load_network(tmp_path / "absent.nir")
    with pytest.raises(ArgumentError, match="dt is for NIR files"):
        stb.load_network(stb.save(network(), tmp_path / "net"), dt=1.0)
    own = stb.export(network("residual"), "nir", tmp_path / "out").folder / "network.nir"
    stb.load_network(own)
    for told in ({"dt": 1.0, "library": "rockpool"}, {"comparison": ">"}, {"encoding": ConstantCurrent()}):
        with pytest.raises(ArgumentError, match=f"{', '.join(told)} is for NIR files of others, and 'network.nir'"):
            stb.load_network(own, **told)
