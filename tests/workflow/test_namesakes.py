"""The SNN Toolbox of the package index, which has the same name, is told of where it is in the way."""

import warnings

import pytest

from snntoolbox.workflow.namesakes import tell_of_namesakes


@pytest.fixture
def package(tmp_path):
    (tmp_path / "site" / "snntoolbox").mkdir(parents=True)
    (tmp_path / "site" / "snntoolbox-0.1.0.dist-info").mkdir()
    return tmp_path / "site" / "snntoolbox"


def test_alone_nothing_is_said(package):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tell_of_namesakes(package, [str(package.parent), str(package.parent), "no folder"])


def test_installed_over(package):
    (package / "parsing").mkdir()
    with pytest.warns(UserWarning, match="installed over this snntoolbox.*parsing.*pip uninstall"):
        tell_of_namesakes(package, [])


OTHERS = ["snntoolbox-0.6.0.dist-info", "snntoolbox-0.6.0-py3.8.egg", "SNNToolbox-0.6.0.egg-info"]


@pytest.mark.parametrize("other", OTHERS)
def test_installed_beside(package, other, tmp_path):
    (tmp_path / "other" / other).mkdir(parents=True)
    with pytest.warns(UserWarning, match="several installations called snntoolbox"):
        tell_of_namesakes(package, [str(package.parent), str(tmp_path / "other")])
