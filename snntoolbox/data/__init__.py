"""Data sets from files: arrays or images in, checked samples and labels out."""

from snntoolbox.data.dataset import Dataset
from snntoolbox.data.fit import check_fits
from snntoolbox.data.load import load_calibration, load_test

__all__ = ["Dataset", "check_fits", "load_calibration", "load_test"]
