"""Fills the templates of files that backends and reports write."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from snntoolbox.ir.foreign import shown_lines


def filled(package: str, template: str, **values: object) -> str:
    """The text of ``templates/<template>.j2`` of a package; a value that it names and does not get is an error.

    In a page (``.html``) all values are escaped, and what browsers would obey or hide is written out.
    """
    return _templates(package, template.endswith(".html")).get_template(f"{template}.j2").render(values)


@cache
def _templates(package: str, page: bool) -> Environment:
    # Lines that hold nothing but a condition leave no line.
    return Environment(
        loader=PackageLoader(package), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=page, finalize=_visible if page else None,
    )  # fmt: skip


def _visible(value: object) -> object:
    """A text in which no sign turns the order of letters around, or is none at all."""
    return shown_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value
