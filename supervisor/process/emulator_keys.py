"""Key presses by Textual's names, taken apart into modifiers, key and text. Pure."""

from __future__ import annotations

import string
import unicodedata
from dataclasses import dataclass

SHIFT, CTRL, ALT, SUPER = 1, 2, 4, 8

_MODIFIERS = {"shift": SHIFT, "ctrl": CTRL, "alt": ALT, "super": SUPER, "meta": ALT}

# Textual names punctuation after Unicode, with these exceptions (textual.keys).
_RENAMED = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}


def _punctuation() -> dict[str, str]:
    table = {"@": "@", "circumflex": "^"}  # as in `ctrl+@` and `ctrl+circumflex`
    for character in string.punctuation:
        name = unicodedata.name(character).lower().replace("-", "_").replace(" ", "_")
        table[_RENAMED.get(name, name)] = character
    return table


_PUNCTUATION = _punctuation()

# What a US keyboard types with shift: a key is reported by what it types without.
_UNSHIFTED = dict(zip('~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;',./", strict=True))

NAMED_KEYS = {
    "enter": "ENTER",
    "tab": "TAB",
    "escape": "ESCAPE",
    "backspace": "BACKSPACE",
    "delete": "DELETE",
    "insert": "INSERT",
    "home": "HOME",
    "end": "END",
    "pageup": "PAGE_UP",
    "pagedown": "PAGE_DOWN",
    "up": "ARROW_UP",
    "down": "ARROW_DOWN",
    "left": "ARROW_LEFT",
    "right": "ARROW_RIGHT",
    **{f"f{number}": f"F{number}" for number in range(1, 26)},
}

_CHARACTER_KEYS = {
    **{letter: letter.upper() for letter in string.ascii_lowercase},
    **{digit: f"DIGIT_{digit}" for digit in string.digits},
    "`": "BACKQUOTE",
    "\\": "BACKSLASH",
    "[": "BRACKET_LEFT",
    "]": "BRACKET_RIGHT",
    ",": "COMMA",
    "=": "EQUAL",
    "-": "MINUS",
    ".": "PERIOD",
    "'": "QUOTE",
    ";": "SEMICOLON",
    "/": "SLASH",
    " ": "SPACE",
}


@dataclass(frozen=True, slots=True)
class Press:
    """One key press, as terminal key encoders want it."""

    name: str  # key in the W3C sense, upper snake case ("ARROW_UP", "A"); "" where unknown
    mods: int  # SHIFT | CTRL | ALT | SUPER
    text: str  # what it types, "" for none
    codepoint: int  # of what the key types without modifiers, 0 for none


def parse(key: str, text: str) -> Press:
    """Take `key`, a name of Textual's such as `ctrl+shift+left`, apart.

    `text` is what the press typed; control characters in it are ignored, because the
    encoder makes them from the key and the state the agent put its terminal in.
    """
    if key == "ctrl+@":  # the byte NUL, which keyboards make with the space bar
        key = "ctrl+space"
    *prefixes, base = key.split("+")
    mods = 0
    for prefix in prefixes:
        mods |= _MODIFIERS.get(prefix, 0)
    if not text.isprintable():
        text = ""
    if base == "space":
        return Press("SPACE", mods, "" if mods & CTRL else " ", 0x20)
    if base in NAMED_KEYS:
        return Press(NAMED_KEYS[base], mods, "", 0)
    named = _PUNCTUATION.get(base, text if len(text) == 1 else "")
    character = base if len(base) == 1 else named
    if not character:
        return Press("", mods, text, 0)
    if character.isupper() and len(character.lower()) == 1:
        mods |= SHIFT
        plain = character.lower()
    elif character in _UNSHIFTED and not mods & CTRL:
        mods |= SHIFT
        plain = _UNSHIFTED[character]
    else:
        plain = character
    typed = text or (character.upper() if mods & SHIFT and character.isalpha() else character)
    return Press(_CHARACTER_KEYS.get(plain, ""), mods, typed, ord(plain))
