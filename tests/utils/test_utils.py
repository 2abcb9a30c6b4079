"""What scripts of the SNN Toolbox import to write their configuration."""

import configparser

from snntoolbox.utils.utils import import_configparser


def test_it_is_pythons():
    assert import_configparser() is configparser
