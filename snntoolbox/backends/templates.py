"""Fills the templates of files that backends write."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined


def filled(package: str, template: str, **values: object) -> str:
    """The text of ``templates/<template>.j2`` of a package; a value that it names and does not get is an error."""
    return _templates(package).get_template(f"{template}.j2").render(values)


@cache
def _templates(package: str) -> Environment:
    # Lines that hold nothing but a condition leave no line.
    return Environment(
        loader=PackageLoader(package), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
