"""Imports Keras when it is needed, on a backend that is there."""

from __future__ import annotations

import os
import sys
from types import ModuleType

from snntoolbox.errors import FrontendError


def import_keras() -> ModuleType:
    """Keras 3; FrontendError that tells what to install or to set.

    Keras picks its backend when it is first imported. Where nobody has chosen one, it gets torch, which is always
    installed here; the environment is left as it was.
    """
    choose = "keras" not in sys.modules and "KERAS_BACKEND" not in os.environ
    if choose:
        os.environ["KERAS_BACKEND"] = "torch"
    try:
        import keras
    except Exception as error:  # a backend that is missing, unknown or broken raises what it likes
        raise _import_failure(error) from error
    finally:
        if choose:
            del os.environ["KERAS_BACKEND"]
    if int(keras.__version__.split(".")[0]) < 3:
        raise FrontendError(f"Keras {keras.__version__} is too old", hint="pip install snntoolbox[keras]")
    return keras  # type: ignore[no-any-return]


def _import_failure(error: Exception) -> FrontendError:
    if isinstance(error, ImportError) and error.name == "keras":
        return FrontendError("Keras is not installed", hint="pip install snntoolbox[keras]")
    backend = os.environ.get("KERAS_BACKEND", "its default")
    return FrontendError(
        f"Keras cannot start on the backend '{backend}': {error}",
        hint="set the environment variable KERAS_BACKEND=torch, or install what is missing",
    )
