"""Where an agent's link leads, and whether it may be opened. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from rich.text import Text

from tui import palette
from tui.text import is_plain, visible

_SCHEMES: Final = ("http", "https", "mailto")
_NAMED: Final = re.compile(
    r"(?:[a-z]+://)?(?:[^\s/@]*@)?((?:[a-z0-9-]+\.)+[a-z]{2,})\b", re.IGNORECASE
)


def refusal(target: str) -> str:
    """Why a link is not opened, as a sentence; "" for one that the person may open."""
    if not all(is_plain(character) and character != " " for character in target):
        return "It is not opened: there are characters in it that are not seen."
    try:
        parts = urlsplit(target)
        host = parts.hostname
    except ValueError:
        return "It is not opened: this is no address."
    if parts.scheme not in _SCHEMES:
        return f"It is not opened: only web and mail addresses are, not {parts.scheme or 'these'}."
    if parts.scheme != "mailto" and not host:
        return "It is not opened: no host is named in it."
    return ""


def warnings(text: str, target: str) -> list[str]:
    """What to look at before the link under `text` is opened."""
    found: list[str] = []
    try:
        parts = urlsplit(target)
        host, user = parts.hostname or "", parts.username
    except ValueError:
        return found
    asked = _as_asked_for(host)
    named = _NAMED.search(text)
    if named is not None and host and named[1].lower() not in (host, host.removeprefix("www.")):
        found.append(f"The text names {named[1]}, the link leads to {asked}.")
    if user is not None and host:
        found.append(f"What stands before the @ is no host: it leads to {asked}.")
    if "xn--" in asked:
        found.append(f"The host's name, {asked}, has letters that may look like others.")
    return found


def _as_asked_for(host: str) -> str:
    """A host's name in the letters that the DNS knows (RFC 3490): none looks like another."""
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return "xn--?"


def page(text: str, target: str) -> Text:
    """The question about one link: where it leads, whole, and what is odd about it."""
    shown = Text("The agent's text  ", palette.MUTED)
    shown.append_text(visible(text.strip(), palette.TEXT))
    shown.append("\nleads to          ", palette.MUTED).append_text(visible(target, palette.TEXT))
    shown.append("\n")
    for sentence in filter(None, (refusal(target), *warnings(text, target))):
        shown.append(f"\n▲ {sentence}", palette.AMBER)
    return shown
