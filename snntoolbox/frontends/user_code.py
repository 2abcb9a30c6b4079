"""Runs the user's own file that builds a model: the one place where code beside a model is run, which is told."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from snntoolbox.errors import FrontendError, SNNToolboxError

log = logging.getLogger(__name__)


def run_code(code: Path, definition: str) -> ModuleType:
    """The user's file as a module under a name of its own; `definition` is what belongs into it."""
    name = f"_snntoolbox_model_{hashlib.sha256(str(code.resolve()).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, code)
    if spec is None or spec.loader is None:
        raise FrontendError(f"'{code}' cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    log.warning("'%s' is code, and is run to build the model", code)
    with failing(f"'{code}'", definition):
        spec.loader.exec_module(module)
    return module


@contextmanager
def failing(what: str, definition: str, hint: str | None = None) -> Iterator[None]:
    """FrontendError where the user's code raises anything, or ends the program as scripts do."""
    try:
        yield
    except SystemExit as end:
        raise FrontendError(
            f"{what} ends the program: it calls exit({'' if end.code is None else end.code!r})",
            hint=f"only the definition of {definition} belongs in this file; put what trains or prints under "
            "`if __name__ == '__main__':`",
        ) from end
    except SNNToolboxError:
        raise
    except SyntaxError as error:
        told = "it is read by Python 3: a file of Python 2 has to be changed first, for instance by `2to3 -w`"
        raise FrontendError(f"{what} failed: SyntaxError: {error}", hint=told) from error
    except Exception as error:
        raise FrontendError(f"{what} failed: {type(error).__name__}: {error}", hint=hint) from error
