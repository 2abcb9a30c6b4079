"""What the files of a written module are called."""

CODE, STATE, NETWORK = "network.py", "network.pt", "network.npz"
"""The Python file, its state dict, and the network as snntoolbox keeps it."""
