"""What holds for every test: Keras runs on torch, the backend that the tests install; log levels are as they were."""

import logging
import os

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")  # before anything imports Keras


@pytest.fixture(autouse=True)
def log_levels():
    """A run of the command line sets what is logged: the next test must not depend on it."""
    loggers = [logging.getLogger(), logging.getLogger("snntoolbox")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
