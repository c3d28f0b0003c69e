"""Every key press that a terminal of xterm's kind tells apart, as the bytes that it sends.

Without the kitty protocol, in normal cursor mode (xterm's ctlseqs, "PC-Style Function Keys").
"""

from __future__ import annotations

import string

_LEADERS = (b"\x1c", b"\x1b[24~")  # ctrl+\ and F12: the screen's own, see `keymap.LEADERS`
_LETTERED = {"up": "A", "down": "B", "right": "C", "left": "D", "end": "F", "home": "H"}
_NUMBERED = {"insert": 2, "delete": 3, "pageup": 5, "pagedown": 6}
_FUNCTION_LETTERS = {1: "P", 2: "Q", 3: "R", 4: "S"}
_FUNCTION_NUMBERS = {5: 15, 6: 17, 7: 18, 8: 19, 9: 20, 10: 21, 11: 23}
_MODIFIERS = {2: "shift", 3: "alt", 4: "alt+shift", 5: "ctrl", 6: "ctrl+shift", 7: "alt+ctrl"}


def chords() -> dict[str, bytes]:
    """By a name for people."""
    made: dict[str, bytes] = {}
    for byte in (*range(32), 127):
        made[f"byte {byte:02x}"] = bytes([byte])
    for character in string.ascii_letters + string.digits + string.punctuation + " ":
        made[character] = character.encode()
        if character not in "[O":  # these begin longer sequences
            made[f"alt+{character}"] = b"\x1b" + character.encode()
    for byte in (*range(1, 27), 127):
        if byte not in (9,):  # ESC TAB is the Linux console's shift+tab
            made[f"alt+byte {byte:02x}"] = b"\x1b" + bytes([byte])
    made["shift+tab"] = b"\x1b[Z"
    for name, letter in _LETTERED.items():
        made[name] = f"\x1b[{letter}".encode()
    for name, number in _NUMBERED.items():
        made[name] = f"\x1b[{number}~".encode()
    for number, letter in _FUNCTION_LETTERS.items():
        made[f"f{number}"] = f"\x1bO{letter}".encode()
    for number, code in _FUNCTION_NUMBERS.items():
        made[f"f{number}"] = f"\x1b[{code}~".encode()
    for modifier, word in _MODIFIERS.items():
        for name, letter in _LETTERED.items():
            made[f"{word}+{name}"] = f"\x1b[1;{modifier}{letter}".encode()
        for name, number in _NUMBERED.items():
            made[f"{word}+{name}"] = f"\x1b[{number};{modifier}~".encode()
        for number, letter in _FUNCTION_LETTERS.items():
            made[f"{word}+f{number}"] = f"\x1b[1;{modifier}{letter}".encode()
        for number, code in _FUNCTION_NUMBERS.items():
            made[f"{word}+f{number}"] = f"\x1b[{code};{modifier}~".encode()
    for text in ("é", "ß", "日", "👍", "ñ"):
        made[text] = text.encode()
    return {name: data for name, data in made.items() if data not in _LEADERS}
