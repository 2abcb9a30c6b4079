"""What holds for every test: Keras runs on torch, the backend that the tests install."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # before anything imports Keras
