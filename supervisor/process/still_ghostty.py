"""A still of libghostty-vt's terminal: its saved state, read into a terminal of its own.

Saving and loading 10,000 lines takes some 10 ms; reading all their rows takes fifty times that,
and is done only as far as they are looked at.
"""

from __future__ import annotations

import weakref
from typing import Any

from pyghostty._ffi import check, ffi, lib

from supervisor.ports import Line, Still
from supervisor.process import emulator_ghostty

_WIDE, _SPACER_HEAD = 42, 3  # a cell's bits about its width (libghostty-vt page.zig)


class GhosttyStill(Still):
    """Independent of the terminal it was taken from."""

    def __init__(self, source: emulator_ghostty.GhosttyEmulator) -> None:
        self._copy = _Copy(source)
        self._above = self._copy.history  # the copy stands still: asked once

    @property
    def count(self) -> int:
        return self._above + self._copy.size[1]

    def lines(self, first: int, count: int) -> list[Line]:
        first, end = max(first, 0), min(first + count, self.count)
        found: list[Line] = []
        while first + len(found) < end:
            wanted = first + len(found)
            top = min(wanted, self._above)
            found += self._copy.window(top)[wanted - top : end - top]
        return found


class _Copy(emulator_ghostty.GhosttyEmulator):
    def __init__(self, source: emulator_ghostty.GhosttyEmulator) -> None:
        super().__init__(*source.size)
        saved = _saved(source._native)
        self._terminal._free()
        self._terminal._t = _loaded(saved)
        self._native = self._terminal._t[0]
        self._terminal._free = weakref.finalize(
            self._terminal, lib.ghostty_terminal_free, self._native
        )

    def window(self, top: int) -> list[Line]:
        """A screenful of rows, from row `top` of all."""
        self._show(lib.GHOSTTY_SCROLL_VIEWPORT_ROW, top)
        iterator = self._update()
        raw, wraps = ffi.new("GhosttyRow*"), ffi.new("bool*")
        found: list[Line] = []
        while lib.ghostty_render_state_row_iterator_next(iterator):
            data = lib.GHOSTTY_RENDER_STATE_ROW_DATA_RAW
            check(lib.ghostty_render_state_row_get(iterator, data, raw), "row")
            check(lib.ghostty_row_get(raw[0], lib.GHOSTTY_ROW_DATA_WRAP, wraps), "wrap")
            runs = self._reader.read(iterator)
            found.append(Line(runs, self._filled() if wraps[0] else 0))
        return found

    def _filled(self) -> int:
        """Cells of the row just read that hold something: a wide character may not have fitted."""
        cells, length = self._reader.view.ptr, self._reader.view.len
        return int(length - (cells[length - 1] >> _WIDE & 3 == _SPACER_HEAD))


def _saved(native: Any) -> Any:
    """A terminal's whole state, as a buffer of the engine's."""
    box, length = ffi.new("uint8_t**"), ffi.new("size_t*")
    check(lib.ghostty_snapshot_encode_alloc(native, ffi.NULL, box, length), "save")
    data, size = box[0], length[0]
    return ffi.gc(data, lambda _: lib.ghostty_free(ffi.NULL, data, size)), size


def _loaded(saved: Any) -> Any:
    data, size = saved
    decoder, terminal = ffi.new("GhosttySnapshotDecoder*"), ffi.new("GhosttyTerminal*")
    check(lib.ghostty_snapshot_decoder_new_buf(ffi.NULL, decoder, data, size), "decoder")
    try:
        check(lib.ghostty_snapshot_decoder_decode(decoder[0], terminal), "load")
    finally:
        lib.ghostty_snapshot_decoder_free(decoder[0])
    return terminal
