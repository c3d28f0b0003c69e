"""Who is at the other end of a connection, and what is put on record about them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from supervisor.channels.http.endpoint import Endpoint
from supervisor.channels.http.message import BadRequest, Origin
from supervisor.channels.http.services import Services
from supervisor.errors import NotAttested, TaskpassError
from supervisor.model import Effect, Process

# For so long a chain of processes is believed without a new look at each of them. The core looks
# again by itself immediately before it releases a credential.
_BELIEVED = 0.05


class Visitor:
    """The client of one connection.

    Attributes:
        handle: that it has shown, "" before.
        about: what it asked for last, None before it could be read.
    """

    def __init__(self, client: Endpoint, services: Services) -> None:
        self._services = services
        self._sockname = client.sockname
        self._peername = client.peername
        self._owners: list[Process] = []
        self._chain: list[Process] = []
        self._looked = float("-inf")  # loop time
        self.handle = ""
        self.about: Effect | None = None

    def attest(self) -> list[Process]:
        """The first owner's ancestry, up to the agent; empty when anything is unresolved.

        Looked up again for each request. While the owners that were found still descend from the
        agent, the search for who holds the socket is not repeated: whoever was handed it since
        was handed it by one of them, which could as well have passed the bytes on itself.
        """
        now = asyncio.get_running_loop().time()
        if now - self._looked < _BELIEVED:
            return self._chain
        owner = self._services.owner
        chains = [owner.ancestry(process) for process in self._owners]
        if not chains or not all(chains):
            self._owners = owner.owners(self._sockname, self._peername)
            chains = [owner.ancestry(process) for process in self._owners]
            if not chains or not all(chains):
                self._owners = []
                return []
        self._chain, self._looked = chains[0], now
        return self._chain

    def attested(self, purpose: str) -> list[Process]:
        """As `attest`.

        Raises:
            NotAttested: and the incident is recorded.
        """
        ancestry = self.attest()
        if not ancestry:
            self.incident("unattested", {"purpose": purpose, "port": self._peername[1]})
            raise NotAttested(
                "This connection cannot be shown to come from the task's own processes.",
                hint="Run the command as a tool call of the agent, in the foreground.",
            )
        return ancestry

    def incident(self, kind: str, detail: dict[str, Any]) -> None:
        services = self._services
        services.record(services.authorize.incident(services.task, kind, detail))

    def refused(self, error: TaskpassError, about: Effect | None = None) -> None:
        """Put on record what is refused here, before it could be judged."""
        services = self._services
        if not isinstance(error, BadRequest):
            return  # whoever refused it has recorded it
        about = about or self.about
        if about is None:
            self.incident("malformed", {"reason": error.message, "port": self._peername[1]})
            return
        services.record(services.authorize.refused_use(services.task, self.handle, (about,), error))

    def is_model(self, origin: Origin, ancestry: Sequence[Process]) -> bool:
        services = self._services
        return origin.authority in services.model_hosts and services.authorize.model_access(
            services.task, ancestry, origin.host, origin.port
        )
