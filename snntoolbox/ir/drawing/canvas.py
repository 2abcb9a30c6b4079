"""The sheet that plots are drawn on: size, fonts, colours, saving. The one module that imports matplotlib, when used.

Figures of runs are made as objects, without pyplot: nothing touches matplotlib's global state or needs a display. What
is drawn from Python is known to pyplot, unless axes are given: notebooks show it.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snntoolbox.errors import SNNToolboxError
from snntoolbox.ir.foreign import shortened, shown
from snntoolbox.ir.node import Array
from snntoolbox.ir.writing import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito's colours, told apart with any colour vision; viridis is even in grey
BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#444444"
COLOURS = (BLUE, ORANGE, GREEN, PINK, "#56B4E9", "#E69F00", "#000000")

LEVEL_COLOURS = ("#FFFFFF", "#FFF1E0", "#FFE1BD", "#FFCD92", "#FDB46A", "#F79A45")
"""Of rates, from none to one spike in every step; the page has them too."""

_DPI = 130
"""Dots per inch, unless savefig.dpi is set."""

_NONE: Mapping[str, object] = {}

LONGEST = 60
"""Letters of a name that are drawn."""


def save(figure: Figure, path: Path | str, dpi: float | None = None) -> Path:
    """Write the figure as a file of the suffix's kind and return its path."""
    from matplotlib import rcParams

    path = Path(path)
    dpi = dpi or (_DPI if rcParams["savefig.dpi"] == "figure" else rcParams["savefig.dpi"])
    with replacing(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters that the font has not, names that leave no room for the axes
        figure.savefig(file, dpi=dpi, format=path.suffix[1:] or None)
    return path


def save_if_possible(
    draw: Callable[[], Figure | None], path: Path, warn: Callable[[str], None], properties: Mapping[str, object] = _NONE
) -> None:
    """Draw and write a figure, if there is one; what fails is told, as the numbers are there without it.

    The suffix of `path` gives way to the format that `properties`, settings of matplotlib, name.
    """
    path = path.with_suffix(f".{file_format(properties)}") if properties else path
    try:
        with styled(properties) if properties else nullcontext():
            figure = draw()
            if figure is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                save(figure, path)
    except Exception as error:
        warn(f"{path.name} could not be drawn: {_reason(error)}")


def _reason(error: Exception) -> str:
    """What failed, in one line, for whoever cannot mend it."""
    if isinstance(error, SNNToolboxError):
        return error.message
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {shortened(shown(str(error).split(chr(10))[0]))}"


def file_format(properties: Mapping[str, object]) -> str:
    """The format of the files, and their suffix: png unless savefig.format is set."""
    return str(properties.get("savefig.format", "png"))


def drawn_name(name: str, most: int = LONGEST) -> str:
    """The name of a layer or simulator as it is, for titles, legends and axes.

    Matplotlib would read what stands between two dollars as a formula, and leave out of a legend what begins with "_".
    """
    from matplotlib import rcParams

    name = shortened(shown(name), most) or " "
    if rcParams["text.usetex"]:
        return "".join(_TEX.get(c, f"\\{c}" if c in "$%&#_{}" else c) for c in name)
    return f"{' ' if name.startswith('_') else ''}{name}".replace("$", r"\$")


_TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "…": r"\ldots{}"}


def canvas(width: float, height: float, axes: Axes | None = None) -> tuple[Figure, Axes]:
    """A figure of this size in inches with one pair of axes; `axes` that are there, and their figure, instead."""
    axes = new_figure(width, height).add_subplot() if axes is None else axes
    tidy(axes)
    figure: Figure = axes.figure  # type: ignore[assignment]
    return figure, axes


@contextmanager
def known_to_pyplot() -> Iterator[None]:
    """Inside the block new figures are pyplot's, so that a notebook shows them at the end of a cell."""
    token = _PYPLOT.set(True)
    try:
        yield
    finally:
        _PYPLOT.reset(token)


_PYPLOT: ContextVar[bool] = ContextVar("figures are known to pyplot", default=False)


def drawn(draw: Callable[..., Figure], *values: object, axes: Axes | None, **named: object) -> Axes:
    """The axes of a picture for Python: those that are given, else of a figure that a notebook shows."""
    if axes is not None:
        draw(*values, **named, axes=axes)
    else:
        with known_to_pyplot():
            axes = draw(*values, **named).axes[0]
    axes.set_title(axes.get_title(loc="left"), fontsize=11)
    axes.set_title("", loc="left")  # in the middle, where a title of the user's replaces it
    return axes


def tidy(axes: Axes) -> None:
    """A light grid behind the data and no frame where there are no numbers."""
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches; SNNToolboxError without matplotlib."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as error:
        raise SNNToolboxError(
            "plots need matplotlib, which is not installed", hint="pip install 'snntoolbox[plots]'"
        ) from error
    engine = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
    if not _PYPLOT.get():
        return Figure(figsize=(width, height), layout=engine, facecolor="white")
    from matplotlib import pyplot

    figure: Figure = pyplot.figure(figsize=(width, height), layout=engine, facecolor="white")
    return figure


@contextmanager
def styled(properties: Mapping[str, object]) -> Iterator[None]:
    """Draw with these settings of matplotlib (rcParams) inside the block."""
    import matplotlib

    with matplotlib.rc_context(dict(properties)):
        yield


def check_properties(properties: Mapping[str, object]) -> None:
    """SNNToolboxError where matplotlib is missing or does not take these settings: told before any long work."""
    new_figure(1, 1)
    try:
        with styled(properties), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            figure, axes = canvas(3, 2)
            axes.plot([1, 2], [1, 2], label="a line")
            axes.legend()
            say(axes, "title", "x", "y")
            figure.savefig(io.BytesIO(), format=file_format(properties), dpi=20)
    except Exception as error:  # whatever a setting leads to: fonts, LaTeX, colours, sizes
        raise SNNToolboxError(
            f"[output] plotproperties: {shortened(shown(str(error).split(chr(10))[0]))}",
            hint="they are matplotlib's rcParams, such as {'font.size': 13}; text.usetex needs LaTeX",
        ) from error


def say(axes: Axes, title: str, x: str, y: str) -> None:
    """Set the title and the labels of both axes."""
    axes.set_title(title, fontsize=_size("axes.titlesize", 11), loc="left")
    axes.set_xlabel(x, fontsize=_size("axes.labelsize", 10))
    axes.set_ylabel(y, fontsize=_size("axes.labelsize", 10))
    axes.tick_params("x", labelsize=_size("xtick.labelsize", 9))
    axes.tick_params("y", labelsize=_size("ytick.labelsize", 9))


def _size(name: str, ours: int) -> Any:
    """The user's size of letters where one is set, else ours."""
    from matplotlib import rcParams, rcParamsDefault

    return ours if rcParams[name] == rcParamsDefault[name] else rcParams[name]


def box_patch(x: float, y: float, width: float, height: float, *, colour: str, edge: str, style: str = "-") -> Any:
    """A box with round corners, its upper left corner at x and y."""
    from matplotlib.patches import FancyBboxPatch

    shape = f"round,pad=0,rounding_size={0.1 * min(width, height)}"
    return FancyBboxPatch((x, y), width, height, shape, facecolor=colour, edgecolor=edge, linestyle=style, zorder=2)


def curve_patch(bends: Sequence[Sequence[tuple[float, float]]], colour: str) -> Any:
    """A line from a start through bends of three points each, as Bezier has them."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Line

    codes = [Line.MOVETO, *[Line.CURVE4] * 3 * (len(bends) - 1)]
    points = [point for bend in bends for point in bend]
    return PathPatch(Line(points, codes), facecolor="none", edgecolor=colour, linewidth=1.2, zorder=1)


def engineering_units(axes: Axes, *, across: bool = False) -> None:
    """10 M rather than 1e7, upwards or `across`."""
    from matplotlib.ticker import EngFormatter

    (axes.xaxis if across else axes.yaxis).set_major_formatter(EngFormatter(sep=" "))


def powers_of_two(axes: Axes) -> None:
    """A scale of powers of two across, as durations mostly are, with numbers as they are: 8 and not 2^3."""
    from matplotlib.ticker import FuncFormatter

    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, position: f"{value:g}"))


def times(steps: int, dt: float) -> Array:
    """The ends of the steps in ms."""
    return np.arange(1, steps + 1) * dt


def spread(size: int, most: int) -> Array:
    """At most this many indices, evenly spread."""
    return np.unique(np.linspace(0, size - 1, min(size, most)).round().astype(int)) if size else np.zeros(0, int)


def shades(number: int) -> Sequence[Any]:
    """That many colours told apart: distinct ones while they last, then a scale."""
    if number <= len(COLOURS):
        return COLOURS[:number]
    from matplotlib import colormaps

    return list(colormaps["viridis"](np.linspace(0, 0.92, number)))
