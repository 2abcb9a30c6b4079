"""The network as synthesizable Verilog, and a simulator that runs it."""
