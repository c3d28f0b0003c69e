"""What the adapters of agents with hooks have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from profiles.files import package_version
from profiles.manifest import load, older, refuse_options
from supervisor.errors import LaunchFailed
from supervisor.ports import Profile
from supervisor.ports.drills import Drill, DrillRequest


class Supported(Profile):
    """Known by a manifest, by the name of its program, and by its version."""

    def __init__(self) -> None:
        self.manifest = load(self.name.replace("-", "_"))

    def matches(self, argv: Sequence[str]) -> bool:
        return bool(argv) and Path(argv[0]).name in self.manifest.programs

    def version(self, executable: str) -> str:
        return package_version(executable)

    def check(self, version: str, arguments: Sequence[str]) -> None:
        """Whether it can be supervised, as it is to be started.

        Raises:
            LaunchFailed: it is too old.
            UsageError: an option would take the hooks away.
        """
        if older(version, self.manifest.minimum):
            raise LaunchFailed(
                f"{self.manifest.title} {version} has other hooks than we know, so it cannot be "
                "supervised.",
                hint=f"Update it to {self.manifest.minimum} or later.",
            )
        refuse_options(self.manifest, arguments)

    def drill(self, request: DrillRequest) -> Drill | None:
        """By the module `drill` beside the adapter, where there is one; loaded for the doctor."""
        from importlib import import_module
        from importlib.util import find_spec

        module = f"profiles.{self.name.replace('-', '_')}.drill"
        if find_spec(module) is None:
            return None
        drill: Drill = import_module(module).drill(request)
        return drill
