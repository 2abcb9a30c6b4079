"""What is set on the page: texts of keys, kept in a file of the folder, and what is wrong with them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from snntoolbox.backends.sanafe.chips import BUNDLED
from snntoolbox.errors import ConfigError, SNNToolboxError
from snntoolbox.ir.writing import write_text
from snntoolbox.workflow import demo
from snntoolbox.workflow.config.load import settings_in, texts_in
from snntoolbox.workflow.config.schema import Settings, keys
from snntoolbox.workflow.config.template import commented_text
from snntoolbox.workflow.config.values import unquoted
from snntoolbox.workflow.gui.folder import WorkFolder
from snntoolbox.workflow.gui.forms import problems_in

SETTINGS = "snntoolbox-gui.ini"
"""The file in the folder that the last settings are in, and that is run."""

DEMO = "snntoolbox-demo"
"""Where the demo is put."""

_MOST_EARLIER = 20
"""So many settings that were replaced are kept."""

_PATHS_OF_KEYS = ("conversion", "simulation", "cell", "normalization", "input")


@dataclass(frozen=True)
class Checked:
    """The settings, None where there are problems; and what was said of keys without effect."""

    settings: Settings | None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Session:
    """The texts of the keys that are set, in one folder; each change is kept in `SETTINGS` there.

    What is replaced as a whole is kept too, and comes back by `take_back`.
    """

    def __init__(self, folder: WorkFolder) -> None:
        self.folder = folder
        self.texts: dict[str, str] = {}
        self.restored = ""
        self._earlier: deque[dict[str, str]] = deque(maxlen=_MOST_EARLIER)

    @property
    def file(self) -> Path:
        """The file that is run."""
        return self.folder.inside(SETTINGS)

    def restore(self) -> None:
        """Take the last settings, as far as they can be read; `restored` says what became of them."""
        if not self.file.exists():
            return
        try:
            self.texts = _known(texts_in(self.file))
            self.restored = f"The last settings are back, from {SETTINGS}."
        except SNNToolboxError as error:
            self.restored = f"The last settings cannot be read: {error.message}"

    def set(self, path: str, text: str) -> None:
        """Set a key; an empty text leaves it at its default."""
        texts = {**self.texts, path: text.strip()}
        self._keep({p: t for p, t in texts.items() if t})

    def outside(self, path: str, text: str) -> str | None:
        """How a key's value would lead out of the folder, with the files that are set besides; None if it does not."""
        files = {p: t for p, t in self.texts.items() if p.split(".")[0] == "paths"}
        told = _problems({"paths.filename_ann": "model", **files, path: text}, self.folder)
        return next((line for line in told if line.startswith(f"{path}: ")), None)

    def set_inside(self, path: str, text: str) -> None:
        """Set a key; ConfigError, and nothing is set, where it leads out of the folder."""
        if told := self.outside(path, text):
            raise ConfigError(told)
        self.set(path, text)

    def load(self, name: str) -> None:
        """Take the settings of a configuration in the folder; ConfigError with all that is wrong with it."""
        path = self.folder.inside(name)
        texts = texts_in(path)
        work = Path(unquoted(texts.get("paths.path_wd", "")))
        texts["paths.path_wd"] = str(path.parent.relative_to(self.folder.path) / work)
        if unknown := _problems(texts, self.folder):
            raise ConfigError("\n".join([f"{name} is not taken:", *unknown]))
        self._replace(texts)

    def save(self, name: str) -> Path:
        """Write the settings as a configuration in the folder; ConfigError where another file is in the way."""
        path = self.folder.inside(name)
        if path.suffix != ".ini" or path.parent != self.folder.path:
            raise ConfigError("a configuration is called NAME.ini here")
        if path.exists():
            texts_in(path)  # nothing but a configuration is replaced
        write_text(path, commented_text(self.texts))
        return path

    def open_model(self, name: str) -> None:
        """Set the model; what was set about another one's folder goes."""
        path = self.folder.inside(name)
        texts = {p: t for p, t in self.texts.items() if p.split(".")[0] != "paths"}
        texts |= {"paths.filename_ann": path.name, "paths.path_wd": self.folder.name_of(path.parent)}
        self._replace(texts)

    def open_demo(self) -> None:
        """Put the demo into the folder, and take its settings."""
        file = demo.copy_to(self.folder.inside(DEMO))
        self.load(self.folder.name_of(file))

    @property
    def can_take_back(self) -> bool:
        """Whether settings were replaced."""
        return bool(self._earlier)

    def take_back(self) -> None:
        """Take the settings that were replaced last; those that are set now come back when it is done once more."""
        if self._earlier:
            before = self._earlier.pop()
            self._earlier.appendleft(self.texts)
            self._keep(before)

    def check(self) -> Checked:
        """What is wrong with all of it together."""
        if problems := _problems(self.texts, self.folder):
            return Checked(None, tuple(problems))
        settings = settings_in(self.texts, self.folder.path)
        return Checked(settings, notes=settings.without_effect)

    def choices(self) -> list[str]:
        """What is set besides files, as ``section.key=value``, for what looks at the model alone."""
        return [f"{p}={t}" for p, t in self.texts.items() if p.split(".")[0] in _PATHS_OF_KEYS and "%(" not in t]

    def keep(self) -> None:
        """Write what is set once more, in case that somebody has changed the file."""
        self._keep(self.texts)

    def _replace(self, texts: Mapping[str, str]) -> None:
        if self.texts and self.texts != texts:
            self._earlier.append(self.texts)
        self._keep(texts)

    def _keep(self, texts: Mapping[str, str]) -> None:
        self.texts = dict(texts)
        write_text(self.file, commented_text(self.texts))


def _known(texts: Mapping[str, str]) -> dict[str, str]:
    return {path: text for path, text in texts.items() if path in keys()}


def _problems(texts: Mapping[str, str], folder: WorkFolder) -> list[str]:
    """What is wrong with settings, files outside the folder included."""
    try:
        settings = settings_in(texts, folder.path)
    except ConfigError as error:
        return problems_in(error)
    outside: dict[Path, str] = {}
    for path, file in _files(settings):
        if any(file.is_relative_to(place) for place in outside):
            continue  # told with the folder that it lies in
        try:
            folder.inside(file)
        except ConfigError as error:
            outside[file] = f"{path}: {error.message}; {error.hint}"
    return list(outside.values())


def _files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Every file and folder that a run would read or write, by its key."""
    paths, work = settings.paths, settings.paths.path_wd
    for row in keys().values():
        value = row.value_in(settings)
        if isinstance(value, Path) and row.section == "paths":
            yield row.path, value
    for name in ("filename_ann", "filename_parsed_model", "filename_snn"):
        yield f"paths.{name}", work / getattr(paths, name)
    if settings.simulation.architecture not in BUNDLED:  # names of chips that SANA-FE brings
        yield "simulation.architecture", work / settings.simulation.architecture
