"""When layers fire: one schedule each, and what it does to a network."""
