"""The known agents that are installed here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.launching import FoundAgent


def found_agents() -> tuple[FoundAgent, ...]:
    """Those that can be supervised, in the order of their profiles. Looks at files only."""
    # When a person starts a task, not when the screen does.
    from profiles import all_profiles
    from profiles.manifest import Manifest
    from supervisor.doctor.install import which
    from tui.launching import FoundAgent

    found = []
    for profile in all_profiles():
        known = getattr(profile, "manifest", None)
        if not (isinstance(known, Manifest) and known.offered):
            continue
        if program := which(known.programs, os.environ.get("PATH", os.defpath)):
            title = f"{known.title} {profile.version(program)}".rstrip()
            found.append(FoundAgent(known.programs[0], title))
    return tuple(found)
