"""The way from a model to spikes in three calls: `load`, `convert`, `simulate`.

What users of SC-NeuroCore import from its package of this name is here too, imported on first use.
"""

from typing import Any

__all__ = ["QCFSActivation", "convert", "replace_relu_with_qcfs"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    if name == "convert":
        from snntoolbox.conversion.stages import convert

        return convert
    from snntoolbox.training import pytorch

    return getattr(pytorch, name)
