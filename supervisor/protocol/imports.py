"""What clients and supervisor say to each other about importing a `.env`. No value is ever told."""

from __future__ import annotations

import msgspec

from supervisor.protocol.wire import Wire


class PlanImport(Wire, frozen=True, kw_only=True):
    """POST /v1/imports/plan

    Attributes:
        path: absolute.
        bind: variable → hosts it is good at, as the person says.
        leave: variables that stay, as the person says.
    """

    path: str
    bind: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    leave: tuple[str, ...] = ()


class ImportRow(Wire, frozen=True, kw_only=True):
    """One variable, or one comment that holds a secret (then `name` is "").

    Attributes:
        why: why it moves or stays, in words.
        hosts: where it will be good; none for what stays.
        credential: its name in the vault; "" for what stays.
        secret: whether it is one, as far as can be seen.
        asks: it would move, if somebody said for which host it is.
    """

    name: str
    line: int
    why: str
    hosts: tuple[str, ...] = ()
    credential: str = ""
    secret: bool = False
    asks: bool = False


class ImportPlan(Wire, frozen=True, kw_only=True):
    """Attributes:
    digest: of the file as it was looked at ("sha256:<hex>").
    notes: what the person should know besides, in words.
    shown: whether tasks in this workspace will see the file afterwards.
    """

    path: str
    digest: str
    rows: tuple[ImportRow, ...]
    notes: tuple[str, ...] = ()
    shown: bool = False


class CarryOutImport(Wire, frozen=True, kw_only=True):
    """POST /v1/imports: as planned, if the file is still as it was then."""

    plan: PlanImport
    digest: str


class Imported(Wire, frozen=True, kw_only=True):
    """Attributes:
    undo: id in the undo journal, "" where nothing was changed.
    """

    plan: ImportPlan
    undo: str = ""
