"""QCFS training in PyTorch: the quantised rectifier, and its way into a trained model."""

from snntoolbox.training.pytorch.qcfs import QCFS
from snntoolbox.training.pytorch.replacing import replace_relu

__all__ = ["QCFS", "replace_relu"]
