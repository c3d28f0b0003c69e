"""`ports.Emulator` on bittty, which is pure Python: where libghostty-vt has no wheel.

It is a hundred times slower and models whole DEC terminals: printers, macros, downloadable
keys, answerback, other page sizes. Of its operations only those named here exist, so that a
program cannot make it type, print, change its size, or answer with the title, the
clipboard or the screen.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from bittty import mode_profiles
from bittty.devices.board import Board
from bittty.devices.modes import MouseProtocol
from bittty.keyboard.keys import KeyEvent, KeyModifiers
from bittty.model import KITTY
from bittty.operations import Operation
from bittty.present import RowsScrolledOff, ScrollbackCleared
from bittty.style import Color, Style
from bittty.terminals.scrollback import MemoryScrollback, ScrollbackLine
from rich.cells import cell_len

from supervisor.ports import Cursor, Emulator, Run, Still
from supervisor.process import emulator_keys
from supervisor.process.emulator import BIDI_CONTROLS, clamp, clean_title

SCROLLBACK_CELLS = 2_000_000  # some 10,000 lines of 200
SEQUENCE_LENGTH = 64 * 1024  # characters of one sequence that are waited for
_MAX_GRAPHEME = 32  # code points of one cell that are kept

# What colour queries (OSC 10, 11) are answered: agents pick their palette by it.
_FOREGROUND, _BACKGROUND = "rgb:dcdc/dcdc/dcdc", "rgb:1010/1010/1818"

_BOLD, _FAINT, _ITALIC, _UNDERLINE, _INVERSE, _STRIKE = 1, 2, 4, 8, 16, 32

# fmt: off
_OPERATIONS = frozenset({
    # what is printed, and controls
    "PRINT", "C0_BS", "C0_CR", "C0_CRLF", "C0_FF", "C0_HT", "C0_LF", "C0_SI", "C0_SO", "C0_VT",
    "HTS", "IND", "NEL", "RI", "RIS", "DECSTR", "DECALN",
    # character sets
    "SCS_G0", "SCS_G1", "SCS_G2", "SCS_G3", "LS1R", "LS2", "LS2R", "LS3", "LS3R", "SS2", "SS3",
    # moving
    "CBT", "CHA", "CHT", "CNL", "CPL", "CUB", "CUD", "CUF", "CUP", "CUU", "DECBI", "DECFI",
    "HPA", "HPB", "HPR", "HVP", "VPA", "VPB", "VPR", "SAVE", "RESTORE", "TBC", "DECST8C",
    # erasing, inserting, scrolling
    "DCH", "DECDC", "DECIC", "DECSED", "DECSEL", "DL", "ECH", "ED", "EL", "ICH", "IL", "REP",
    "SD", "SL", "SR", "SU", "DECSLRM", "DECSTBM",
    # looks, titles
    "DECSCA", "DECSCUSR", "SGR", "SET_ICON_AND_WINDOW_TITLE", "SET_WINDOW_TITLE",
    # modes
    "DECKPAM", "DECKPNM", "DECRST", "DECSET", "RM", "SM", "XTRESTORE", "XTSAVE",
    "KITTY_POP", "KITTY_PUSH", "KITTY_QUERY", "KITTY_SET", "XTMODKEYS",
    # queries whose answers hold numbers only
    "CPR", "DA1", "DA2", "DECRQM", "DSR", "XTVERSION",
})
# fmt: on
_MODES = (
    mode_profiles.KITTY_MODE_CAPABILITIES - {mode_profiles.KITTY_COLUMN_MODE}  # changes the size
    | {mode_profiles.XTERM_ALTERNATE_SCROLL, mode_profiles.XTERM_REVERSE_WRAP}
    | {mode_profiles.DEC_LEFT_RIGHT_MARGINS, mode_profiles.UNICODE_GRAPHEME_CLUSTERING}
)

_MODEL = replace(
    KITTY,
    name="taskpass",
    da1_response="\x1b[?62;22c",  # without the clipboard (52)
    mode_capabilities=_MODES,
    power_on_modes=KITTY.power_on_modes | {1007},  # the wheel as arrows
)

_MOUSE_MODIFIERS = {
    emulator_keys.SHIFT: "shift",
    emulator_keys.ALT: "meta",
    emulator_keys.CTRL: "ctrl",
}
_KEY_MODIFIERS = {
    emulator_keys.SHIFT: KeyModifiers.SHIFT,
    emulator_keys.ALT: KeyModifiers.ALT,
    emulator_keys.CTRL: KeyModifiers.CTRL,
    emulator_keys.SUPER: KeyModifiers.SUPER,
}
_BUTTONS = {1: 0, 2: 1, 3: 2, 4: 64, 5: 65, 6: 66, 7: 67}  # ours → xterm's
_MOVED = 3  # xterm's button of a move with none held
_WHEEL = {4: "up", 5: "down"}
_WHEEL_LINES = 3
_REPORTED = ("m", "r", "s", " q")  # settings that DECRQSS may ask for; others would be echoed


Cells = tuple[tuple[Style, str], ...]  # "" is the right half of a wide one


class _Line:
    """The cable to the agent: keeps what is sent until it is taken."""

    closed = False

    def __init__(self) -> None:
        self._sent = bytearray()

    def write(self, data: str) -> int:
        self._sent += data.encode("utf-8", "replace")
        return len(data)

    def write_bytes(self, data: bytes) -> int:
        self._sent += data
        return len(data)

    def flush(self) -> None:
        pass

    def resize(self, rows: int, cols: int) -> None:
        pass

    def taken(self) -> bytes:
        sent = bytes(self._sent)
        self._sent.clear()
        return sent


class _History:
    """The board's display: all it is shown is what leaves the screen at the top."""

    keeps_scrollback = True

    def __init__(self) -> None:
        self.lines = MemoryScrollback(SCROLLBACK_CELLS)

    def present(self, event: object) -> None:
        if isinstance(event, RowsScrolledOff):
            for line in event.lines:
                row = ScrollbackLine.of(line.cells, not line.wrapped, line.attribute)
                self.lines.append(row, line.wrapped)
        elif isinstance(event, ScrollbackCleared):
            self.lines.clear()


class BitttyEmulator(Emulator):
    """One terminal. Single-threaded."""

    def __init__(self, cols: int, rows: int) -> None:
        cols, rows = clamp(cols, rows)
        self._board = Board(width=cols, height=rows, model=_MODEL)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line, self._history = _Line(), _History()
        self._board.host.attach(self._line)
        self._board.display.attach(self._history)
        self._board.title.title = ""
        # Widths by grapheme cluster, as the screen's own measuring has it.
        self._board.modes.set_grapheme_capability("permanently-set")
        self._restrict()
        # What `dirty` has told: the page, its size, and the page's clock then.
        self._told: tuple[object, tuple[int, int], int] = (None, (0, 0), 0)

    def _restrict(self) -> None:
        registry = self._board.registry
        rendition = registry["DECRQSS"]
        for name in registry.keys() - _OPERATIONS:
            del registry[name]

        def setting(operation: Operation) -> None:
            if operation.args[0] in _REPORTED:
                rendition(operation)

        def window(operation: Operation) -> None:
            if operation.args[0][:1] == (18,):
                cols, rows = self.size
                self._line.write(f"\x1b[8;{rows};{cols}t")

        def colour(number: int, value: str) -> Any:
            def report(operation: Operation) -> None:
                if operation.args[0] == "?":
                    self._line.write(f"\x1b]{number};{value}\x1b\\")

            return report

        def mark(operation: Operation) -> None:
            if operation.args[0].startswith("A") and self._board.cursor.x:
                self._board.control.carriage_return_line_feed()

        registry["DECRQSS"] = setting
        registry["OSC_SHELL_MARK"] = mark
        registry["XTWINOPS"] = window
        registry["OSC_FOREGROUND"] = colour(10, _FOREGROUND)
        registry["OSC_BACKGROUND"] = colour(11, _BACKGROUND)

    # ── Output of the agent ─────────────────────────────────────────────────────────────

    def feed(self, data: bytes) -> bytes:
        parser = self._board.parser
        parser.feed(self._decoder.decode(data))
        if len(parser.buffer) > SEQUENCE_LENGTH:  # a string that never ends
            parser.reset()
        return self._line.taken()

    def resize(self, cols: int, rows: int) -> None:
        cols, rows = clamp(cols, rows)
        if (cols, rows) != self.size:
            self._board.resize(cols, rows)

    @property
    def size(self) -> tuple[int, int]:
        return self._board.width, self._board.height

    @property
    def title(self) -> str:
        return clean_title(self._board.title.title)

    def cursor(self) -> Cursor:
        cursor = self._board.cursor
        return Cursor(cursor.display_x, cursor.y, bool(self._board.modes.cursor_visible))

    @property
    def history(self) -> int:
        if self._board.blitter.in_alt_screen:
            return 0
        return len(self._history.lines.width(self._board.width))

    @property
    def wants_buttons(self) -> bool:
        return self._board.mouse.protocol is not MouseProtocol.OFF

    @property
    def brackets_pastes(self) -> bool:
        return bool(self._board.modes.bracketed_paste)

    @property
    def wants_mouse(self) -> bool:
        if self.wants_buttons:
            return True
        return bool(self._board.modes.alternate_scroll_mode) and self._board.blitter.in_alt_screen

    @property
    def held(self) -> bool:
        return bool(self._board.modes.synchronized_output)

    # ── Rows ────────────────────────────────────────────────────────────────────────────

    def dirty(self) -> dict[int, tuple[Run, ...]]:
        page = self._board.display.page
        told, size, clock = self._told
        same = told is page and size == self.size
        changed: Iterable[int] = page.dirty_rows(clock) if same else range(page.height)
        rows = {y: runs_of(page.grid[y]) for y in changed}
        self._told = (page, self.size, page.observe())
        return rows

    def snapshot(self) -> dict[int, tuple[Run, ...]]:
        return {y: runs_of(cells) for y, cells in enumerate(self._board.display.page.grid)}

    def still(self) -> Still:
        from supervisor.process.still_bittty import still

        return still(self._board, self._history.lines, self.history)

    # ── Input of the person ─────────────────────────────────────────────────────────────

    def key(self, key: str, text: str) -> bytes:
        press = emulator_keys.parse(key, text)
        modifiers = KeyModifiers.NONE
        for ours, theirs in _KEY_MODIFIERS.items():
            if press.mods & ours:
                modifiers |= theirs
        name = chr(press.codepoint) if press.codepoint else _NAMES.get(press.name, "")
        typed = press.text.encode("utf-8", "replace").decode()
        typed = typed if typed.isprintable() else ""
        if not name.isprintable() or not name:
            self._line.write(typed)
        else:
            plain = typed if typed and not press.mods & ~emulator_keys.SHIFT else None
            self._board.input_key_event(KeyEvent(name, modifiers, text=plain))
        return self._line.taken()

    def paste(self, text: str) -> bytes:
        # No control character but these gets through: one could end the bracket.
        clean = "".join(c if c in "\t\n\r" or c.isprintable() else " " for c in text)
        if self.brackets_pastes:
            return b"\x1b[200~" + clean.encode("utf-8", "replace") + b"\x1b[201~"
        return clean.replace("\r\n", "\r").replace("\n", "\r").encode("utf-8", "replace")

    def mouse(self, action: str, button: int, x: int, y: int, mods: int) -> bytes:
        cols, rows = self.size
        held = {name for bit, name in _MOUSE_MODIFIERS.items() if mods & bit}
        if not self.wants_buttons:
            turned = self.wants_mouse and action == "press"
            return (
                self.key(_WHEEL[button], "") * _WHEEL_LINES if turned and button in _WHEEL else b""
            )
        self._board.input_mouse(
            min(max(x, 0), cols - 1) + 1, min(max(y, 0), rows - 1) + 1,
            _BUTTONS.get(button, _MOVED), action, held,
        )  # fmt: skip
        return self._line.taken()

    def focus(self, gained: bool) -> bytes:
        if not self._board.modes.focus_reporting:
            return b""
        return b"\x1b[I" if gained else b"\x1b[O"


_NAMES = {
    **{upper: lower for lower, upper in emulator_keys.NAMED_KEYS.items()},
    "PAGE_UP": "page_up",
    "PAGE_DOWN": "page_down",
}


def runs_of(cells: Iterable[tuple[Style, str]]) -> tuple[Run, ...]:
    """A row of the board's cells. Trailing plain blanks are left out."""
    runs: list[Run] = []
    for style, text in _stretches(cells):
        fg, bg, attrs = _colour(style.fg), _colour(style.bg), _attributes(style)
        if style.conceal:
            text = " " * cell_len(text)
        runs.append(Run(text, fg, bg, attrs))
    while runs and runs[-1].bg == -1 and not runs[-1].attrs & (_UNDERLINE | _INVERSE | _STRIKE):
        last = runs.pop()
        if kept := last.text.rstrip(" "):
            runs.append(Run(kept, last.fg, last.bg, last.attrs))
            break
    return tuple(runs)


def _stretches(cells: Iterable[tuple[Style, str]]) -> Iterator[tuple[Style, str]]:
    """Neighbours of one style, as text that is exactly as wide as they are."""
    style: Style | None = None
    pieces: list[str] = []
    row = list(cells)
    for x, (own, character) in enumerate(row):
        if not character:  # the right half of a wide one
            continue
        if style is not None and own != style:
            yield style, "".join(pieces)
            pieces = []
        style = own
        wide = x + 1 < len(row) and not row[x + 1][1]
        pieces.append(_shown(character, 2 if wide else 1))
    if style is not None:
        yield style, "".join(pieces)


def _shown(character: str, width: int) -> str:
    """What is sent of a cell: no controls, and U+FFFD where the screen would measure otherwise."""
    if character.isascii() and character.isprintable() and len(character) == width == 1:
        return character
    points = character[:_MAX_GRAPHEME]
    if any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in points):
        return " " * width
    clean = "".join(c for c in points if c not in BIDI_CONTROLS)
    return clean if cell_len(clean) == width else "\ufffd" + " " * (width - 1)


def _colour(colour: Color | None) -> int:
    if colour is None or colour.mode == "default":
        return -1
    if colour.mode == "indexed":
        return int(colour.value)
    red, green, blue = colour.value
    return 0x1000000 | int(red) << 16 | int(green) << 8 | int(blue)


def _attributes(style: Style) -> int:
    attrs: int = (
        _BOLD * bool(style.bold)
        | _FAINT * bool(style.dim)
        | _ITALIC * bool(style.italic)
        | _UNDERLINE * bool(style.underline)
        | _INVERSE * bool(style.reverse)
        | _STRIKE * bool(style.strike)
    )
    return attrs
