"""The other name by which scripts of the SNN Toolbox import: see `snntoolbox.utils.utils`."""
