"""Names of sections and keys as users write them, in any case; and the nearest known ones to a name that is none."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from snntoolbox.workflow.config.raw_config import RawConfig
from snntoolbox.workflow.config.refusals import UNUSED_SECTIONS, refused
from snntoolbox.workflow.config.schema import keys, sections

Names = tuple[str, str]


def canonical(raw: RawConfig, *, last: bool = False) -> RawConfig:
    """The configuration with every known section and key by the name it has here.

    `configparser` writes keys in lower case: ``tau_syn_E`` as ``tau_syn_e``. One that comes twice is a problem, unless
    the `last` one counts.
    """
    known, texts, problems = _spellings(), {}, [*raw.problems]
    written: dict[Names, Names] = {}
    for (section, name), text in raw.texts.items():
        key = _known(known, section, name)
        if key in written and not last:
            problems.append(f"{section}.{name}: is set again, as {'.'.join(written[key])}")
        else:
            written[key], texts[key] = (section, name), text
    return RawConfig(texts, tuple(dict.fromkeys(known_section(s) for s in raw.sections)), tuple(problems))


def known_section(section: str) -> str:
    """The section as it is called here; the name as it is where there is none."""
    return {name.casefold(): name for name in known_sections()}.get(section.casefold(), section)


def known_key(section: str, name: str) -> str:
    """The key of a section as it is called here; the name as it is where there is none."""
    return _known(_spellings(), section, name)[1]


def known_sections() -> list[str]:
    """Those with keys that do something, and the others."""
    return list(dict.fromkeys([*sections(), *(row.section for row in refused().values()), *UNUSED_SECTIONS]))


def nearest_path(name: str) -> str:
    """``section.key`` of the key of ours that is called most like ``section.key`` or a bare name; "" where none is."""
    section, _, key = name.rpartition(".")
    named = [row for row in keys().values() if row.name.casefold() == key.casefold()]
    near = difflib.get_close_matches(name if section else f"simulation.{key}", keys(), n=1, cutoff=_NEAR)
    return named[0].path if named else "".join(near)


def nearest_key(section: str, name: str) -> str:
    """What to say of the key that was meant: of this section, or of another one where that is called more like it."""
    rows = {(row.section, row.name) for row in keys().values()}
    rows |= {(row.section, row.name) for row in refused().values()}
    elsewhere = sorted(other for other, known in rows if known.casefold() == name.casefold())
    if elsewhere:
        return f"; it belongs to [{elsewhere[0]}]"
    near = [(_likeness(name, known), other == section, other, known) for other, known in rows]
    likeness, own, other, known = max(near)
    if likeness < _NEAR:
        return ""
    return f"; did you mean {known if own else f'{other}.{known}'}?"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean NEAREST?", or nothing if no known name is near; capitals do not count."""
    folded = {item.lower(): item for item in reversed(list(known))}
    near = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=_NEAR)
    return f"; did you mean {folded[near[0]]}?" if near else ""


_NEAR = 0.6
"""Names less alike than this, as `difflib` counts, are no help."""


def _likeness(name: str, known: str) -> float:
    return difflib.SequenceMatcher(None, name.casefold(), known.casefold()).ratio()


def _spellings() -> dict[Names, Names]:
    """Every known key by its section and name in lower case, and by its other names."""
    rows = [(row.section, row.name) for row in refused().values()]
    known = {(section.casefold(), name.casefold()): (section, name) for section, name in rows}
    for row in keys().values():
        known.update({(row.section.casefold(), n.casefold()): (row.section, row.name) for n in (row.name, *row.also)})
    return known


def _known(known: dict[Names, Names], section: str, name: str) -> Names:
    return known.get((section.casefold(), name.casefold()), (known_section(section), name))
