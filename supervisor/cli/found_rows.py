"""What was found, as rows of the first run's screen: how it is called, and what is done. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace

from supervisor.discovery import Found, Place, Way
from supervisor.discovery.exposure import View, readable
from supervisor.discovery.offers import offer
from supervisor.model import Tier
from tui.first_run import Row

_DAY = 86400.0
_HIDDEN = {Tier.A: "hidden in tier A", Tier.B: "closed in tier B"}


def rank(found: Found, view: View) -> tuple[bool, bool]:
    """What can be lent first, then what stays readable."""
    return found.way is Way.HIDE, not readable(found, view)


def rows(found: Iterable[Found], view: View, place: Place, now: float) -> list[Row]:
    """All rows. Of two log-ins to the same host, only the first is chosen from the start."""
    shown: list[Row] = []
    taken: set[str] = set()
    for each in found:
        one = _row(each, view, place, now)
        if one.choosable and taken.isdisjoint(each.hosts):
            one = replace(one, chosen=True)
            taken |= set(each.hosts)
        shown.append(one)
    return shown


def _row(found: Found, view: View, place: Place, now: float) -> Row:
    exposed = readable(found, view)
    return Row(
        title=_title(found, place),
        about=" · ".join(filter(None, (_kind(found), found.what, _age(found, now)))),
        does=_does(found, view, exposed=exposed),
        more=_more(found, view, place, exposed=exposed),
        choosable=_can_be_lent(found),
        # What moves to the vault cannot be read any more; what is left of it can.
        exposed=exposed and (found.way is not Way.IMPORT or bool(found.stays)),
    )


def _can_be_lent(found: Found) -> bool:
    return offer(found) is not None or found.way is Way.IMPORT


def _title(found: Found, place: Place) -> str:
    if found.kind == "environment":
        return f"${found.names[0]}" if found.way is Way.REFERENCE else "this terminal"
    if found.way is Way.REFERENCE and found.hosts:
        return found.hosts[0]
    return _short(found.path, place)


def _short(path: str, place: Place) -> str:
    if place.workspace and path.startswith(place.workspace + os.sep):
        return path[len(place.workspace) + 1 :]
    if path.startswith(place.home + os.sep):
        return f"~{path[len(place.home) :]}"
    return path


def _kind(found: Found) -> str:
    return "" if found.kind in ("other", "dotenv", "ssh", "netrc") else found.kind


def _age(found: Found, now: float) -> str:
    if found.expires:
        return "expired" if found.expires < now else "expires by itself"
    days = int((now - found.since) / _DAY) if found.since else 0
    return f"{days} days" if days > 1 else ""


def _does(found: Found, view: View, *, exposed: bool) -> str:
    if found.way is Way.REFERENCE:
        where = ", not passed on" if found.kind == "environment" else ", asked of gh"
        return "lent by use" + ("; stays readable" if exposed else where)
    if found.way is Way.IMPORT:
        return "into the vault"
    if exposed:
        return "stays readable"
    if found.kind == "environment":
        return "not handed on"
    return _HIDDEN.get(view.tier, "hidden")


def _more(found: Found, view: View, place: Place, *, exposed: bool) -> str:
    where = _short(found.path, place)
    opens = f" It opens {', '.join(found.hosts)}." if found.hosts else ""
    if found.way is Way.REFERENCE and found.kind == "environment":
        return (
            f"b lends it by use: it is taken from the terminal a task is started in, held in "
            f"memory for that task, and a task sees a stand-in in {found.names[0]}.{opens}"
        )
    if found.way is Way.REFERENCE:
        lent = (
            f"b lends it by use: `{found.reference.removeprefix('cmd://')}` is asked at each call, "
            f"nothing is copied, and a task sees a stand-in.{opens}"
        )
        return f"{lent} {where} itself stays readable for it." if exposed else lent
    if found.way is Way.IMPORT:
        stays = f" What stays in it: {'; '.join(found.stays)}." if found.stays else ""
        return (
            f"b moves {', '.join(found.names)} into the vault; {where} keeps stand-ins, good here "
            f"and nowhere else.{opens}{stays}"
        )
    if exposed:
        return f"An agent that runs here can read {where or 'it'} whatever taskpass does.{opens}"
    if found.kind == "environment":
        return f"Variables of this terminal: {', '.join(found.names)}. A task gets none of them."
    return f"{where} is kept from tasks.{opens}"
