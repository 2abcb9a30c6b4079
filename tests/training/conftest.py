"""Without a choice of backend Keras runs on torch."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")
