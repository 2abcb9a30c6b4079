"""QCFS training in PyTorch: the quantised rectifier, and its way into a trained model."""

from snntoolbox.training.pytorch.named_by_others import QCFSActivation, replace_relu_with_qcfs
from snntoolbox.training.pytorch.qcfs import QCFS
from snntoolbox.training.pytorch.replacing import replace_relu

__all__ = ["QCFS", "QCFSActivation", "replace_relu", "replace_relu_with_qcfs"]
