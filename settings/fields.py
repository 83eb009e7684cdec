"""What a model says of its settings: their shape, their default, and the docstring behind each.

A model is a frozen dataclass. Its fields are text, numbers, paths, choices (`Literal`), other models, lists (`tuple[T,
...]`) and tables with names that the administrator chooses (`Mapping[str, T]`, `[targets.NAME]`); each may be `… | None`,
which `""` sets. A field of type `object` takes whatever stands there, for its check to judge. A union of models is told
apart by `kind`, a `Literal` in each of them. What else a value must be stands beside its type: `Annotated[int,
Bounds(least=1)]` (see `settings.checks`).
"""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from settings.checks import Bounds, Check, no_controls, several_lines

T = TypeVar("T")

TAG = "kind"
"""The setting that says which model of a union is meant."""

_SECRET, _IN_FILE = object(), object()

SecretFile = Annotated[Path, _SECRET]
"""A path to a file with a secret; a text is read with `read_secret`. What stands there instead is in no error."""
InFile = Annotated[T, _IN_FILE]
"""`InFile[Model]`: a path to another TOML file that is read into the model, its problems among those of the first."""

Lines = Annotated[str, several_lines]
"""A text that may have several lines: PEM, JSON."""

Form = Literal["table", "list", "mapping", "choice", "scalar", "any"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a setting takes."""

    form: Form
    optional: bool = False
    """Whether `""` means that it is not set."""
    models: tuple[type[Any], ...] = ()
    """Of a table: its model, or those among which `kind` chooses."""
    in_file: bool = False
    """Of a table: whether a path to it stands here."""
    item: Shape | None = None
    """Of a list or a mapping."""
    choices: tuple[object, ...] = ()
    """Of a choice."""
    scalar: type[Any] = str
    """Of a scalar: str, bool, int, float or Path."""
    secret: bool = False
    """Of a path: whether a secret lies there."""
    checks: tuple[Check, ...] = ()
    """What else it must be; each raises Unfit."""

    @property
    def by_kind(self) -> dict[object, type[Any]]:
        """Of a table of several models: the model of each kind."""
        return {kind: model for model in self.models for kind in settings_of(model)[TAG].shape.choices}

    @property
    def table(self) -> Shape | None:
        """The tables in it, where it is or holds any."""
        return self if self.form == "table" else self.item.table if self.item else None


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a model."""

    name: str
    shape: Shape
    required: bool
    default: object
    """None where there is none."""


def settings_of(model: type[Any]) -> Mapping[str, Setting]:
    """The settings of a model by name, in order. Raises TypeError for a field that no file can say."""
    return _settings_of(typing.cast(Any, model))


@functools.cache
def _settings_of(model: Any) -> Mapping[str, Setting]:
    hints = typing.get_type_hints(model, include_extras=True)
    found = {field.name: Setting(field.name, _shape(hints[field.name]), *_default_of(field)) for field in fields(model)}
    return types.MappingProxyType(found)


def _default_of(field: Field[Any]) -> tuple[bool, object]:
    """Whether a setting is required, and its default."""
    if field.default_factory is not MISSING:
        return False, field.default_factory()
    return (True, None) if field.default is MISSING else (False, field.default)


_CHECKS: dict[Any, tuple[Check, ...]] = {int: (Bounds(),), float: (Bounds(),), str: (no_controls,), Path: (no_controls,)}
"""What every scalar of a type is asked."""


def _shape(hint: Any) -> Shape:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        inner = _shape(arguments[0])
        checks = tuple(check for check in arguments[1:] if callable(check))
        replaced = any(isinstance(check, Bounds) or check is several_lines for check in checks)
        kept = () if replaced else inner.checks  # bounds of its own replace those that every number has
        secret, in_file = _SECRET in arguments or inner.secret, _IN_FILE in arguments or inner.in_file
        return replace(inner, checks=(*kept, *checks), secret=secret, in_file=in_file)
    if origin in {types.UnionType, typing.Union}:
        return _union(arguments)
    if is_dataclass(hint) and isinstance(hint, type):
        return Shape("table", models=(hint,))
    if origin is tuple and arguments[1:] == (...,):
        return Shape("list", item=_shape(arguments[0]))
    if origin is Mapping and arguments[0] is str:
        return Shape("mapping", item=_shape(arguments[1]))
    if origin is Literal:
        return Shape("choice", choices=arguments)
    if hint is object:
        return Shape("any")
    if hint in {str, bool, int, float, Path}:
        return Shape("scalar", scalar=hint, checks=_CHECKS.get(hint, ()))
    raise TypeError(f"no setting can be {hint}")


def _union(arguments: tuple[Any, ...]) -> Shape:
    shapes = [_shape(argument) for argument in arguments if argument is not types.NoneType]
    optional = len(shapes) < len(arguments)
    if len(shapes) == 1:
        return replace(shapes[0], optional=optional)
    if all(shape.form == "choice" for shape in shapes):
        return Shape("choice", optional=optional, choices=tuple(choice for shape in shapes for choice in shape.choices))
    models = tuple(model for shape in shapes for model in shape.models)
    kinds = [settings_of(model)[TAG].shape.choices if TAG in settings_of(model) else () for model in models]
    every = [kind for choices in kinds for kind in choices]
    if len(models) < len(shapes) or () in kinds or len(set(every)) < len(every):
        raise TypeError(f"no {TAG} tells these apart: {arguments}")
    return Shape("table", optional=optional, models=models)


def docs_of(model: type[Any]) -> dict[str, str]:
    """The docstring behind each field of a model, those of its bases among them."""
    docs = {name: text for base in reversed(model.__mro__[1:-1]) for name, text in docs_of(base).items()}
    tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    body = typing.cast(ast.ClassDef, tree.body[0]).body
    for field, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(after, ast.Expr):
            docs[field.target.id] = inspect.cleandoc(str(typing.cast(ast.Constant, after.value).value))
    return docs
