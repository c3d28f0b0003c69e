"""`ports.Emulator` on libghostty-vt, through pyghostty's raw binding.

The raw binding is used where the friendly one has no word for it: rendering state, the
encoders, and the options that keep a hostile program inside its pane. Nothing a program
prints can make this process open a file (kitty image media are off), answer with
the title or the clipboard, or reach the terminal the person sits at.

Known gap of 0.1.3: soft reset (DECSTR) does nothing.
"""

from __future__ import annotations

import re
import weakref
from typing import Any

from pyghostty import Terminal
from pyghostty._ffi import check, ffi, lib
from pyghostty.core import init_sized

from supervisor.ports import Cursor, Emulator, Run, Still
from supervisor.process import emulator_keys
from supervisor.process.emulator import clamp, clean_title
from supervisor.process.rows_ghostty import RowReader

SCROLLBACK_LINES = 10_000
# The engine's own default is 10,000 bytes, which is about ten lines.
SCROLLBACK_BYTES = 16 * 1024 * 1024
CONTINUATION_BYTES = 64 * 1024
APC_BYTES = 64 * 1024
CLIPBOARD_BYTES = 64 * 1024  # of a write that is asked about; terminals take little more

# What colour queries (OSC 10, 11) are answered: agents pick their palette by it.
FOREGROUND, BACKGROUND = (220, 220, 220), (16, 16, 24)
_CELL_WIDTH, _CELL_HEIGHT = 8, 16  # nominal pixels, for size reports and mouse positions

_BUTTONS = {1: 1, 2: 3, 3: 2, 4: 4, 5: 5, 6: 6, 7: 7}  # Textual's 2 is the middle one
_WHEEL = {4: "up", 5: "down"}
_WHEEL_LINES = 3
_LINK = b"]8;"  # begins a hyperlink's sequence
_KITTY_F3 = re.compile(rb"\x1b\[13;(\d+)~")

ffi.cdef(
    """
    typedef struct { GhosttyTerminalScrollViewportTag tag; uint64_t value[2]; }
      TaskpassScrollViewport;
    """
)


def _scroll_function() -> Any:
    # cffi cannot pass a union by value; a struct of the same layout has the same ABI.
    if ffi.sizeof("TaskpassScrollViewport") != ffi.sizeof("GhosttyTerminalScrollViewport"):
        raise RuntimeError("pyghostty's scroll structure is not the one this was written for")
    return ffi.cast(
        "void (*)(GhosttyTerminal, TaskpassScrollViewport)",
        ffi.addressof(lib, "ghostty_terminal_scroll_viewport"),
    )


_scroll_viewport = _scroll_function()


class GhosttyEmulator(Emulator):
    """One terminal. Single-threaded."""

    def __init__(self, cols: int, rows: int) -> None:
        self._cols, self._rows = clamp(cols, rows)
        self._terminal = Terminal(
            self._cols, self._rows, scrollback=SCROLLBACK_LINES, fg=FOREGROUND, bg=BACKGROUND
        )
        self._native = self._terminal._t[0]
        self._replies = bytearray()
        self._clipboard: str | None = None
        self._had_links = False  # rows are looked through for links once one has come
        self._before = b""  # the end of what was fed last
        self._configure()

        self._state = self._made("render_state")
        self._iterator = self._made("render_state_row_iterator")
        self._reader = RowReader(self._made("render_state_row_cells"))
        self._key_encoder = self._made("key_encoder")
        self._key_event = self._made("key_event")
        self._mouse_encoder = self._made("mouse_encoder")
        self._mouse_event = self._made("mouse_event")
        self._row_number = ffi.new("uint16_t*")
        self._out = ffi.new("char[]", 256)
        self._written = ffi.new("size_t*")

    def _made(self, kind: str) -> Any:
        """A native object of its own, freed with this emulator."""
        box = ffi.new(f"{_TYPES[kind]}*")
        check(getattr(lib, f"ghostty_{kind}_new")(ffi.NULL, box), kind)
        weakref.finalize(self, getattr(lib, f"ghostty_{kind}_free"), box[0])
        return box

    def _configure(self) -> None:
        def option(name: str, value: Any) -> None:
            number = getattr(lib, f"GHOSTTY_TERMINAL_OPT_{name}")
            check(lib.ghostty_terminal_set(self._native, number, value), name)

        option("SCROLLBACK_MAX_BYTES", ffi.new("size_t*", SCROLLBACK_BYTES))
        # Without it a state cannot be saved while a sequence is half read.
        option("CONTINUATION_MAX_BYTES", ffi.new("size_t*", CONTINUATION_BYTES))
        option("APC_MAX_BYTES", ffi.new("size_t*", APC_BYTES))
        option("KITTY_IMAGE_STORAGE_LIMIT", ffi.new("uint64_t*", 0))
        for medium in ("FILE", "TEMP_FILE", "SHARED_MEM"):  # each names a file for us to open
            option(f"KITTY_IMAGE_MEDIUM_{medium}", ffi.NULL)
        option("TITLE_REPORT", ffi.new("bool*", False))

        # The callbacks must not keep `self` alive, or the native memory would never go.
        me = weakref.ref(self)

        def reply(data: bytes) -> None:
            if (emulator := me()) is not None:
                emulator._replies += data

        self._terminal.on_reply(reply)

        def size(_terminal: Any, _user: Any, out: Any) -> bool:
            if (emulator := me()) is None:
                return False
            out.rows, out.columns = emulator._rows, emulator._cols
            out.cell_width, out.cell_height = _CELL_WIDTH, _CELL_HEIGHT
            return True

        def colour_scheme(_terminal: Any, _user: Any, out: Any) -> bool:
            out[0] = lib.GHOSTTY_COLOR_SCHEME_DARK
            return True

        def clipboard_write(_terminal: Any, _user: Any, write: Any) -> None:
            if (emulator := me()) is not None and write.contents_len:
                data = write.contents[0].data
                if data.len <= CLIPBOARD_BYTES:
                    text = ffi.buffer(data.ptr, data.len)[:] if data.len else b""
                    emulator._clipboard = text.decode("utf-8", "replace")

        # cffi frees a callback with its Python object: they live as long as the terminal.
        self._callbacks = {
            "SIZE": ffi.callback("GhosttyTerminalSizeFn", size),
            "COLOR_SCHEME": ffi.callback("GhosttyTerminalColorSchemeFn", colour_scheme),
            "CLIPBOARD_WRITE": ffi.callback("GhosttyTerminalClipboardWriteFn", clipboard_write),
        }
        for name, callback in self._callbacks.items():
            option(name, callback)
        # Widths by grapheme cluster, as the screen's own measuring has it; a default,
        # so that it outlives the agent's terminal reset.
        graphemes = ffi.new("GhosttyTerminalModeConfig*", {"mode": 2027, "value": True})
        option("MODE_DEFAULT", graphemes)
        option("MODE", graphemes)

    # ── Output of the agent ─────────────────────────────────────────────────────────────

    def feed(self, data: bytes) -> bytes:
        if not self._had_links:
            self._had_links = _LINK in self._before + data
            self._before = data[-len(_LINK) :]
        lib.ghostty_terminal_vt_write(self._native, data, len(data))
        if not self._replies:
            return b""
        replies = bytes(self._replies)
        self._replies.clear()
        return replies

    def resize(self, cols: int, rows: int) -> None:
        cols, rows = clamp(cols, rows)
        if (cols, rows) == (self._cols, self._rows):
            return
        self._cols, self._rows = cols, rows
        self._terminal.resize(cols, rows, _CELL_WIDTH, _CELL_HEIGHT)

    @property
    def size(self) -> tuple[int, int]:
        return self._cols, self._rows

    @property
    def title(self) -> str:
        title = self._terminal.get("title", "GhosttyString")
        raw = ffi.buffer(title.ptr, title.len)[:] if title.len else b""
        return clean_title(raw.decode("utf-8", "replace"))

    def cursor(self) -> Cursor:
        get = self._terminal.get
        return Cursor(
            min(get("cursor_x"), self._cols - 1),
            min(get("cursor_y"), self._rows - 1),
            bool(get("cursor_visible", "bool")),
        )

    @property
    def history(self) -> int:
        if self._alternate_screen():
            return 0
        return int(self._terminal.get("scrollback_rows", "size_t"))

    @property
    def wants_mouse(self) -> bool:
        return self.wants_buttons or self._wheel_is_arrows()

    @property
    def wants_buttons(self) -> bool:
        return bool(self._terminal.get("mouse_tracking", "bool"))

    @property
    def brackets_pastes(self) -> bool:
        return bool(self._terminal.mode(2004))

    @property
    def held(self) -> bool:
        return bool(self._terminal.mode(2026))

    def _alternate_screen(self) -> bool:
        screen = self._terminal.get("active_screen", "GhosttyTerminalScreen")
        return bool(screen == lib.GHOSTTY_TERMINAL_SCREEN_ALTERNATE)

    def _wheel_is_arrows(self) -> bool:
        """Full-screen programs without mouse get the wheel as arrows (DEC mode 1007)."""
        return self._alternate_screen() and bool(self._terminal.mode(1007))

    # ── Rows ────────────────────────────────────────────────────────────────────────────

    def _update(self) -> Any:
        """Bring the render state up to date; its row iterator, at the top."""
        state = self._state[0]
        check(lib.ghostty_render_state_update(state, self._native), "update")
        data = lib.GHOSTTY_RENDER_STATE_DATA_ROW_ITERATOR
        check(lib.ghostty_render_state_get(state, data, self._iterator), "rows")
        return self._iterator[0]

    def dirty(self) -> dict[int, tuple[Run, ...]]:
        iterator, number = self._update(), self._row_number
        following = lib.ghostty_render_state_row_iterator_next_dirty
        rows: dict[int, tuple[Run, ...]] = {}
        while following(iterator, number):
            rows[number[0]] = self._reader.read(iterator)
        check(lib.ghostty_render_state_clean(self._state[0]), "clean")
        return rows

    def _all_rows(self) -> list[tuple[Run, ...]]:
        iterator = self._update()
        following = lib.ghostty_render_state_row_iterator_next
        rows: list[tuple[Run, ...]] = []
        while following(iterator):
            rows.append(self._reader.read(iterator))
        return rows

    def snapshot(self) -> dict[int, tuple[Run, ...]]:
        return dict(enumerate(self._all_rows()))

    def links(self, y: int) -> tuple[tuple[int, int, str], ...]:
        if not self._had_links:
            return ()
        from supervisor.process.links_ghostty import links

        return links(self._terminal, y, self._cols)

    def take_clipboard(self) -> str | None:
        text, self._clipboard = self._clipboard, None
        return text

    def still(self) -> Still:
        from supervisor.process.still_ghostty import GhosttyStill

        return GhosttyStill(self)

    def _show(self, tag: int, row: int) -> None:
        behaviour = ffi.new("TaskpassScrollViewport*")
        behaviour.tag, behaviour.value[0] = tag, row
        _scroll_viewport(self._native, behaviour[0])

    # ── Input of the person ─────────────────────────────────────────────────────────────

    def key(self, key: str, text: str) -> bytes:
        press = emulator_keys.parse(key, text)
        encoder, event = self._key_encoder[0], self._key_event[0]
        name = press.name or "UNIDENTIFIED"
        utf8 = press.text.encode("utf-8", "replace")
        # `utf8` is borrowed by the event until it is encoded.
        borrowed = ffi.from_buffer("char[]", utf8) if utf8 else ffi.NULL
        shift = press.mods & emulator_keys.SHIFT if press.text.strip() else 0
        lib.ghostty_key_encoder_setopt_from_terminal(encoder, self._native)
        lib.ghostty_key_event_set_action(event, lib.GHOSTTY_KEY_ACTION_PRESS)
        lib.ghostty_key_event_set_key(event, getattr(lib, f"GHOSTTY_KEY_{name}"))
        lib.ghostty_key_event_set_mods(event, press.mods)
        lib.ghostty_key_event_set_consumed_mods(event, shift)
        lib.ghostty_key_event_set_utf8(event, borrowed, len(utf8))
        lib.ghostty_key_event_set_unshifted_codepoint(event, press.codepoint)
        if lib.ghostty_key_encoder_encode(encoder, event, self._out, len(self._out), self._written):
            return b""
        encoded = bytes(ffi.buffer(self._out, self._written[0])[:])
        if press.name == "F3" and not self._terminal.get("kitty_keyboard_flags", "uint8_t"):
            # The engine has kitty's code always; what terminfo's xterm says is `CSI 1;m R`.
            return _KITTY_F3.sub(b"\x1b[1;\\1R", encoded)
        return encoded

    def paste(self, text: str) -> bytes:
        data = text.encode("utf-8", "replace")
        source = ffi.new("char[]", data)  # the encoder blanks control characters in place
        out = ffi.new("char[]", len(data) + 32)
        check(
            lib.ghostty_paste_encode(
                source, len(data), self.brackets_pastes, out, len(out), self._written
            ),
            "paste",
        )  # fmt: skip
        return bytes(ffi.buffer(out, self._written[0])[:])

    def mouse(self, action: str, button: int, x: int, y: int, mods: int) -> bytes:
        if not self.wants_buttons:
            if action == "press" and button in _WHEEL and self._wheel_is_arrows():
                return self.key(_WHEEL[button], "") * _WHEEL_LINES
            return b""
        encoder, event = self._mouse_encoder[0], self._mouse_event[0]
        size = init_sized("GhosttyMouseEncoderSize")
        size.cell_width, size.cell_height = _CELL_WIDTH, _CELL_HEIGHT
        size.screen_width, size.screen_height = (
            self._cols * _CELL_WIDTH,
            self._rows * _CELL_HEIGHT,
        )
        held = ffi.new("bool*", button != 0 and action != "release")
        lib.ghostty_mouse_encoder_setopt_from_terminal(encoder, self._native)
        lib.ghostty_mouse_encoder_setopt(encoder, lib.GHOSTTY_MOUSE_ENCODER_OPT_SIZE, size)
        lib.ghostty_mouse_encoder_setopt(
            encoder, lib.GHOSTTY_MOUSE_ENCODER_OPT_ANY_BUTTON_PRESSED, held
        )
        lib.ghostty_mouse_event_set_action(event, _ACTIONS.get(action, 2))
        if button in _BUTTONS:
            lib.ghostty_mouse_event_set_button(event, _BUTTONS[button])
        else:
            lib.ghostty_mouse_event_clear_button(event)
        lib.ghostty_mouse_event_set_mods(event, mods & 0xF)
        position = ffi.new("GhosttyMousePosition*")
        position.x = (min(max(x, 0), self._cols - 1) + 0.5) * _CELL_WIDTH
        position.y = (min(max(y, 0), self._rows - 1) + 0.5) * _CELL_HEIGHT
        lib.ghostty_mouse_event_set_position(event, position[0])
        if lib.ghostty_mouse_encoder_encode(
            encoder, event, self._out, len(self._out), self._written
        ):
            return b""
        return bytes(ffi.buffer(self._out, self._written[0])[:])

    def focus(self, gained: bool) -> bytes:
        if not self._terminal.mode(1004):
            return b""
        return b"\x1b[I" if gained else b"\x1b[O"


_ACTIONS = {"press": 0, "release": 1, "move": 2}  # GhosttyMouseAction
_TYPES = {
    "render_state": "GhosttyRenderState",
    "render_state_row_iterator": "GhosttyRenderStateRowIterator",
    "render_state_row_cells": "GhosttyRenderStateRowCells",
    "key_encoder": "GhosttyKeyEncoder",
    "key_event": "GhosttyKeyEvent",
    "mouse_encoder": "GhosttyMouseEncoder",
    "mouse_event": "GhosttyMouseEvent",
}
