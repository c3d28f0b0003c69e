"""What a screen uses to talk to the supervisor."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import msgspec

from supervisor import errors
from supervisor.client_connection import Connection
from supervisor.client_pane import PaneConnection
from supervisor.client_review import ReviewCalls
from supervisor.paths import Paths, user_paths
from supervisor.protocol import handshake, wire

if TYPE_CHECKING:
    from supervisor.protocol import credentials as wcred
    from supervisor.protocol.person import PersonView, SignInPerson

_LOOKS, _PAUSE = 1500, 0.01  # whether the supervisor has ended; seconds between two
_KEPT = 2  # idle connections: the usual one, and one more for what cannot wait
_T = TypeVar("_T")
_events = msgspec.json.Decoder(wire.Event)


def _locked(lock: Path) -> bool:
    """Whether a supervisor holds the lock that lets only one be."""
    try:
        with open(lock) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


class AsyncClient(ReviewCalls):
    """A screen's view of the supervisor. Every method raises TaskpassError on failure.

    Requests never wait for each other: each has a connection to itself, so that a revocation is
    not held up by a long verification.
    """

    def __init__(self, paths: Paths | None = None) -> None:
        self._paths = paths or user_paths()
        self._idle: list[Connection] = []
        self._pairing = ""

    async def connect(self) -> None:
        """Start the supervisor if there is none, and shake hands."""
        await asyncio.to_thread(handshake.ensure_daemon, self._paths)
        await self.close()
        self._idle.append(await Connection.open(self._paths))

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    async def _take(self) -> Connection:
        """A connection that nobody uses: a kept one that is still open, or a new one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            connection.close()
        return await Connection.open(self._paths)

    def _give_back(self, connection: Connection) -> None:
        if len(self._idle) < _KEPT:
            self._idle.append(connection)
        else:
            connection.close()

    async def _call(
        self, method: str, target: str, body: Any = None, *, answer: type[_T], screen: bool = False
    ) -> _T:
        data = b"" if body is None else msgspec.json.encode(body)
        headers = {"taskpass-screen": self._pairing} if screen else {}
        connection = await self._take()
        try:
            raw = await connection.request(method, target, data, headers)
        except BaseException:
            # The exchange may be half done: this connection's state is unknown.
            connection.close()
            raise
        self._give_back(connection)
        return msgspec.json.decode(raw, type=answer)

    async def _parts(self, target: str) -> AsyncIterator[bytes]:
        connection = await Connection.open(self._paths)
        try:
            async for part in connection.parts(target):
                yield part
        finally:
            connection.close()

    async def snapshot(self) -> wire.Snapshot:
        return await self._call("GET", "/v1/snapshot", answer=wire.Snapshot)

    async def events(self) -> AsyncIterator[wire.Event]:
        """Everything from now on; the first item is a Snapshot.

        Raises:
            DaemonUnavailable: the supervisor is gone; connect again.
        """
        connection = await Connection.open(self._paths)
        try:
            async for line in connection.lines("/v1/events"):
                if line:
                    yield _events.decode(line)
        finally:
            connection.close()

    async def start_task(self, request: wire.StartTask) -> wire.Started:
        return await self._call("POST", "/v1/tasks", request, answer=wire.Started)

    async def attach(self, task: str, cols: int, rows: int) -> PaneConnection:
        place = await self._call("POST", f"/v1/tasks/{task}/attach", answer=wire.Attached)
        return await PaneConnection.open(place.socket, place.token, cols, rows)

    async def pair(self) -> None:
        """Make this process a screen that may answer approvals."""
        self._pairing = (await self._call("POST", "/v1/pair", answer=wire.Paired)).token

    async def answer(self, approval: str, answer: wire.AnswerApproval) -> None:
        await self._call("POST", f"/v1/approvals/{approval}", answer, answer=dict, screen=True)

    async def always(self, approval: str) -> wire.AlwaysView:
        return await self._call("GET", f"/v1/approvals/{approval}/always", answer=wire.AlwaysView)

    async def noticed(self, ids: Sequence[str], *, looked_at: bool) -> None:
        """The person knows that these wait: nothing else need tell them."""
        from supervisor.protocol.notices import Noticed  # for screens only

        body = Noticed(ids=tuple(ids), looked_at=looked_at)
        await self._call("POST", "/v1/noticed", body, answer=dict, screen=True)

    async def policy(self) -> wire.PolicyChange:
        return await self._call("GET", "/v1/policy", answer=wire.PolicyChange)

    async def accept_policy(self, digest: str) -> None:
        accept = wire.AcceptPolicy(digest=digest)
        await self._call("POST", "/v1/policy/accept", accept, answer=dict, screen=True)

    async def revoke_task(self, task: str) -> wire.RevokedView:
        return await self._call("POST", f"/v1/tasks/{task}/revoke", answer=wire.RevokedView)

    async def revoke_grant(self, grant: str) -> wire.RevokedView:
        return await self._call("POST", f"/v1/grants/{grant}/revoke", answer=wire.RevokedView)

    async def revoke_all(self) -> wire.RevokedView:
        return await self._call("POST", "/v1/revoke", answer=wire.RevokedView)

    async def freeze_task(self, task: str) -> None:
        await self._call("POST", f"/v1/tasks/{task}/freeze", answer=dict)

    async def thaw_task(self, task: str) -> None:
        await self._call("POST", f"/v1/tasks/{task}/thaw", answer=dict)

    async def freeze_all(self) -> None:
        await self._call("POST", "/v1/freeze", answer=dict)

    async def history(
        self,
        *,
        after: int = 0,
        before: int = 0,
        limit: int = 500,
        task: str = "",
        kinds: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        """Records in order, oldest first: the latest `limit`, or those after a number.

        With `before` it is those of the `limit` numbers below that one which match.
        """
        if before:
            # Numbers have no gaps. Asking after -1 is from the first; after 0 means the latest.
            first = max(1, before - limit)
            after, limit = first - 1 or -1, before - first
            if not limit:
                return []
        query = urlencode({"after": after, "limit": limit, "task": task, "kinds": ",".join(kinds)})
        return await self._call("GET", f"/v1/history?{query}", answer=list[dict[str, Any]])

    async def changes(self) -> list[wire.ChangeSetView]:
        """Change sets that nobody has decided about."""
        return await self._call("GET", "/v1/changes", answer=list[wire.ChangeSetView])

    async def change_set(self, task: str, *, diff: bool = False) -> wire.ChangeSetView:
        target = f"/v1/changes/{task}?diff={int(diff)}"
        return await self._call("GET", target, answer=wire.ChangeSetView)

    async def apply_changes(self, task: str, request: wire.ApplyChanges) -> wire.AppliedView:
        target = f"/v1/changes/{task}/apply"
        return await self._call("POST", target, request, answer=wire.AppliedView)

    async def drop_changes(self, task: str) -> None:
        await self._call("POST", f"/v1/changes/{task}/drop", answer=dict)

    async def verify(self) -> wire.VerifyView:
        return await self._call("POST", "/v1/verify", answer=wire.VerifyView)

    async def jwks(self) -> dict[str, Any]:
        """The public keys that verify tokens made here (RFC 7517)."""
        return await self._call("GET", "/v1/jwks", answer=dict[str, Any])

    async def credentials(self) -> list[wire.CredentialView]:
        return await self._call("GET", "/v1/credentials", answer=list[wire.CredentialView])

    async def kinds(self) -> wcred.KindsView:
        from supervisor.protocol.credentials import KindsView

        return await self._call("GET", "/v1/kinds", answer=KindsView)

    async def add_credential(self, request: wire.AddCredential) -> wire.CredentialView:
        return await self._call("POST", "/v1/credentials", request, answer=wire.CredentialView)

    async def remove_credential(
        self, name: str, *, force: bool = False, replaced: bool = False
    ) -> wcred.EndedLeases:
        from supervisor.protocol.credentials import EndedLeases

        target = f"{_credential(name)}?force={force:d}&replaced={replaced:d}"
        return await self._call("DELETE", target, answer=EndedLeases)

    async def person(self) -> PersonView:
        from supervisor.protocol.person import PersonView

        return await self._call("GET", "/v1/person", answer=PersonView)

    async def sign_in(self, request: SignInPerson) -> PersonView:
        from supervisor.protocol.person import PersonView

        return await self._call("POST", "/v1/person", request, answer=PersonView)

    async def sign_out(self) -> PersonView:
        from supervisor.protocol.person import PersonView

        return await self._call("DELETE", "/v1/person", answer=PersonView)

    async def rotate_credential(
        self, name: str, request: wcred.RotateCredential
    ) -> wcred.EndedLeases:
        from supervisor.protocol.credentials import EndedLeases

        target = f"{_credential(name)}/rotate"
        return await self._call("POST", target, request, answer=EndedLeases)

    async def test_credential(
        self, name: str, request: wcred.TestCredential
    ) -> wcred.TestedCredential:
        from supervisor.protocol.credentials import TestedCredential

        target = f"{_credential(name)}/test"
        return await self._call("POST", target, request, answer=TestedCredential)

    async def stop(self) -> None:
        """End the supervisor, one of another version too: that is how to get rid of it.

        Returns when it is gone, so that whoever starts one next does not meet the old one.

        Raises:
            TaskpassError: tasks are running, or it does not come to its end.
        """
        connection = await Connection.open(self._paths, any_protocol=True)
        try:
            await connection.request("POST", "/v1/stop")
        finally:
            connection.close()
        for _ in range(_LOOKS):
            if not _locked(self._paths.lock):
                return
            await asyncio.sleep(_PAUSE)
        raise errors.TimedOut(
            "The supervisor has not ended yet.", hint="See its log, or end its process."
        )


def _credential(name: str) -> str:
    """The target of a credential. Raises NotFound: nothing can be called so."""
    plain = name.replace(".", "").replace("-", "").replace("_", "")
    if not (plain.isascii() and plain.isalnum() and name[0].isalnum()):
        raise errors.NotFound(
            f"There is no credential {name!r}.", hint="See `taskpass credential list`."
        )
    return f"/v1/credentials/{name}"
