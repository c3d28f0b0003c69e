"""Hyperlinks (OSC 8) in the rows of libghostty-vt's terminal."""

from __future__ import annotations

from typing import Any

from pyghostty import Terminal
from pyghostty._ffi import check, ffi, lib

_HYPERLINK = 1 << 45  # a cell's bit about it (libghostty-vt page.zig)
_MOST_TARGET = 2048  # bytes; a longer target is no link: what is not shown whole is not opened

Link = tuple[int, int, str]


def links(terminal: Terminal, y: int, cols: int) -> tuple[Link, ...]:
    """Of row `y` of the screen: first cell, cells, target."""
    row, has = ffi.new("GhosttyRow*"), ffi.new("bool*")
    check(lib.ghostty_grid_ref_row(terminal.ref(0, y), row), "row")
    check(lib.ghostty_row_get(row[0], lib.GHOSTTY_ROW_DATA_HYPERLINK, has), "links")
    if not has[0]:
        return ()
    found: list[Link] = []
    cell = ffi.new("GhosttyCell*")
    for x in range(cols):
        place = terminal.ref(x, y)
        check(lib.ghostty_grid_ref_cell(place, cell), "cell")
        target = _target(place) if cell[0] & _HYPERLINK else ""
        if not target:
            continue
        if found and found[-1][2] == target and sum(found[-1][:2]) == x:
            found[-1] = (found[-1][0], found[-1][1] + 1, target)
        else:
            found.append((x, 1, target))
    return tuple(found)


def _target(place: Any) -> str:
    out, length = ffi.new("uint8_t[]", _MOST_TARGET), ffi.new("size_t*")
    if lib.ghostty_grid_ref_hyperlink_uri(place, out, _MOST_TARGET, length):
        return ""
    return bytes(ffi.buffer(out, length[0])[:]).decode("utf-8", "replace")
