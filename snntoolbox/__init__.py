"""Turn trained neural networks into spiking networks and run them, unchanged, on several simulators.

    import snntoolbox as stb
    graph = stb.load("model.onnx")
    snn = stb.convert(graph, calibration_data=x)
    result = stb.simulate(snn, x_test, duration=64)
    result.accuracy(y_test)

Every name is imported on first use, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snntoolbox.advice.diagnose import diagnose
    from snntoolbox.comparison import Comparison, compare
    from snntoolbox.conversion import Recipe, convert, load, simulate
    from snntoolbox.deployment.deploy import Deployment, deploy
    from snntoolbox.errors import SNNToolboxError
    from snntoolbox.ir.encodings import ConstantCurrent, Poisson, SpikeTimes
    from snntoolbox.ir.graph import Graph
    from snntoolbox.ir.io import load_graph, load_network, save
    from snntoolbox.ir.network import SpikingNetwork
    from snntoolbox.ir.neurons import IF, Negative, Reset
    from snntoolbox.ir.result import Record, Result
    from snntoolbox.passes.quantized_reference import quantized_graph, quantized_reference
    from snntoolbox.sweeps import sweep
    from snntoolbox.tuning.tune import tune

__version__ = "0.1.0"

_HOMES = {
    "Comparison": "comparison",
    "compare": "comparison",
    "Recipe": "conversion",
    "convert": "conversion",
    "Deployment": "deployment.deploy",
    "deploy": "deployment.deploy",
    "diagnose": "advice.diagnose",
    "load": "conversion",
    "simulate": "conversion",
    "SNNToolboxError": "errors",
    "ConstantCurrent": "ir.encodings",
    "Poisson": "ir.encodings",
    "SpikeTimes": "ir.encodings",
    "Graph": "ir.graph",
    "load_graph": "ir.io",
    "load_network": "ir.io",
    "save": "ir.io",
    "SpikingNetwork": "ir.network",
    "IF": "ir.neurons",
    "Negative": "ir.neurons",
    "Reset": "ir.neurons",
    "Record": "ir.result",
    "Result": "ir.result",
    "quantized_graph": "passes.quantized_reference",
    "quantized_reference": "passes.quantized_reference",
    "sweep": "sweeps",
    "tune": "tuning.tune",
}

__all__ = [
    "IF",
    "Comparison",
    "ConstantCurrent",
    "Deployment",
    "Graph",
    "Negative",
    "Poisson",
    "Recipe",
    "Record",
    "Reset",
    "Result",
    "SNNToolboxError",
    "SpikeTimes",
    "SpikingNetwork",
    "__version__",
    "compare",
    "convert",
    "deploy",
    "diagnose",
    "load",
    "load_graph",
    "load_network",
    "quantized_graph",
    "quantized_reference",
    "save",
    "simulate",
    "sweep",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'snntoolbox' has no attribute '{name}'")
    return getattr(import_module(f"snntoolbox.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
