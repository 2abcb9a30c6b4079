"""Without Keras these tests are skipped; without a choice of backend they run on torch."""

import os

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("keras")
