"""Configuration of Sphinx: sphinx-build -W docs docs/_build/html."""

from snntoolbox import __version__

project = "snntoolbox"
author = "The snntoolbox developers"
project_copyright = "2026, The snntoolbox developers"
version = release = __version__

extensions = ["myst_parser"]
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "requirements.txt"]
# Pages link to files of the repository, such as CONTRIBUTING.md, which are not part of the site.
suppress_warnings = ["myst.xref_missing"]

html_theme = "alabaster"
html_title = f"snntoolbox {release}"
