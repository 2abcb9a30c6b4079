"""Networks in the Neuromorphic Intermediate Representation (NIR), written and read."""
