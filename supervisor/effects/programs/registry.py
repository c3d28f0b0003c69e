"""Readers: functions that read the words of a program which a table alone cannot describe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from supervisor.effects.reading import Word

if TYPE_CHECKING:
    from supervisor.effects.programs.invocation import Invocation

Reader = Callable[["Invocation", Sequence[Word]], None]

_READERS: dict[str, Reader] = {}


def reader(function: Reader) -> Reader:
    """Make `function` the reader that tables name by its name.

    It is given the invocation, whose effects it adds, and the words after the table's key
    (options that stood before a subcommand are in `invocation.given`).
    """
    name = function.__name__
    if name in _READERS and _READERS[name].__module__ != function.__module__:
        raise ValueError(f"two readers are called {name}")
    _READERS[name] = function
    return function


@cache
def load_readers() -> None:
    """Import every module of this package: each registers its readers."""
    package = import_module("supervisor.effects.programs")
    for module in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")


def find_reader(name: str) -> Reader | None:
    if name not in _READERS:
        load_readers()
    return _READERS.get(name)
