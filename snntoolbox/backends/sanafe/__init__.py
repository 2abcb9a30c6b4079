"""The SANA-FE backend: networks mapped onto models of neuromorphic chips, with their energy and latency."""
