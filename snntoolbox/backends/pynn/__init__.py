"""PyNN, with NEST, NEURON or Brian2 below it."""
