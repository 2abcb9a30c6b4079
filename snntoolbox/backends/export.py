"""Writes a spiking network in any of the forms that exporters know; the folder appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from snntoolbox.backends.checking import check_exporter
from snntoolbox.backends.legalize import legalized
from snntoolbox.backends.options import chosen_options
from snntoolbox.backends.protocol import Exported, Exporter, HasOptions
from snntoolbox.backends.registry import exporter_named, exporter_names
from snntoolbox.errors import BackendError
from snntoolbox.ir.arguments import checked
from snntoolbox.ir.files import RunFolder, holds_files
from snntoolbox.ir.merging import MARKER
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.samples import checked_arrays
from snntoolbox.ir.writing import OutputError


@checked
def export(
    network: SpikingNetwork,
    to: str | Exporter,
    folder: Path | str,
    samples: Array | Sequence[Array] | None = None,
    *,
    force: bool = False,
    **options: Any,
) -> Exported:
    """Write a network by the exporter called `to` into a folder, which appears when all is written, or not at all.

    `samples` are for exporters that lay a target out for its input, or write test vectors. With `force` an earlier
    export in the folder is replaced (other files in it stay), and what is too large for a target is written all the
    same. `options` are those of the exporter: for fpga see `deploy`.
    UnsupportedError lists every part that the exporter cannot write, and who can; OutputError says that the folder is
    not empty; BackendError that there is no such exporter or option.
    """
    exporter = exporter_named(to) if isinstance(to, str) else to
    if not isinstance(exporter, Exporter):
        raise BackendError(f"to = {to!r} is no exporter", hint=f"there are {', '.join(exporter_names())}")
    folder = Path(folder)
    options = checked_options(exporter, options, force=force)
    refuse_used(folder, force)
    arrays: tuple[Array, ...] = ()
    if samples is not None:
        shapes = {name: network.wiring.shapes[name] for name in network.encodings}
        arrays = checked_arrays(shapes, samples, network.encodings)
    network = legalized(network, exporter, arrays)
    check_exporter(exporter, network)
    target = RunFolder(folder)
    with target as temporary:
        exported = exporter.export(network, temporary, arrays, **options)
    return replace(exported, folder=folder if target.path == folder.resolve() else target.path)


def option_names(exporter: Exporter) -> frozenset[str]:
    """The options of an exporter."""
    return frozenset(f.name for f in fields(exporter.options)) if isinstance(exporter, HasOptions) else frozenset()


def checked_options(exporter: Exporter, options: Mapping[str, Any], *, force: bool = False) -> dict[str, Any]:
    """The options that `export` of this exporter is called with; BackendError where it cannot have them."""
    if not isinstance(exporter, HasOptions):
        if options:
            raise BackendError(f"backend '{exporter.name}' has no option {', '.join(options)}", hint="it has none")
        return {}
    known = {**({"force": force} if "force" in option_names(exporter) else {}), **options}
    chosen_options(exporter.name, exporter.options, known)
    return known


def refuse_used(folder: Path, force: bool) -> None:
    """OutputError where a folder has files in it, unless we wrote them and `force` replaces them; at once."""
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise OutputError(f"'{folder}' is a file, not a folder", hint="choose another output folder")
    used = holds_files(folder)
    if used and not force:
        hint = "choose another output folder; --force replaces what snntoolbox wrote there"
        raise OutputError(f"'{folder}' is not empty", hint=hint)
    if used and not (folder / MARKER).exists():
        reason = f"'{folder}' holds files that snntoolbox did not write, and is not replaced"
        raise OutputError(reason, hint="choose another output folder")
