"""``snntoolbox deploy``: the network as a checked hardware project for an FPGA."""

from __future__ import annotations

import argparse
from pathlib import Path

from snntoolbox.ir.foreign import shown
from snntoolbox.workflow.commands.export import exit_code, print_checks
from snntoolbox.workflow.commands.outcome import Outcome
from snntoolbox.workflow.commands.shared_options import add_config, add_force, set_log_level

_OPTIONS = (
    *("target", "device", "clock_mhz", "watts", "lanes", "queue", "membrane_bits", "saturate"),
    *("sim_seconds", "synth_seconds"),
)
"""What is said behind the name as it is to the exporter."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The device, and how the hardware is built and checked."""
    add_config(parser, or_model=True)
    parser.add_argument("--target", required=True, metavar="NAME", help="artix7, ice40, ecp5 or generic")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="where to write")
    parser.add_argument("--device", default="", metavar="NAME", help="another device of the target than its first")
    parser.add_argument("--samples", type=int, default=3, metavar="N", help="test samples of the test bench (3)")
    parser.add_argument("--clock-mhz", type=float, default=0.0, metavar="MHZ", help="clock of the report")
    parser.add_argument("--watts", type=float, default=0.0, metavar="W", help="power, for an estimate of energy")
    parser.add_argument("--lanes", type=int, default=1, metavar="N", help="neurons that a layer updates at once (1)")
    parser.add_argument("--membrane-bits", type=int, default=0, metavar="N", help="refuse wider potentials")
    parser.add_argument("--saturate", action="store_true", help="clip potentials to --membrane-bits instead")
    parser.add_argument("--queue", type=int, default=4, metavar="N", help="words of each queue of spikes (4)")
    parser.add_argument("--sim-seconds", type=float, default=600, metavar="S", help="limit of each simulation (600)")
    parser.add_argument("--synth-seconds", type=float, default=600, metavar="S", help="limit of each synthesis step")
    add_force(parser, "replace an earlier deployment; write what does not fit")


def execute(options: argparse.Namespace) -> Outcome:
    """Exit code 0, or 1 if something that was checked failed; missing tools are told and are no failure."""
    from snntoolbox.backends.fpga.exporter import FpgaExporter
    from snntoolbox.workflow.stories.bare_model import export_model, is_bare
    from snntoolbox.workflow.stories.deploy import WithPage, deploy_settings
    from snntoolbox.workflow.stories.export import settings_for

    own = {**{name: getattr(options, name) for name in _OPTIONS}, "bench_samples": options.samples}
    own["force"] = options.force
    if is_bare(options.config):
        deployment = export_model(options.config, WithPage(), options.output, options.set, **own)
    else:
        settings = settings_for(FpgaExporter(), options.config, options.set)
        set_log_level(settings.output.verbose)
        deployment = deploy_settings(settings, options.output, **own)
    print_checks(deployment)
    print(f"Report: {shown(deployment.folder / 'report.md')}\nPage:   {shown(deployment.folder / 'report.html')}")
    return Outcome(deployment.report, exit_code(deployment))
