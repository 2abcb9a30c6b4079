"""Times the built-in simulator against the best forward pass of the same network in torch, and against its peers.

    python benchmarks/speed.py
    python benchmarks/speed.py --nets cnn,vgg --steps 32 --batch 100 --peers --threads 2 -o table.md
    python benchmarks/speed.py --peers --zoo FOLDER    with a real ResNet-20 of FOLDER (see zoo.py beside) as well
    python benchmarks/speed.py --scale                 how the times change with T, batch, width and density
    python benchmarks/speed.py --windows               whole runs of networks with windows, by counts and step by step
    python benchmarks/speed.py --device cuda --batch 256 --peers    on a GPU, against forward passes in half precision

Every way of running a network is timed in turn, again and again in one process, and the least of its times counts:
microseconds per sample and step, and in brackets their ratio to the best forward pass. The large networks run at most
16 samples at a time on a CPU. Weights are random but for the ResNet's; biases are
set so that about a quarter of the rectifiers are active, which gives the spike densities of trained networks (6 to
13 %). With one thread CPU time is measured, else wall time, as on a GPU, whose work is waited for. Peers (SpikingJelly,
Sinabs, snnTorch) run the same layers with their own neurons, multi-step where they can; those not installed are left
out with a word. With `--windows` runs are timed as a whole: microseconds per sample, whatever their steps.
"""

from __future__ import annotations

import argparse
import copy
import importlib.metadata
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from zoo import load_zoo

from snntoolbox.backends.inisim.simulation import Simulation
from snntoolbox.conversion.load import load
from snntoolbox.conversion.stages import convert
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.result import Record
from snntoolbox.ir.timing import run_steps

Run = Callable[[], object]
ENGINES = ("int8", "float", "dense")
WINDOWS: list[dict[str, Any]] = [
    {"schedule": "radix", "steps": 4},
    {"schedule": "radix", "steps": 6},
    {"schedule": "first-spike", "steps": 32},
    {"schedule": "phased", "steps": 32},
]
SAMPLES = 10_000_000
"""How many samples the simulator is told to expect: compiled loops are worth loading then."""


def mlp(width: float = 1) -> tuple[nn.Sequential, tuple[int, ...]]:
    """784-256-128-10."""
    a, b = int(256 * width), int(128 * width)
    layers = (nn.Linear(784, a), nn.ReLU(), nn.Linear(a, b), nn.ReLU(), nn.Linear(b, 10))
    return nn.Sequential(nn.Flatten(), *layers), (1, 28, 28)


def cnn(width: float = 1, pool: Callable[[int], nn.Module] = nn.AvgPool2d) -> tuple[nn.Sequential, tuple[int, ...]]:
    """conv16, pool, conv32, pool, fc128, fc10 on 28 x 28."""
    a, b, c = int(16 * width), int(32 * width), int(128 * width)
    first = (nn.Conv2d(1, a, 3, padding=1), nn.ReLU(), pool(2), nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), pool(2))
    return nn.Sequential(*first, nn.Flatten(), nn.Linear(49 * b, c), nn.ReLU(), nn.Linear(c, 10)), (1, 28, 28)


def maxpool(width: float = 1) -> tuple[nn.Sequential, tuple[int, ...]]:
    """The same with max pooling."""
    return cnn(width, nn.MaxPool2d)


def vgg(width: float = 1) -> tuple[nn.Sequential, tuple[int, ...]]:
    """64, 64, 128, 128, 256, 256 with average pooling on 32 x 32."""
    layers: list[nn.Module] = []
    channels = 3
    for i, filters in enumerate((64, 64, 128, 128, 256, 256)):
        layers += [nn.Conv2d(channels, int(filters * width), 3, padding=1), nn.ReLU()]
        layers += [nn.AvgPool2d(2)] if i % 2 else []
        channels = int(filters * width)
    layers += [nn.Flatten(), nn.Linear(16 * channels, 256), nn.ReLU(), nn.Linear(256, 10)]
    return nn.Sequential(*layers), (3, 32, 32)


NETS = {"mlp": mlp, "cnn": cnn, "maxpool": maxpool, "vgg": vgg}
RESNET = "torch_resnet20_akamaster"
TURN = 0.01
"""About how many seconds a way runs before the next has its turn."""

LARGE = {"vgg": 16, "resnet20": 16}
"""Samples at a time of networks whose dense forms would take long and much memory."""


@dataclass(frozen=True)
class Case:
    """A network to be timed: in torch and as a graph, with samples to run and to calibrate on."""

    model: nn.Module
    graph: Graph
    x: torch.Tensor
    calibration: np.ndarray


def drawn(net: str, batch: int, width: float, shift: float) -> Case:
    """One of `NETS` with random weights."""
    torch.manual_seed(0)
    model, shape = NETS[net](width)
    given = torch.rand(max(batch, 100), *shape)
    model = sparsified(model, given[:100], shift)
    return Case(model, load(model, input_shape=shape), given[:batch], given[:100].numpy())


def of_zoo(folder: Path, batch: int) -> Case:
    """The trained ResNet-20."""
    sample = load_zoo(folder).sample(RESNET, max(batch, 100))
    x = np.ascontiguousarray(sample.x_test, np.float32)
    model = torch.export.load(sample.file).module()
    return Case(model, load(sample.file), torch.from_numpy(x[:batch]), np.asarray(sample.x_cal[:100], np.float32))


@torch.no_grad()
def sparsified(model: nn.Sequential, x: torch.Tensor, shift: float) -> nn.Sequential:
    """Biases under which rectifiers see values of mean -`shift` standard deviations: fewer active ones for more."""
    for i, layer in enumerate(model):
        y = layer(x)
        if i + 1 < len(model) and isinstance(model[i + 1], nn.ReLU):
            axes = (0, 2, 3) if y.ndim == 4 else (0,)
            layer.bias -= y.mean(axes) + shift * y.std(axes)
            y = layer(x)
        x = y
    return model.eval()


# -- ways of running a network --------------------------------------------------------------------------------------


def forward_passes(model: nn.Module, x: torch.Tensor) -> dict[str, Run]:
    """The artificial network in torch: eager, channels last, and frozen with oneDNN's own layouts or in float16."""
    if x.is_cuda:
        return gpu_passes(model, x)
    last = copy.deepcopy(model).to(memory_format=torch.channels_last) if x.ndim == 4 else model
    inside = x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, x).eval()))

    def under(f: Run) -> Run:
        return torch.inference_mode()(f)

    return {"eager": under(lambda: model(x)), "nhwc": under(lambda: last(inside)), "frozen": under(lambda: frozen(x))}


def gpu_passes(model: nn.Module, x: torch.Tensor) -> dict[str, Run]:
    """Eager and in half precision, as it comes and with channels last."""
    halved, given = copy.deepcopy(model).half(), x.half()
    last = copy.deepcopy(halved).to(memory_format=torch.channels_last) if x.ndim == 4 else halved
    inside = given.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else given
    passes = {"eager": lambda: model(x), "half": lambda: halved(given), "half nhwc": lambda: last(inside)}
    return {name: torch.inference_mode()(run) for name, run in passes.items()}


def spikingjelly(model: nn.Sequential, x: torch.Tensor, steps: int) -> Run:
    """SpikingJelly, multi-step: all steps go through a layer at once; on a GPU by its own kernels where it has them."""
    from spikingjelly.activation_based import functional, layer, neuron

    layers: list[nn.Module] = []
    for part in model:
        if isinstance(part, nn.ReLU):
            layers.append(neuron.IFNode(v_reset=None, step_mode="m"))
        else:
            layers.append(layer.SeqToANNContainer(copy.deepcopy(part)))
    net = nn.Sequential(*layers).to(x.device).eval()

    def run() -> object:
        functional.reset_net(net)
        with torch.inference_mode():
            return net(x.expand(steps, *x.shape)).mean(0)

    return run


def sinabs(model: nn.Sequential, x: torch.Tensor, steps: int) -> Run:
    """Sinabs: time folded into the batch for layers, unfolded for neurons."""
    from sinabs.layers import IAFSqueeze

    layers = [IAFSqueeze(batch_size=len(x)) if isinstance(p, nn.ReLU) else copy.deepcopy(p) for p in model]
    net = nn.Sequential(*layers).to(x.device).eval()
    spread = x.repeat_interleave(steps, 0)

    def run() -> object:
        for part in net:
            if isinstance(part, IAFSqueeze):
                part.reset_states()
        with torch.no_grad():  # its states cannot be reset outside an inference mode that they were made in
            return net(spread).view(len(x), steps, -1).mean(1)

    return run


def snntorch(model: nn.Sequential, x: torch.Tensor, steps: int) -> Run:
    """snnTorch: a Python loop over the steps."""
    import snntorch as snn

    leaky = [snn.Leaky(beta=1.0, reset_mechanism="subtract") if isinstance(p, nn.ReLU) else p for p in model]
    parts = [part.to(x.device) for part in leaky]

    def run() -> object:
        with torch.inference_mode():
            states = [p.init_leaky() if isinstance(p, snn.Leaky) else None for p in parts]
            total: object = 0
            for _ in range(steps):
                y = x
                for i, part in enumerate(parts):
                    if states[i] is None:
                        y = part(y)
                    else:
                        y, states[i] = part(y, states[i])
                total = y + total
            return total

    return run


PEERS = {"SpikingJelly": spikingjelly, "Sinabs": sinabs, "snnTorch": snntorch}


# -- measuring ------------------------------------------------------------------------------------------------------


def timed(
    ways: dict[str, Run], seconds: float, least: int = 3, wait: Callable[[], None] | None = None
) -> dict[str, float]:
    """The least time of each way, taken in turn until so many seconds have passed; `wait` is until a GPU is done.

    A short one runs several times each turn: what others left in the caches is not its own.
    """
    clock = time.process_time if torch.get_num_threads() == 1 and wait is None else time.perf_counter
    wait = wait or (lambda: None)
    found, times = dict.fromkeys(ways, float("inf")), dict.fromkeys(ways, 1)
    for name, run in ways.items():
        run()
        wait()
        before = clock()
        run()
        wait()
        times[name] = max(1, int(TURN / max(clock() - before, 1e-6)))
    start, rounds = time.perf_counter(), 0
    while rounds < least or time.perf_counter() - start < seconds:
        rounds += 1
        for name, run in ways.items():
            for _ in range(times[name]):
                before = clock()
                run()
                wait()
                found[name] = min(found[name], clock() - before)
    return found


def networks_of(case: Case, schedule: str, duration: int) -> dict[str, SpikingNetwork]:
    """What each engine runs."""
    windows: dict[str, Any] = {"schedule": schedule, "duration": duration, "layer_correction": "none"}
    how = {} if schedule == "rate" else windows
    whole = convert(case.graph, case.calibration, **how)
    return {"float": whole, "int8": convert(case.graph, case.calibration, weight_bits=8, **how), "dense": whole}


def measured(
    case: Case,
    *,
    steps: int,
    peers: bool = False,
    seconds: float = 10,
    engines: Iterable[str] = ENGINES,
    schedule: str = "rate",
) -> tuple[dict[str, float], float, dict[str, list[str]]]:
    """Microseconds per sample and step of each way, the share of neurons that fire per step, and the paths taken.

    With a schedule of windows of so many steps: per sample.
    """
    x, batch, model = case.x, len(case.x), case.model
    networks = networks_of(case, schedule, steps)
    steps = run_steps(networks["float"], None) if schedule != "rate" else steps
    ways = {f"ANN {name}": run for name, run in forward_passes(model, x).items()}
    record, paths, density = Record(outputs_per_step=False), {}, 0.0
    for name in engines:
        engine = "dense" if name == "dense" else "auto"
        simulation = Simulation(networks[name], device=x.device.type, engine=engine)
        simulation.expect(SAMPLES)
        result = simulation.run(x.cpu().numpy(), steps=steps, record=record)
        paths[name] = ["+".join(sorted(way)) for way in result.engine_paths.values()]
        fired = {**result.counts, **result.fired}
        density = sum(int(c.sum()) for c in fired.values()) / networks[name].neurons / batch / steps
        ways[f"INI {name}"] = lambda s=simulation: s.run(x.cpu().numpy(), steps=steps, record=record)
    for name, make in PEERS.items() if peers and isinstance(model, nn.Sequential) else ():
        try:
            ways[name] = make(model, x, steps)
        except ImportError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    found = timed(ways, seconds, wait=torch.cuda.synchronize if x.is_cuda else None)
    whole = schedule != "rate"
    per_step = {n: 1e6 * t / batch / (1 if whole or n.startswith("ANN") else steps) for n, t in found.items()}
    return per_step, density, paths


def row(name: str, times: dict[str, float], density: float, columns: Iterable[str]) -> str:
    """A line of the table."""
    best = min(t for n, t in times.items() if n.startswith("ANN"))
    cells = [f"{best:.2f} (eager {times['ANN eager']:.2f})"]
    cells += [f"{times[n]:.2f} ({times[n] / best:.2f})" if n in times else "" for n in columns]
    return f"| {name} | {density:.1%} | {' | '.join(cells)} |"


def heading(columns: Iterable[str]) -> str:
    """The first two lines of the table."""
    names = ["ANN forward, best", *columns]
    return f"| network | spikes | {' | '.join(names)} |\n|---|--:|{'--:|' * len(names)}"


def machine(device: str = "cpu") -> str:
    """Processor, GPU if it was used, threads and versions."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    processor = next(names, platform.machine())
    versions = []
    for package in ("torch", "numba", "numpy", "spikingjelly", "sinabs", "snntorch"):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {package}")
    threads = torch.get_num_threads()
    processor += f" with {torch.cuda.get_device_name()}" if device == "cuda" else ""
    return f"{processor}, {threads} thread{'s' * (threads > 1)}; {', '.join(versions)}"


SCALES: dict[str, list[dict[str, float]]] = {
    "T": [{"steps": n} for n in (8, 32, 128)],
    "batch": [{"batch": n} for n in (1, 10, 100)],
    "width": [{"width": n} for n in (0.5, 1, 2)],
    "density": [{"shift": n} for n in (1.5, 0.6, 0.0)],
}


def wanted(given: argparse.Namespace) -> list[tuple[str, str, dict[str, Any]]]:
    """What is to be timed: a label, the network and what is not as usual."""
    if given.scale:
        return [(f"cnn, {what} {next(iter(c.values()))}", "cnn", c) for what, cs in SCALES.items() for c in cs]
    nets = given.nets.split(",") if given.nets else [*NETS, *(["resnet20"] if given.zoo else [])]
    if given.windows:
        return [(f"{net}, {w['schedule']} {w['steps']}", net, w) for net in nets for w in WINDOWS]
    cases: list[tuple[str, str, dict[str, Any]]] = [(net, net, {}) for net in nets]
    return cases if given.nets else [*cases, ("cnn, batch 1", "cnn", {"batch": 1})]


def main() -> None:
    """Print the table; see the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", help=f"of {', '.join(NETS)}, and with --zoo resnet20 (default: all)")
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--seconds", type=float, default=10, help="how long to repeat for each network")
    parser.add_argument("--peers", action="store_true", help="time SpikingJelly, Sinabs and snnTorch as well")
    parser.add_argument("--scale", action="store_true", help="vary T, batch, width and density of the cnn")
    parser.add_argument("--windows", action="store_true", help="time whole runs of networks with windows")
    parser.add_argument("-o", "--output", type=Path, help="write the table here as well")
    parser.add_argument("--zoo", type=Path, default=os.environ.get("SNNTOOLBOX_ZOO"), help="folder with a zoo.py")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    columns = [f"INI {e}" for e in ENGINES] + (list(PEERS) if given.peers and not given.scale else [])
    lines = [machine(given.device), "", heading(columns)]
    for label, net, changes in wanted(given):
        batch = min(given.batch, LARGE.get(net, given.batch)) if given.device == "cpu" else given.batch
        usual = {"steps": given.steps, "batch": batch, "width": 1, "shift": 0.6}
        chosen: dict[str, Any] = {**usual, **changes}
        batch, steps = chosen["batch"], chosen["steps"]
        case = of_zoo(given.zoo, batch) if net == "resnet20" else drawn(net, batch, chosen["width"], chosen["shift"])
        case = replace(case, model=case.model.to(given.device), x=case.x.to(given.device))
        peers = given.peers and not given.scale
        schedule = chosen.get("schedule", "rate")
        times, density, paths = measured(case, steps=steps, peers=peers, seconds=given.seconds, schedule=schedule)
        lines.append(row(label, times, density, columns))
        print(label, {n: round(t, 2) for n, t in times.items()}, paths, file=sys.stderr)
    print("\n".join(lines))
    if given.output:
        given.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
