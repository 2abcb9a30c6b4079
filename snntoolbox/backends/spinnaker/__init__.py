"""SpiNNaker as a target: networks as scripts for sPyNNaker, placed and routed on a board that nobody needs to have."""
