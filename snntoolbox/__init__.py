"""Turn trained neural networks into spiking networks and run them, unchanged, on several simulators.

    import snntoolbox as stb
    graph = stb.load("model.onnx")
    snn = stb.convert(graph, calibration_data=x)
    result = stb.simulate(snn, x_test, duration=64)
    result.accuracy(y_test)

The names are those of the stub beside this file; each is imported on first use, so importing the package costs little.
"""

from pathlib import Path
from typing import Any

import lazy_loader

from snntoolbox.workflow.namesakes import tell_of_namesakes

tell_of_namesakes(Path(__file__).parent)
_of_stub, _, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = [*_names, "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("snntoolbox")
    return _of_stub(name)


def __dir__() -> list[str]:
    return sorted(__all__)
