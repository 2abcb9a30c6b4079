"""Writes what builds and checks a project: the Makefile, the scripts of synthesis, place and route, the constraints."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from snntoolbox.backends.fpga.targets import Device, Target

PACKERS = {"nextpnr-ice40": ("asc", "icepack", "bin"), "nextpnr-ecp5": ("textcfg", "ecppack", "bit")}
"""For each place and route: what it writes, what makes the bitstream of that, and its ending."""

_MAKEFILE = """\
# lint, sim (Icarus), sim-verilator, synth{goals}; results and logs go to out/.
TOP = {top}
# The same with AXI-Stream ports: what lint and the test bench see.
WRAPPER = {wrapper}
SAMPLES = {samples}
# Make both streams wait in so many of 8 clocks, at random.
STALLS = 0
SEED = 1
LOG = $@
SOURCES = $(wildcard rtl/*.v)
FILLED = $(wildcard rtl/*.mem)
VECTORS = $(wildcard sim/*.hex)
RUN = +samples=$(SAMPLES) +stalls=$(STALLS) +seed=$(SEED)

.PHONY: all lint sim sim-verilator synth{phony} clean
all: lint sim

lint:
\tverilator --lint-only -Wall --language 1364-2001 --top-module $(WRAPPER) $(SOURCES)

# Memories and vectors are opened in the folder of the run.
sim: out/icarus/sim.vvp
\tcp $(FILLED) $(VECTORS) out/icarus/
\tcd out/icarus && vvp -n sim.vvp $(RUN) > ../$(LOG).log; cat ../$(LOG).log; grep -q '^PASS' ../$(LOG).log

out/icarus/sim.vvp: $(SOURCES) sim/tb.v
\tmkdir -p out/icarus
\tiverilog -g2005 -s tb -o $@ sim/tb.v $(SOURCES)

# The sources are checked by lint; the test bench is for simulation alone.
sim-verilator: out/verilator/Vtb
\tcp $(FILLED) $(VECTORS) out/verilator/
\tcd out/verilator && ./Vtb $(RUN) > ../$(LOG).log; cat ../$(LOG).log; grep -q '^PASS' ../$(LOG).log

out/verilator/Vtb: $(SOURCES) sim/tb.v
\tmkdir -p out/verilator
\tverilator --binary --timing -O3 --x-assign fast --noassert -Wno-lint -Wno-style -Wno-fatal --top-module tb \\
\t\t-Mdir out/verilator -CFLAGS -O1 sim/tb.v $(SOURCES) > out/verilator/build.log

# Yosys; the cells it needs are in out/cells.json.
synth: out/cells.json
out/cells.json: $(SOURCES) $(FILLED) synth/synth.ys
\tmkdir -p out
\tcd rtl && yosys -q -l ../out/synth.log -s ../synth/synth.ys
{rules}
clean:
\trm -rf out
"""

_ROUTE = """
route: out/$(TOP).{written}
out/netlist.json: out/cells.json
# Pins that the constraints do not name are chosen freely: enough to see the clock, not to connect a board.
out/$(TOP).{written}: out/netlist.json constraints/$(TOP).{ending}
\t{router} {option} --package {package} --json out/netlist.json --{constraints} constraints/$(TOP).{ending} \\
\t\t{free} --freq {clock:g} --timing-allow-fail --report out/route.json --log out/route.log -q \\
\t\t--{written} $@

bitstream: out/$(TOP).{bitstream}
out/$(TOP).{bitstream}: out/$(TOP).{written}
\t{packer} $< $@
"""

_VIVADO_RULE = """
# Vivado: utilisation and timing in out/vivado/.
vivado: synth/build.tcl
\tmkdir -p out/vivado
\tvivado -mode batch -source synth/build.tcl -journal out/vivado/vivado.jou -log out/vivado/vivado.log
"""

_VIVADO = """\
# Vivado, run in the folder of the project: vivado -mode batch -source synth/build.tcl
set top {top}
file mkdir out/vivado
read_verilog [glob rtl/*.v]
read_mem [glob -nocomplain rtl/*.mem]
read_xdc constraints/$top.xdc
# Out of context: $top is a block of your design, its streams are no pins.
synth_design -top $top -part {part} -mode out_of_context
write_checkpoint -force out/vivado/synth.dcp
report_utilization -file out/vivado/synth_utilization.rpt
opt_design
place_design
route_design
write_checkpoint -force out/vivado/route.dcp
report_utilization -file out/vivado/route_utilization.rpt
report_timing_summary -file out/vivado/route_timing.rpt
"""

_XDC = """\
# {top} on {part}.
create_clock -name clk -period {period:.3f} [get_ports clk]
# Where the network is the whole design: one line like these for each port.
# set_property -dict {{ PACKAGE_PIN W5 IOSTANDARD LVCMOS33 }} [get_ports clk]
# set_property -dict {{ PACKAGE_PIN U18 IOSTANDARD LVCMOS33 }} [get_ports rst]
"""

_PCF = """\
# {top} on {part}, clock {clock:g} MHz (given to nextpnr with --freq).
# One line like these for each port; what is not named gets any pin.
# set_io clk J3
# set_io rst PIN
# set_io in_valid PIN
# set_io in_data[0] PIN
"""

_LPF = """\
# {top} on {part}.
FREQUENCY PORT "clk" {clock:g} MHZ;
# One pair of lines like these for each port; what is not named gets any pin.
# LOCATE COMP "clk" SITE "PIN";
# IOBUF PORT "clk" IO_TYPE=LVCMOS33;
"""

_CONSTRAINTS: Mapping[str, str] = {"xdc": _XDC, "pcf": _PCF, "lpf": _LPF}
_FREE = {"pcf": "--pcf-allow-unconstrained", "lpf": "--lpf-allow-unconstrained"}


def scripts(
    target: Target, device: Device | None, top: str, wrapper: str, samples: int, clock_mhz: float
) -> dict[str, str]:
    """The files that build and check the module `top`, its `wrapper` included: path in the project -> text."""
    texts = {"synth/synth.ys": _synthesis(target, top)}
    if device is not None:
        about = {"top": top, "part": device.part, "clock": clock_mhz, "period": 1000 / clock_mhz}
        texts[f"constraints/{top}.{target.constraints}"] = _CONSTRAINTS[target.constraints].format(**about)
    flow = _flow(target)
    rules, goals = flow(target, device, clock_mhz) if flow and device else ("", ())
    if target.constraints == "xdc" and device is not None:
        texts["synth/build.tcl"] = _VIVADO.format(top=top, part=device.part)
    texts["Makefile"] = _MAKEFILE.format(
        top=top,
        wrapper=wrapper,
        samples=samples,
        rules=rules,
        goals="".join(f", {g}" for g in goals),
        phony=" ".join(["", *goals]),
    )
    return texts


Rules = tuple[str, tuple[str, ...]]


def _flow(target: Target) -> Callable[[Target, Device, float], Rules] | None:
    return _routed if target.router else _vivado if target.constraints == "xdc" else None


def _vivado(target: Target, device: Device, clock_mhz: float) -> Rules:
    return _VIVADO_RULE, ("vivado",)


def _routed(target: Target, device: Device, clock_mhz: float) -> Rules:
    written, packer, bitstream = PACKERS[target.router]
    text = _ROUTE.format(
        router=target.router, option=device.option, package=device.package, ending=target.constraints,
        constraints=target.constraints, free=_FREE[target.constraints], clock=clock_mhz, written=written,
        packer=packer, bitstream=bitstream,
    )  # fmt: skip
    return text, ("route", "bitstream")


def _synthesis(target: Target, top: str) -> str:
    """The script of Yosys, run in the folder of the sources."""
    lines = ["# Run in the folder of the sources: yosys -s ../synth/synth.ys", "read_verilog *.v"]
    lines += [f"{target.synthesis} -top {top}", *target.after, "tee -q -o ../out/cells.json stat -json"]
    if target.router:
        lines.append("write_json ../out/netlist.json")
    return "\n".join(lines) + "\n"
