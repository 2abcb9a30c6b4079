"""Scripts for other interpreters, each with its framework and a converter to ONNX: none is imported here."""
