"""The representation that every part shares: graphs, spiking networks, neurons, encodings, results."""
