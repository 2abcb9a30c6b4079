"""What is right and wrong with a network: diagnosis, advice, comparison, tuning, conformance."""
