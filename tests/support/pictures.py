"""A screen as text to compare and to read: what stands where, and how it looks in each theme.

    pytest tests/e2e/test_screens_snapshots.py --snapshot-update

writes them anew; with `TASKPASS_PICTURES=folder` each is drawn there, too, as PNG to look at.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from itertools import pairwise
from pathlib import Path
from string import ascii_letters, digits
from typing import Any

import resvg_py
from rich.style import Style
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.app import App
from textual.strip import Strip

Frame = list[Strip]
_FONT = "DejaVu Sans Mono"
# What that font, or the renderer, lacks.
_FOR_PNG = {"Fira Code": _FONT, "monospace": _FONT, "font-size: 20px": "font-size: 21px",
            "⎿": "└", "⏵": "►"}  # fmt: skip


class ScreenText(SingleFileSnapshotExtension):
    """One text file a picture."""

    _write_mode = WriteMode.TEXT
    _file_extension = "txt"


def frame(app: App[Any]) -> Frame:
    """What is on the screen now."""
    return list(app.screen._compositor.render_strips())


def text_of(app: App[Any]) -> str:
    return "\n".join(strip.text for strip in frame(app))


@dataclass(frozen=True, slots=True)
class Looks:
    """The same screen in several themes: name → frame."""

    frames: dict[str, Frame]

    def __str__(self) -> str:
        """The text once; each row's runs, by letters; what a letter is in each theme."""
        texts = {name: _text(each) for name, each in self.frames.items()}
        first, *others = texts.values()
        for other in others:  # no theme changes what stands there
            assert other == first, "\n".join(unified_diff(first, other))
        legend: dict[tuple[str, ...], str] = {}
        runs = [
            _runs([each[row] for each in self.frames.values()], legend) for row in range(len(first))
        ]
        told = [
            f"{letter}  " + " | ".join(map(": ".join, zip(texts, key, strict=True)))
            for key, letter in legend.items()
        ]
        return "\n".join((*first, "─" * 20, *runs, "─" * 20, *told, ""))


def _text(rows: Frame) -> list[str]:
    return [strip.text.rstrip() for strip in rows]


_LETTERS = ascii_letters + "".join(chr(n) for n in range(0x3B1, 0x3CA))
assert not set(_LETTERS) & set(digits)


def _runs(strips: Sequence[Strip], legend: dict[tuple[str, ...], str]) -> str:
    """`12a3b`: twelve cells that look as `a` says, in each theme, then three."""
    cuts = sorted({cut for strip in strips for cut in _cuts(strip)})
    looks = [_by_cell(strip) for strip in strips]
    found: list[tuple[int, str]] = []
    for start, end in pairwise(cuts):
        key = tuple(look[start] for look in looks)
        letter = legend.setdefault(key, _LETTERS[len(legend)])
        if found and found[-1][1] == letter:
            found[-1] = (found[-1][0] + end - start, letter)
        else:
            found.append((end - start, letter))
    return "".join(f"{cells}{letter}" for cells, letter in found)


def _cuts(strip: Strip) -> list[int]:
    at = [0]
    for segment in strip:
        at.append(at[-1] + segment.cell_length)
    return at


def _by_cell(strip: Strip) -> list[str]:
    return [_look(segment.style) for segment in strip for _ in range(segment.cell_length)]


def _look(style: Style | None) -> str:
    """`bold #d5dde5 on #0f1318`; what is clicked does not show."""
    if style is None:
        return "none"
    return str(Style.from_color(style.color, style.bgcolor) + Style(
        bold=style.bold, dim=style.dim, italic=style.italic, underline=style.underline,
        reverse=style.reverse, strike=style.strike,
    ))  # fmt: skip


def draw(app: App[Any], name: str) -> None:
    """Keep a picture of the screen for somebody to look at, where that is asked for."""
    folder = os.environ.get("TASKPASS_PICTURES")
    if folder:
        svg = app.export_screenshot(title=name)
        for written, instead in _FOR_PNG.items():
            svg = svg.replace(written, instead)
        png = bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=0.8, font_family=_FONT))
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, f"{name}.png").write_bytes(png)
