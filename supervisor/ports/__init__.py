"""The short abstract bases that the rooms implement and `core` uses; a file each family.

Channels and intake are given an `Authorize`; they never import `core`.
Each family has one contract test class in `tests/contract/`.
"""

from __future__ import annotations

from supervisor.ports.channels import (
    Announced,
    Attempt,
    Authorize,
    Channel,
    ConnectionOwner,
    Egress,
    HookAnswer,
    Offer,
    Offers,
    Release,
    TaskControl,
)
from supervisor.ports.emulators import Cursor, Emulator, Line, Run, Still
from supervisor.ports.issuers import Issuer, Kind, MintContext, Minted, Secret, Vault
from supervisor.ports.launching import (
    Containment,
    HookEvent,
    LaunchPlan,
    LaunchRequest,
    Mount,
    Profile,
    SpawnRequest,
)
from supervisor.ports.ledger import Entry, LedgerStore
from supervisor.ports.policy import Budget, PolicyEngine, Situation

__all__ = [
    "Announced",
    "Attempt",
    "Authorize",
    "Budget",
    "Channel",
    "ConnectionOwner",
    "Containment",
    "Cursor",
    "Egress",
    "Emulator",
    "Entry",
    "HookAnswer",
    "HookEvent",
    "Issuer",
    "Kind",
    "LaunchPlan",
    "LaunchRequest",
    "LedgerStore",
    "Line",
    "MintContext",
    "Minted",
    "Mount",
    "Offer",
    "Offers",
    "PolicyEngine",
    "Profile",
    "Release",
    "Run",
    "Secret",
    "Situation",
    "SpawnRequest",
    "Still",
    "TaskControl",
    "Vault",
]
