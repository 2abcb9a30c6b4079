"""Data sets from files: arrays or images in, checked samples and labels out."""
