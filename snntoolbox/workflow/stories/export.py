"""An export from settings to files: convert once as a run does, write by any exporter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

from snntoolbox.backends.checking import check_exporter
from snntoolbox.backends.export import checked_options, export, option_names, refuse_used
from snntoolbox.backends.legalize import legalized
from snntoolbox.backends.protocol import Exported, Exporter, HasOptions
from snntoolbox.errors import ConfigError
from snntoolbox.ir.features import FLOAT_WEIGHTS
from snntoolbox.workflow.choices import choices_for
from snntoolbox.workflow.config.load import load_config, model_settings
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.config.values import parse
from snntoolbox.workflow.journal import watching
from snntoolbox.workflow.models import check_folder, is_model
from snntoolbox.workflow.options import options_of, used_by
from snntoolbox.workflow.preparation import Prepared, prepare

WEIGHT_BITS = 8
"""Of an exporter that takes nothing but integer grids, unless the settings say otherwise."""


def export_settings(
    settings: Settings, exporter: Exporter, folder: Path, *, force: bool = False, **options: Any
) -> Exported:
    """Convert as the settings say and write into a folder; see `export` for what may be refused, before long work.

    Keys that are options of a simulator of this name are options of the exporter too, where it has them.
    """
    settings, known = used_by(settings, [exporter.name]), option_names(exporter)
    options = {**{n: v for n, v in options_of(settings, exporter.name).items() if n in known}, **options}
    return written(prepared_for(settings, exporter, folder, force, options), exporter, folder, force, options)


def exporter_options(exporter: Exporter, texts: Sequence[str]) -> dict[str, Any]:
    """Options of a command line, KEY=VALUE each, of the types that the exporter gives them; ConfigError."""
    kinds = get_type_hints(exporter.options) if isinstance(exporter, HasOptions) else {}
    options = {}
    for text in texts:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not sign:
            raise ConfigError(f"--option {text} has no value", hint=f"--option {text}=VALUE")
        try:
            options[name] = _value(value, kinds.get(name, str))
        except ValueError as expected:
            raise ConfigError(f"--option {name} = {value} is not {expected}") from None
    return options


def _value(text: str, kind: Any) -> Any:
    """The text as a value of a type, or of the first of several; of one that no setting has it stays a text."""
    if isinstance(kind, UnionType):
        kind = next(part for part in get_args(kind) if part is not NoneType)
    try:
        return parse(text, kind)
    except KeyError:
        return text


def settings_for(exporter: Exporter, config: Path, overrides: Sequence[str]) -> Settings:
    """The settings of a configuration or, by default, of a model file.

    Weights have 8 bits where the settings name none and the exporter needs some.
    """
    read = model_settings if is_model(config) else load_config
    settings = read(config, overrides)
    float_weights = FLOAT_WEIGHTS in exporter.capabilities.features
    if settings.conversion.weight_bits or not settings.tools.convert or float_weights:
        return settings
    return read(config, [*overrides, f"conversion.weight_bits={WEIGHT_BITS}"])


def prepared_for(
    settings: Settings, exporter: Exporter, folder: Path, force: bool, options: Mapping[str, Any]
) -> Prepared:
    """A run up to the spiking network, which is checked to be one that the exporter can write, and its options too."""
    checked_options(exporter, options, force=force)
    refuse_used(folder, force)
    check_folder(settings.paths.path_wd)
    with choices_for(exporter.capabilities):
        return prepare(settings, lambda network: check_exporter(exporter, legalized(network, exporter, ())))


def written(prepared: Prepared, exporter: Exporter, folder: Path, force: bool, options: Mapping[str, Any]) -> Exported:
    """The network written, with the test samples; an exporter with an option `duration` gets that of the settings."""
    if prepared.network is None:
        raise ConfigError("there is no spiking network to write", hint="set convert = True")
    duration = prepared.settings.simulation.duration
    known = {**({"duration": duration} if "duration" in option_names(exporter) else {}), **options}
    with watching(prepared.settings.output.verbose):
        return export(prepared.network, exporter, folder, prepared.inputs.test.presented, force=force, **known)
