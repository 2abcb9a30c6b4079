"""What INI offers and refuses, and what its plan of a chunk computes and frees."""

import subprocess
import sys

import numpy as np
import pytest

from snntoolbox.backends.inisim import simulation as module
from snntoolbox.backends.inisim.backend import InisimBackend
from snntoolbox.backends.inisim.schedule import plan
from snntoolbox.errors import BackendError, DataError, UnsupportedError
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Add, Dense, Input


def population(name, current, size=3):
    return Population(name=name, shape=(size,), neuron=IF(), current=current, scale=np.ones(1), activation=name)


@pytest.fixture
def network():
    """image -> a -> b -> out, with a constant path from the image to b and a Poisson input to the read-out."""
    eye = np.eye(3)
    nodes = [
        Input(name="image", shape=(3,)),
        Input(name="events", shape=(3,)),
        Dense(name="first", inputs=("image",), weight=eye),
        Input(name="a", shape=(3,)),
        Dense(name="second", inputs=("a",), weight=eye),
        Dense(name="skip", inputs=("image",), weight=eye),
        Add(name="sum", inputs=("second", "skip")),
        Input(name="b", shape=(3,)),
        Dense(name="last", inputs=("b",), weight=eye),
        Add(name="end", inputs=("last", "events")),
    ]
    return SpikingNetwork(
        Graph(nodes, ["end", "sum", "first"]),
        {"image": ConstantCurrent(), "events": Poisson()},
        [population("a", "first"), population("b", "sum")],
        [Readout(name="out", current="end", shape=(3,))],
    )


PLANS = {
    True: ["events", "a", "second", "sum", "b", "last", "end", "out"],
    False: ["events", "a", "second", "sum", "b"],
}


@pytest.mark.parametrize("per_step", PLANS)
def test_plan_has_only_what_spikes_reach(network, per_step):
    tasks = plan(network, per_step=per_step)
    assert sorted(t.name for t in tasks) == sorted(PLANS[per_step])
    ranks = {t.name: i for i, t in enumerate(tasks)}
    assert all(ranks[name] < i for i, t in enumerate(tasks) for name in t.reads if name in ranks)


@pytest.mark.parametrize("per_step", PLANS)
def test_plan_frees_every_value_after_its_last_use(network, per_step):
    alive = set()
    for task in plan(network, per_step=per_step):
        if task.kind != "readout":
            alive.add(task.name)
        assert alive >= set(task.reads) & set(PLANS[True])
        alive -= set(task.done)
    assert not alive


def test_progress_gets_the_steps_done(network):
    done = []
    with InisimBackend().build(network, device="cpu", chunk=4) as simulation:
        simulation.run(np.ones((2, 3)), np.ones((2, 3)), steps=10, progress=done.append)
    assert done == [4, 8, 10]


@pytest.mark.parametrize(
    ("limit", "first", "calls"),
    [
        (1, 0, 2 * 100),  # one sample and one step
        (3 * 4 * 5, 2, 2 * 20),  # one sample, five steps: fewer samples before fewer steps
        (2 * 3 * 4 * 16, 16, 7),  # both samples, sixteen steps
        (2**20, 100, 1),
    ],
)
def test_chunk_fits_the_memory(network, monkeypatch, limit, first, calls):
    monkeypatch.setitem(module.CHUNK_BYTES, "cpu", limit)
    done = []
    x = np.ones((2, 3))
    InisimBackend().build(network, device="cpu").run(x, x, steps=100, progress=done.append)
    assert (done[0], done[-1], len(done)) == (first, 100, calls)


REFUSED = [
    ({"device": "tpu"}, "no device 'tpu'"),
    ({"dtype": "float16"}, "no dtype 'float16'"),
    ({"chunk": -1}, "-1 steps"),
    ({"speed": 3}, "no option speed"),
    ({"engine": "steam"}, "no engine 'steam'"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_option_is_refused(network, options, message):
    with pytest.raises(BackendError, match=f"{message}(.|\n)*hint"):
        InisimBackend().build(network, **options)


def test_missing_cuda_is_an_error(network, monkeypatch):
    monkeypatch.setattr(module.torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackendError, match="no CUDA"):
        InisimBackend().build(network, device="cuda")
    assert InisimBackend().build(network, device="auto").device.type == "cpu"


RUNS = [
    ([(2, 3), (2, 3)], 0, BackendError, "0 time steps"),
    ([(2, 3)], 5, DataError, r"2 inputs \(image, events\), got 1"),
    ([(2, 3), (2, 4)], 5, DataError, r"events: .*\(2, 3\), got \(2, 4\)"),
    ([(2, 3), (1, 3)], 5, DataError, r"events: .*\(2, 3\), got \(1, 3\)"),
]


@pytest.mark.parametrize(("shapes", "steps", "kind", "message"), RUNS)
def test_run_is_refused(network, shapes, steps, kind, message):
    simulation = InisimBackend().build(network, device="cpu")
    with pytest.raises(kind, match=message):
        simulation.run(*(np.ones(s) for s in shapes), steps=steps)


def test_closed_simulation_says_so(network):
    with InisimBackend().build(network, device="cpu") as simulation:
        pass
    with pytest.raises(BackendError, match="closed"):
        simulation.run(np.ones((2, 3)), np.ones((2, 3)), steps=3)


def test_no_samples_give_empty_results(network):
    result = InisimBackend().build(network, device="cpu").run(np.ones((0, 3)), np.ones((0, 3)), steps=3)
    assert result.output.shape == (0, 3)
    assert result.outputs_per_step["out"].shape == (3, 0, 3)


def test_a_loop_without_a_delay_is_refused():
    nodes = [Input(name="x", shape=(3,)), Input(name="a", shape=(3,)), Add(name="sum", inputs=("x", "a"))]
    readout = Readout(name="out", current="sum", shape=(3,))
    wiring = Graph(nodes, ["sum"])
    recurrent = SpikingNetwork(wiring, {"x": ConstantCurrent()}, [population("a", "sum")], [readout])
    with pytest.raises(UnsupportedError, match="a loop without a delay"):
        InisimBackend().build(recurrent, device="cpu")


def test_importing_the_backend_imports_no_simulator():
    code = "import sys, snntoolbox.backends.inisim.backend; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
