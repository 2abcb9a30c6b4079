"""Without Keras these tests are skipped."""

import pytest

pytest.importorskip("keras")
