"""What a supervisor that starts must know of the one before: read back from the ledger.

Authority is not restored: grants, leases and approvals begin empty. Limits are: what a person
revoked stays revoked, what they froze stays frozen, and a lease whose end is not on record may
still be accepted somewhere until it expires, which is said and not guessed away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from supervisor.ports import LedgerStore

_LIMITS = ("task.revoked", "grant.revoked", "task.frozen", "task.thawed")
_LEASES = (
    "use.intent", "lease.closed", "lease.revoked", "lease.expired", "call.settled", "task.revoked",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Restrained:
    """A subagent's task that a person revoked or froze. `epoch`: 0 for one that is only frozen."""

    task: str
    parent: str
    subagent: str  # what its agent calls it
    epoch: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """By task id."""

    epochs: Mapping[str, int]  # of revoked tasks
    revoked_grants: Mapping[str, frozenset[tuple[str, str]]]  # (credential, resource)
    frozen: frozenset[str]
    children: Mapping[str, tuple[Restrained, ...]]  # by the task whose agent runs them
    possibly_live: tuple[dict[str, Any], ...]  # lease, task, credential, until


def recover(ledger: LedgerStore, now: float) -> Recovered:
    """Read the limits of every task, and the leases that an unclean end left open."""
    epochs: dict[str, int] = {}
    grants: dict[str, frozenset[tuple[str, str]]] = {}
    frozen: set[str] = set()
    children: dict[str, dict[str, Restrained]] = {}
    for record in ledger.read(kinds=_LIMITS, limit=-1):
        task = record["task"]
        match record["kind"]:
            case "task.revoked":
                epochs[task] = record["epoch"]
            case "grant.revoked":
                gone = (record["credential"], record["resource"])
                grants[task] = grants.get(task, frozenset()) | {gone}
            case "task.frozen":
                frozen.add(task)
            case _:
                frozen.discard(task)
        if record.get("subagent"):
            known = children.setdefault(record["top"], {})
            known |= {child.task: child for child in _children(record, task in frozen)}
    restrained = {
        top: tuple(child for child in known.values() if child.epoch or child.task in frozen)
        for top, known in children.items()
    }
    return Recovered(epochs, grants, frozenset(frozen), restrained, _possibly_live(ledger, now))


def _children(record: Mapping[str, Any], frozen: bool) -> list[Restrained]:
    """What this record says of subagents' tasks: of its own, and of those that fell with it."""
    own = (record["task"], record["parent"], record["subagent"])
    if record["kind"] != "task.revoked":
        return [Restrained(*own, 0)] if frozen else []
    told = [own, *record.get("below", ())]
    return [Restrained(task, parent, name, record["epoch"]) for task, parent, name in told]


def _possibly_live(ledger: LedgerStore, now: float) -> tuple[dict[str, Any], ...]:
    """Leases with an intent and without an end in the last session, and what it had inherited."""
    started = ledger.latest(1, kinds=("daemon.started",))
    if not started:
        return ()
    inherited = started[0].get("possibly_live", ())
    open_: dict[str, dict[str, Any]] = {lease["lease"]: lease for lease in inherited}
    for record in ledger.read(after=started[0]["seq"], kinds=_LEASES, limit=-1):
        if record["kind"] == "use.intent":
            open_[record["lease"]] = {
                key: record[key] for key in ("lease", "task", "credential", "issuer", "until")
            }
        elif "lease" in record:
            open_.pop(record["lease"], None)
        else:
            for lease in set(record["leases"]).difference(record.get("outliving", ())):
                open_.pop(lease, None)
    return tuple(lease for lease in open_.values() if lease["until"] > now)
