"""The PyTorch frontend: modules, exported programs and state dicts, read through ``torch.export``."""

from snntoolbox.frontends.pytorch.frontend import TorchFrontend

__all__ = ["TorchFrontend"]
