"""The built-in simulator INI: what it can run, and how it is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snntoolbox.backends.options import chosen_options
from snntoolbox.errors import BackendError, UnsupportedError
from snntoolbox.ir import features as f
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.turns import stepwise

if TYPE_CHECKING:
    from snntoolbox.backends.inisim.simulation import Simulation

DEVICES = ("auto", "cpu", "cuda")
DTYPES = ("float32", "float64")
ENGINES = ("auto", "dense", "event", "counts", "reference")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the simulator computes; none of them changes what a network on an integer grid does.

    `device`: 'cpu', 'cuda', or 'auto' for CUDA where there is one. `chunk`: time steps that a layer takes at once,
    0 to choose them by memory. `dtype`: 'float32' (also None) or 'float64'; a network on an integer grid gets
    float64 wherever float32 would not be exact. `engine`: how on a CPU; 'auto' takes 8-bit products for networks on
    an integer grid, sums over events where few neurons fire, and 'counts' where that applies; 'dense' floating products
    for all, 'event' sums over events wherever they can be, 'counts' one pass for all steps of networks with windows,
    'reference' the plain interpreter, in float64.
    """

    device: str = "auto"
    chunk: int = 0
    dtype: str | None = None
    engine: str = "auto"

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise BackendError(f"backend 'INI' has no engine '{self.engine}'", hint=f"use one of {', '.join(ENGINES)}")
        if self.device not in DEVICES:
            raise BackendError(f"backend 'INI' has no device '{self.device}'", hint=f"use one of {', '.join(DEVICES)}")
        if self.dtype is not None and self.dtype not in DTYPES:
            raise BackendError(f"backend 'INI' has no dtype '{self.dtype}'", hint=f"use one of {', '.join(DTYPES)}")
        if self.chunk < 0:
            raise BackendError(f"backend 'INI' cannot take {self.chunk} steps at once", hint="chunk = 0 chooses them")


class InisimBackend:
    """Layer by layer over chunks of time, in PyTorch, on the CPU or on CUDA."""

    name = "INI"
    capabilities = Capabilities(
        # Of parts of neurons what `engine.parts` has code for: a test compares, as that imports torch.
        features=f.INPUTS
        | f.PER_NEURON
        | f.RECORDINGS
        | f.RESETS
        | {f.MAX_POOLING, f.PULSES, f.WINDOWS, f.DIGITS, f.UNEVEN_DIGITS, f.FIRST_SPIKES, f.RECURRING}
        | {f.TIMED_INPUT, f.SEQUENCES}
        | {f.DELAYS, f.RECURRENT, f.QUICK_LOOPS, f.OWN_PARTS, f.PRODUCTS}
        | {f.SUMS_OF_PRODUCTS, f.TABLES}
        | {f.LASTING_CURRENTS, f.LEAK, f.REFRACTORY, f.SATURATION, f.SIGNED_SPIKES, f.SPIKE_VALUES}
        | {f.FLOAT_WEIGHTS, f.BATCHES, f.DRAWN_READOUT}
        | {f.PAYLOADS, f.ADAPTIVE, f.CLAMPED},
        exact_bits=53,
        modules=("torch",),
    )

    def check_options(self, network: SpikingNetwork, **options: Any) -> None:
        """UnsupportedError where the engine is to go by counts, and they do not follow from sums."""
        chosen = chosen_options(self.name, Options, options)
        if chosen.engine == "counts" and (offenders := stepwise(network)):
            hint = "engine = auto; counts follow from sums in the windows of schedule = phased, radix and first-spike"
            raise UnsupportedError("engine = counts", offenders, hint=hint)

    def build(self, network: SpikingNetwork, **options: Any) -> Simulation:
        """The network ready to run; `options` are the fields of `Options`."""
        self.capabilities.check(self.name, network)
        self.check_options(network, **options)
        chosen = chosen_options(self.name, Options, options)
        from snntoolbox.backends.inisim.simulation import Simulation

        dtype = chosen.dtype or "float32"
        return Simulation(network, device=chosen.device, dtype=dtype, chunk=chosen.chunk, engine=chosen.engine)
