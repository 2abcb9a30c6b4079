"""What is known of a deployment, and the report of it as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from snntoolbox.deployment.account import Account
from snntoolbox.deployment.checks import Measured
from snntoolbox.deployment.project import Project
from snntoolbox.deployment.saturation import Saturation


@dataclass(frozen=True, eq=False, kw_only=True)
class Facts:
    """All that is told of a deployment; `saturation` where potentials were allowed to saturate."""

    project: Project
    account: Account
    measured: Measured
    accuracy: Mapping[str, Any]
    saturation: Saturation | None = None


def report_data(facts: Facts) -> dict[str, Any]:
    """What ``report.json`` holds."""
    project, account, measured = facts.project, facts.account, facts.measured
    build, clocks = project.build, measured.clocks
    mean = None if clocks is None else sum(clocks) / len(clocks)
    return {
        "network": project.network.name,
        "top": project.top,
        "target": build.target.name,
        "device": None if build.device is None else asdict(build.device),
        "steps": project.steps,
        "weight_bits": None if project.network.grid is None else project.network.grid.weight_bits,
        "lanes": build.lanes,
        "queue": build.queue,
        "input_currents": dict(project.design.choices.currents),
        "clock_mhz": build.clock_mhz,
        "checks": [asdict(check) for check in measured.checks],
        "resources": None if measured.resources is None else asdict(measured.resources),
        "routed_mhz": measured.routed_mhz,
        "memory": {"bits": project.fit.bits, "blocks_at_least": project.fit.blocks, "in_luts": project.fit.small_bits},
        "clocks": clocks,
        "clocks_estimated": list(account.estimated),
        "microseconds": None if mean is None else mean / build.clock_mhz,
        "spikes": account.spikes,
        "synaptic_operations": account.operations,
        "layers": [asdict(layer) for layer in account.layers],
        "synapses": account.synapses,
        "dense_entries": account.dense,
        "weight_memory_bits": account.weight_memory,
        "saturation": None if facts.saturation is None else asdict(facts.saturation),
        "accuracy": dict(facts.accuracy),
    }
