"""What programs print, and what a terminal of 40×10 makes of it (ECMA-48, DEC STD 070, xterm)."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

COLS, ROWS = 40, 10


@dataclass(frozen=True, slots=True)
class Case:
    """`rows`: the first ones, as text. `cursor`: column and row, from 0. `reply`: its start."""

    name: str
    printed: str | bytes
    rows: tuple[str, ...] = ()
    cursor: tuple[int, int] | None = None
    reply: bytes = b""

    @property
    def data(self) -> bytes:
        return self.printed if isinstance(self.printed, bytes) else self.printed.encode()


def _wide(name: str, grapheme: str) -> Case:
    return Case(name, grapheme + "x", (grapheme + "x",), (cell_len(grapheme) + 1, 0))


_ABC = "A\r\nB\r\nC"

CASES = (
    # Characters
    Case("wide", "日本", ("日本",), (4, 0)),
    Case("wide at the margin", "\x1b[1;40H日", ("", "日"), (2, 1)),
    Case("combining", "e\u0301x", ("e\u0301x",), (2, 0)),
    _wide("emoji", "🚀"),
    _wide("emoji presentation", "❤\ufe0f"),
    _wide("joined family", "👨\u200d👩\u200d👧"),
    _wide("flag", "🇫🇷"),
    _wide("skin tone", "👍🏽"),
    Case("half of a wide one overwritten", "日本\x1b[1;2HX", (" X本",)),
    Case("invalid UTF-8", b"a\xff\xfeb", ("a��b",), (4, 0)),
    Case("truncated UTF-8", b"\xe6\x97\x1b[5CX", ("�     X",)),
    Case("line drawing", "\x1b(0lqk\x1b(B", ("┌─┐",)),
    Case("repeated", "ab\x1b[3b", ("abbbb",)),
    # Wrapping
    Case("wrap is pending in the last column", "a" * 40 + "\r\nb", ("a" * 40, "b")),
    Case("wrap happens with the next character", "a" * 41, ("a" * 40, "a"), (1, 1)),
    Case("no wrap", "\x1b[?7l" + "a" * 39 + "bcd", ("a" * 39 + "d", "")),
    Case("reverse of a pending wrap", "a" * 40 + "\bX", ("a" * 38 + "Xa",)),
    # Screens
    Case("alternate screen 1049", "main\x1b[?1049hALT\x1b[?1049l", ("main",), (4, 0)),
    Case("alternate screen 1047", "main\x1b[?1047h\x1b[HALT\x1b[?1047l", ("main",)),
    Case("alternate screen 47", "main\x1b[?47h\x1b[HALT\x1b[?47l", ("main",)),
    Case("full reset", "abc\x1b[5;5H\x1b[?7l\x1bcx", ("x",), (1, 0)),
    # Margins and scrolling
    Case("scroll in margins", "A\r\nB\r\nC\r\nD\x1b[2;3r\x1b[3;1H\n", ("A", "C", "", "D")),
    Case("reverse index", "A\r\nB\r\nC\r\nD\x1b[2;3r\x1b[2;1H\x1bM", ("A", "", "B", "D")),
    Case("left and right margins", "\x1b[?69h\x1b[3;6s\x1b[1;3Habcdefgh", ("  abcd", "  efgh")),
    Case("up and down", _ABC + "\x1b[S\x1b[2T", ("", "", "B", "C")),
    Case("origin mode", "\x1b[3;5r\x1b[?6h\x1b[1;1HX", ("", "", "X")),
    Case("scrolled off", "\r\n".join(f"L{n}" for n in range(30)), ("L20", "L21")),
    Case("line feed keeps the column", "ab\ncd", ("ab", "  cd")),
    Case("next line and index", "ab\x1bEc\x1bDd", ("ab", "c", " d")),
    # Inserting and erasing
    Case("insert lines", _ABC + "\x1b[2;1H\x1b[L", ("A", "", "B", "C")),
    Case("delete lines", _ABC + "\x1b[2;1H\x1b[M", ("A", "C", "")),
    Case("insert characters", "abc\x1b[1;2H\x1b[2@", ("a  bc",)),
    Case("delete characters", "abcdef\x1b[1;2H\x1b[2P", ("adef",)),
    Case("erase characters", "abcdef\x1b[1;2H\x1b[2X", ("a  def",)),
    Case("insert mode", "abc\x1b[1;1H\x1b[4hX", ("Xabc",)),
    Case("erase to the left", "abcdef\x1b[1;3H\x1b[1K", ("   def",)),
    Case("erase to the right", "abcdef\x1b[4D\x1b[K", ("ab",), (2, 0)),
    Case("erase the line", "abcdef\x1b[2Kx", ("      x",)),
    Case("erase below", "abc\r\ndef\r\nghi\x1b[2;2H\x1b[J", ("abc", "d", "")),
    Case("erase above", "abc\r\ndef\r\nghi\x1b[2;2H\x1b[1J", ("", "  f", "ghi")),
    Case("erase all", "abc\x1b[2Jx", ("   x",)),
    Case("alignment pattern", "\x1b#8", ("E" * COLS,) * ROWS),
    # Moving
    Case("tabs", "a\tb", ("a       b",), (9, 0)),
    Case("tabs set and cleared", "\x1b[3g\x1b[1;5H\x1bH\x1b[1;1H\tx", ("    x",), (5, 0)),
    Case("back tab", "\x1b[1;20H\x1b[Zx", cursor=(17, 0)),
    Case("saved cursor", "abc\x1b7\x1b[5;5H\x1b8x", ("abcx",)),
    Case("saved cursor, SCO", "abc\x1b[s\x1b[5;5H\x1b[ux", ("abcx",)),
    Case("column and row", "\x1b[3d\x1b[7Gx", ("", "", "      x"), (7, 2)),
    Case("next and previous line", "abc\x1b[2Ex\x1b[1Fy", ("abc", "y", "x")),
    Case("numbers beyond the screen", "\x1b[99999;99999H", cursor=(COLS - 1, ROWS - 1)),
    Case("zero is one", "\x1b[0;0Hx", ("x",), (1, 0)),
    # What is not for the screen leaves no trace on it
    Case("modifyOtherKeys", "a\x1b[>4;2mb", ("ab",)),
    Case("query of modifyOtherKeys", "a\x1b[?4mb", ("ab",)),
    Case("kitty keyboard", "a\x1b[>1u\x1b[=5u\x1b[<ub", ("ab",)),
    Case("cursor shape", "a\x1b[5 qb", ("ab",)),
    Case("colons in colours", "\x1b[38:2::1:2:3mx\x1b[4:3my\x1b[58:2::9:9:9mz", ("xyz",)),
    Case("DCS", "a\x1bP+q544e\x1b\\b", ("ab",)),
    Case("APC", "a\x1b_hello\x1b\\b", ("ab",)),
    Case("PM and SOS", "a\x1b^pm\x1b\\b\x1bXsos\x1b\\c", ("abc",)),
    Case("titles", "a\x1b]0;t\x07b\x1b]2;u\x1b\\c", ("abc",)),
    Case("links", "\x1b]8;;http://x\x1b\\lnk\x1b]8;;\x1b\\", ("lnk",)),
    Case("clipboard", "a\x1b]52;c;aGk=\x07b", ("ab",)),
    Case("shell marks", "\x1b]133;A\x07a\x1b]133;C\x07b\x1b]7;file://h/\x07c", ("abc",)),
    Case("a prompt's mark begins a line", "a\x1b]133;A\x07b", ("a", "b")),
    Case("aborted", "a\x1b[12\x18b", ("ab",)),
    Case("controls within a sequence", "a\x1b[1\r;1Hb", ("b",)),
    Case("unknown final", "a\x1b[1;2yb", ("ab",)),
    # Answers
    Case("cursor position", "\x1b[3;4H\x1b[6n", reply=b"\x1b[3;4R"),
    Case("device attributes", "\x1b[c", reply=b"\x1b[?"),
    Case("secondary attributes", "\x1b[>c", reply=b"\x1b[>"),
    Case("status", "\x1b[5n", reply=b"\x1b[0n"),
    Case("name and version", "\x1b[>q", reply=b"\x1bP>|"),
    Case("synchronized output", "\x1b[?2026$p", reply=b"\x1b[?2026;2$y"),
    Case("kitty keyboard flags", "\x1b[?u", reply=b"\x1b[?0u"),
    Case("kitty keyboard pushed", "\x1b[>1u\x1b[?u", reply=b"\x1b[?1u"),
    Case("background", "\x1b]11;?\x07", reply=b"\x1b]11;rgb:"),
    Case("foreground", "\x1b]10;?\x07", reply=b"\x1b]10;rgb:"),
    Case("rendition", "\x1bP$qm\x1b\\", reply=b"\x1bP1$r"),
    Case("size in cells", "\x1b[18t", reply=b"\x1b[8;10;40t"),
)
