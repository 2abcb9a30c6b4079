"""The fast paths of the built-in simulator on a CPU: spikes as bytes, integer products, event-driven sums."""
