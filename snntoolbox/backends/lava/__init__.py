"""The Lava backend: networks as processes of Intel's framework for Loihi 2, run there and written for it."""
