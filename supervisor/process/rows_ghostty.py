"""Rows of libghostty-vt's rendering state as runs of text in one style."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pyghostty._ffi import ffi, lib
from pyghostty.core import init_sized
from rich.cells import cell_len

from supervisor.ports import Run
from supervisor.process.emulator import BIDI_CONTROLS

_BOLD, _FAINT, _ITALIC, _UNDERLINE, _INVERSE, _STRIKE = 1, 2, 4, 8, 16, 32
_INVISIBLE = 64  # not in model.Run: invisible text is never sent, only its blanks
_MAX_GRAPHEME = 32  # code points of one cell that are kept

# A cell is a packed 64-bit integer (libghostty-vt page.zig): tag 0–1, content 2–25,
# style id 26–41, width 42–43.
_TAG, _CONTENT, _STYLE, _WIDE = 0, 2, 26, 42
_TAG_TEXT, _TAG_GRAPHEME, _TAG_PALETTE, _TAG_RGB = range(4)
_WIDE_NARROW, _WIDE_WIDE, _WIDE_TAIL = range(3)


@lru_cache(maxsize=8192)
def _style(raw: bytes) -> tuple[int, int, int]:
    """(fg, bg, attrs) of a GhosttyStyle given as its bytes."""
    style = ffi.from_buffer("GhosttyStyle*", raw)

    def colour(value: Any) -> int:
        if value.tag == lib.GHOSTTY_STYLE_COLOR_PALETTE:
            return int(value.value.palette)
        if value.tag == lib.GHOSTTY_STYLE_COLOR_RGB:
            rgb = value.value.rgb
            return 0x1000000 | int(rgb.r) << 16 | int(rgb.g) << 8 | int(rgb.b)
        return -1

    attrs = (
        _BOLD * style.bold
        | _FAINT * style.faint
        | _ITALIC * style.italic
        | _UNDERLINE * bool(style.underline)
        | _INVERSE * style.inverse
        | _STRIKE * style.strikethrough
        | _INVISIBLE * style.invisible
    )
    return colour(style.fg_color), colour(style.bg_color), int(attrs)


def _printable(codepoint: int) -> str:
    """A cell's character; blanks for controls, which must not reach any terminal."""
    if codepoint < 0x20 or 0x7F <= codepoint < 0xA0:
        return " "
    if 0xD800 <= codepoint < 0xE000:
        return "\ufffd"
    return chr(codepoint)


class RowReader:
    """Reads the rows of one terminal. `view`: the cells of the row that was read last."""

    def __init__(self, cells: Any) -> None:
        """`cells`: a box of `GhosttyRenderStateRowCells`, which stays the caller's."""
        self._cells = cells
        self.view = ffi.new("GhosttyCellsView*")
        self._cell_style = init_sized("GhosttyStyle")
        self._cell_style_bytes = ffi.buffer(self._cell_style, ffi.sizeof("GhosttyStyle"))
        self._grapheme = ffi.new("uint32_t[]", 256)
        self._grapheme_length = ffi.new("uint32_t*")

    def read(self, iterator: Any) -> tuple[Run, ...]:
        """The row the iterator stands on. Trailing plain blanks are left out."""
        lib.ghostty_render_state_row_get(
            iterator, lib.GHOSTTY_RENDER_STATE_ROW_DATA_CELLS_RAW, self.view
        )
        view = self.view
        cells: list[int] = (
            memoryview(ffi.buffer(view.ptr, view.len * 8)).cast("Q").tolist() if view.len else []
        )
        end = len(cells)
        while end and not cells[end - 1] & 0x3FFFFFFFFFF:  # no text, no colour, no style
            end -= 1
        if not end:
            return ()
        selected = False
        styles: dict[int, tuple[int, int, int]] = {0: (-1, -1, 0)}
        runs: list[Run] = []
        start = 0
        while start < end:
            cell = cells[start]
            tag = cell & 3
            key = cell & 0x3FFFFFFFFFF if tag >= _TAG_PALETTE else cell >> _STYLE & 0xFFFF
            stop = start + 1
            if tag >= _TAG_PALETTE:
                while stop < end and cells[stop] & 0x3FFFFFFFFFF == key:
                    stop += 1
                content = cell >> _CONTENT
                if tag == _TAG_PALETTE:
                    background = content & 0xFF
                else:  # packed r, g, b from the low byte up
                    background = (
                        0x1000000
                        | (content & 0xFF) << 16
                        | (content & 0xFF00)
                        | (content >> 16 & 0xFF)
                    )
                runs.append(Run(" " * (stop - start), -1, background, 0))
                start = stop
                continue
            while stop < end and (other := cells[stop]) & 3 < 2 and other >> _STYLE & 0xFFFF == key:
                stop += 1
            if not selected and (key or any(c & 3 == _TAG_GRAPHEME for c in cells[start:stop])):
                lib.ghostty_render_state_row_get(
                    iterator, lib.GHOSTTY_RENDER_STATE_ROW_DATA_CELLS, self._cells
                )
                selected = True
            style = styles.get(key)
            if style is None:
                style = styles[key] = self._style_at(start)
            text = self._text(cells, start, stop)
            fg, bg, attrs = style
            if attrs & _INVISIBLE:
                text, attrs = " " * cell_len(text), attrs & ~_INVISIBLE
            runs.append(Run(text, fg, bg, attrs))
            start = stop
        last = runs[-1]
        if last.bg == -1 and not last.attrs & (_UNDERLINE | _INVERSE | _STRIKE):
            runs[-1] = Run(last.text.rstrip(" "), last.fg, last.bg, last.attrs)
            if not runs[-1].text:
                runs.pop()
        return tuple(runs)

    def _style_at(self, x: int) -> tuple[int, int, int]:
        cells = self._cells[0]
        lib.ghostty_render_state_row_cells_select(cells, x)
        lib.ghostty_render_state_row_cells_get(
            cells, lib.GHOSTTY_RENDER_STATE_ROW_CELLS_DATA_STYLE, self._cell_style
        )
        return _style(bytes(self._cell_style_bytes))

    def _text(self, cells: list[int], start: int, stop: int) -> str:
        """Text of the cells [start, stop): exactly as wide as they are.

        The screen measures text by `rich.cells.cell_len` and lays the row out by that: where
        the two would disagree about a character, it is shown as U+FFFD.
        """
        pieces: list[str] = []
        width = 0
        for x in range(start, stop):
            cell = cells[x]
            wide = cell >> _WIDE & 3
            if wide == _WIDE_TAIL:
                continue
            width += 2 if wide == _WIDE_WIDE else 1
            codepoint = cell >> _CONTENT & 0x1FFFFF
            if cell & 3 == _TAG_GRAPHEME:
                pieces.append(self._grapheme_at(x, codepoint))
            elif 0x20 <= codepoint < 0x7F:
                pieces.append(chr(codepoint))
            else:
                pieces.append(_printable(codepoint))
        text = "".join(pieces)
        if text.isascii() or cell_len(text) == width:
            return text
        wides = (c >> _WIDE & 3 for c in cells[start:stop])
        widths = (2 if wide == _WIDE_WIDE else 1 for wide in wides if wide != _WIDE_TAIL)
        return "".join(
            piece if piece.isascii() or (cells_ == cell_len(piece) and len(piece) == 1)
            else "\ufffd" + " " * (cells_ - 1)
            for piece, cells_ in zip(pieces, widths, strict=True)
        )  # fmt: skip

    def _grapheme_at(self, x: int, codepoint: int) -> str:
        cells = self._cells[0]
        lib.ghostty_render_state_row_cells_select(cells, x)
        get = lib.ghostty_render_state_row_cells_get
        data = lib.GHOSTTY_RENDER_STATE_ROW_CELLS_DATA_GRAPHEMES_LEN
        if get(cells, data, self._grapheme_length):
            return _printable(codepoint)
        length = self._grapheme_length[0]
        if length > len(self._grapheme):
            self._grapheme = ffi.new("uint32_t[]", length)
        if get(cells, lib.GHOSTTY_RENDER_STATE_ROW_CELLS_DATA_GRAPHEMES_BUF, self._grapheme):
            return _printable(codepoint)
        points = (self._grapheme[n] for n in range(min(length, _MAX_GRAPHEME)))
        return "".join(c for c in map(_printable, points) if c not in BIDI_CONTROLS)
