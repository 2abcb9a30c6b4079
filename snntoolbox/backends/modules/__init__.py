"""Networks as modules of other libraries on PyTorch, by one exporter for each library."""
