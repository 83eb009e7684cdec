"""Whether settings make sense: the checks beside their types, and what their models say of several together.

A model with settings that may contradict each other has a method `contradictions`, which yields an Unfit for each, with the
`setting` that it is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from settings.errors import Unfit
from settings.fields import Shape, settings_of
from settings.positions import Key


class HasContradictions(Protocol):
    """A model whose settings may contradict each other."""

    def contradictions(self) -> Iterable[Unfit]:
        """What cannot be together."""


def unfit_settings(settings: Any) -> Iterator[tuple[Key, Unfit]]:
    """Everything that makes no sense in a model and the tables in it, with the key of each."""
    found = [
        unfit
        for setting in settings_of(type(settings)).values()
        for unfit in _unfit(setting.shape, getattr(settings, setting.name), (setting.name,))
    ]
    yield from found or contradictions(settings)


def _unfit(shape: Shape, value: Any, key: Key) -> Iterator[tuple[Key, Unfit]]:
    if value is None:
        return
    yield from ((key, error) for error in unfit_value(shape, value))
    if shape.form == "table":
        yield from (((*key, *inner), error) for inner, error in unfit_settings(value))
    elif shape.item is not None:
        items: Iterable[tuple[int | str, Any]] = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, item in items:
            yield from _unfit(shape.item, item, (*key, name))


def unfit_value(shape: Shape, value: Any) -> Iterator[Unfit]:
    """What its checks say of one value: the first that it fails, since those after it rely on it."""
    for check in shape.checks:
        try:
            check(value)
        except Unfit as error:
            yield error
            return


def contradictions(settings: Any) -> Iterator[tuple[Key, Unfit]]:
    """What a model says of its own settings together."""
    if hasattr(settings, "contradictions"):
        model: HasContradictions = settings
        yield from ((error.key, error) for error in model.contradictions())


def changed_settings(before: Any, after: Any) -> list[str]:
    """Keys, dotted, of the settings in which two of one model differ; of a list or a table with names, that as a whole."""
    changed = []
    for name, setting in settings_of(type(before)).items():
        old, new = getattr(before, name), getattr(after, name)
        if setting.shape.form == "table" and type(old) is type(new) and old is not None:
            changed += [f"{name}.{key}" for key in changed_settings(old, new)]
        elif old != new:
            changed.append(name)
    return changed
