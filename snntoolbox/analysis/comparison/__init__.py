"""One converted network on several simulators, spike by spike."""
