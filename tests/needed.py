"""What a test needs that not every user has: without it the test skips, but in CI it fails."""

import os
from importlib.util import find_spec

import pytest


def needed(module):
    """Skips where a library is missing, but not in CI."""
    if find_spec(module) is None and not os.environ.get("CI"):
        pytest.skip(f"{module} is not installed")
