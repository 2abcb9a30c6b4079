"""A comparison from settings to files: convert once as a run does, run on every simulator, write what was found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from snntoolbox.analysis.comparison.compare import backends_of, compare
from snntoolbox.analysis.comparison.comparison import Comparison
from snntoolbox.backends.checking import notes_of
from snntoolbox.backends.registry import backend_named
from snntoolbox.errors import ConfigError
from snntoolbox.ir.drawing import canvas
from snntoolbox.ir.files import RunFolder
from snntoolbox.ir.foreign import longer
from snntoolbox.ir.io import save
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.progress import bar
from snntoolbox.ir.writing import write_json, write_text
from snntoolbox.workflow.config.schema import SIMULATOR_ALIASES, Settings
from snntoolbox.workflow.config.template import config_text
from snntoolbox.workflow.journal import watching
from snntoolbox.workflow.models import check_folder
from snntoolbox.workflow.options import options_of, used_by
from snntoolbox.workflow.preparation import Prepared, prepare, resets_alone
from snntoolbox.workflow.report.comparison_picture import picture
from snntoolbox.workflow.report.html.compare_page import compare_page
from snntoolbox.workflow.report.html.page import write_page

COMPARED = "-compare"
"""Behind the name of a run's folder."""

_OF_A_RUN = ("simulator", "samples", "duration", "batch_size")
"""What the comparison itself says."""


def compare_settings(
    settings: Settings, simulators: Sequence[str], *, force: bool = False
) -> tuple[Comparison, Path]:
    """Convert as the settings say, run the test samples on each simulator; what was found and the folder it is in.

    The folder, beside that of a run, holds ``compare.json``, ``compare.png`` where matplotlib is installed, the
    network and the settings; all files appear at the end, or none does.
    """
    backends = backends_of([SIMULATOR_ALIASES.get(name, name) for name in simulators])
    settings = used_by(settings, [backend.name for backend in backends])
    resets_alone(settings, "a comparison")
    check_folder(settings.paths.path_wd)
    place = settings.paths.log_dir_of_current_run
    target = RunFolder(place.with_name(longer(place.name, COMPARED)), overwrite=settings.output.overwrite)
    with target as folder, watching(settings.output.verbose):
        prepared = prepare(settings, _any_network)
        if prepared.network is None:
            raise ConfigError("there is no spiking network to compare", hint="set convert = True")
        comparison = _compared(prepared, prepared.network, [b.name for b in backends], force)
        _write(prepared, prepared.network, comparison, folder, target.path)
    return comparison, target.path


def _any_network(network: SpikingNetwork) -> None:
    """Each simulator is asked when its turn comes: what one cannot run may run on others."""


def _compared(prepared: Prepared, network: SpikingNetwork, simulators: Sequence[str], force: bool) -> Comparison:
    test, simulation = prepared.inputs.test, prepared.settings.simulation
    classes = prepared.inputs.classifies and not test.regression
    options = {name: options_of(prepared.settings, name) for name in simulators}
    for name in simulators:
        for note in notes_of(backend_named(name), options[name]):
            prepared.journal.warn(note)
    with prepared.journal.timed("compare"), bar("Comparing", len(test) * len(simulators)) as advance:
        return compare(
            network,
            test.presented,
            simulators=simulators,
            duration=simulation.duration,
            labels=test.y if classes else None,
            predictions=prepared.parsed_classes,
            batch_size=simulation.batch_size,
            options=options,
            force=force,
            progress=lambda simulator, samples: advance(samples),
        )


def _write(
    prepared: Prepared, network: SpikingNetwork, comparison: Comparison, folder: Path, final: Path
) -> None:
    """The report, the network, the settings, the picture and the page, which says in which folder all will be."""
    report = {k: v for k, v in prepared.report.items() if v is not None and k not in _OF_A_RUN}
    write_json(folder / "compare.json", {**report, **comparison.as_dict()})
    save(network, folder / f"{Path(prepared.settings.paths.filename_snn).name}.npz")
    write_text(folder / "config.ini", config_text(prepared.settings))
    drawn = prepared.settings.output.plotproperties
    text = compare_page(comparison, prepared.report, prepared.settings, str(final / "config.ini"))
    write_page(folder / "report.html", text, prepared.journal.warn)
    canvas.save_if_possible(lambda: picture(comparison), folder / "compare.png", prepared.journal.warn, drawn)
