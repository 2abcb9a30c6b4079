"""What holds for every test: Keras runs on torch, log levels are as they were, one case in n stands for the others."""

import logging
import os
from collections import Counter

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


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    """Marks `long` what `one_in(n)` leaves for the long run: all but the first of each n cases of a test."""
    cases = Counter()
    for item in items:
        if mark := item.get_closest_marker("one_in"):
            test = item.nodeid.partition("[")[0]
            if cases[test] % mark.args[0]:
                item.add_marker(pytest.mark.long)
            cases[test] += 1
