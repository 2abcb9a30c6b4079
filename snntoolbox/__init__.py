"""Turn trained neural networks into spiking networks and run them, unchanged, on several simulators.

    import snntoolbox as stb
    graph = stb.load("model.onnx")
    snn = stb.convert(graph, calibration_data=x)
    result = stb.simulate(snn, x_test, duration=64)
    result.accuracy(y_test)

The names are those of the stub beside this file; each is imported on first use, so importing the package costs little.
"""

from importlib.metadata import version

import lazy_loader

__version__ = version("snntoolbox")
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
