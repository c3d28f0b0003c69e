"""One harmless request with a credential, minted and put into its header as for a task's use."""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from supervisor.core import Engine
from supervisor.errors import IssuerFailed, UsageError
from supervisor.grants.book import TaskEntry
from supervisor.identity.evidence import current_user
from supervisor.model import (
    Agent,
    CallIdentity,
    CredentialSpec,
    Effect,
    Evidence,
    Lease,
    Limits,
    Runtime,
    Task,
    Tier,
    Verb,
    new_id,
)
from supervisor.ports import MintContext
from supervisor.protocol.credentials import TestCredential, TestedCredential

_PATIENCE = 20.0  # seconds for the whole answer's head


@dataclass(frozen=True, slots=True)
class Probe:
    """Args:
    tls: makes the context that verifies the other end.
    via: the network's proxy for a URL: its own URL, and the value of Proxy-Authorization.
    """

    engine: Engine
    tls: Callable[[], ssl.SSLContext]
    via: Callable[[str], tuple[str, str] | None] = lambda url: None

    async def test(self, spec: CredentialSpec, asked: TestCredential) -> TestedCredential:
        """The status that came; no redirect is followed and no body is read.

        What was minted for it is ended as a task's would be: until that is confirmed.

        Raises:
            UsageError: not a host it is bound to, or not a path.
            VaultLocked, Denied, IssuerFailed, LedgerFailed: as for a task.
        """
        host = asked.host or spec.hosts[0]
        if host not in spec.hosts:
            raise UsageError(
                f"{spec.name} is not bound to {host}.", hint=f"It is: {', '.join(spec.hosts)}."
            )
        path = asked.path
        if not path.startswith("/") or not path.isprintable() or " " in path:
            raise UsageError(f"{path!r} is not a path.", hint="Write it as /user.")
        now = self.engine.clock()
        context = _context(spec, host, path, now)
        entry = TaskEntry(context.task, number=0, epoch=context.epoch)
        lease = Lease(context.lease, "", context.task.id, context.call, context.epoch, now, now)
        unconfirmed = 0
        try:
            minted = await self.engine.minting.mint(entry, lease, new_id("u"), spec, context)
            value = f"{spec.scheme} {minted.secret.value}".strip()
            if spec.scheme.lower() == "basic":
                log_in = f"{spec.options.get('username', '')}:{minted.secret.value}"
                value = "Basic " + base64.b64encode(log_in.encode()).decode()
            status = await self._get(host, path, spec.header, value)
        finally:
            unconfirmed = await self.engine.revoking.end([lease])
            self.engine.vault.forget(context.task.id)
        works: bool | None = None
        if minted.revocation and not unconfirmed:
            works = await self.engine.issuers[spec.issuer].works(spec, minted.revocation)
        return TestedCredential(
            host=host,
            path=path,
            status=status,
            expires=minted.expires,
            revoked=bool(minted.revocation) and not unconfirmed,
            unconfirmed=bool(unconfirmed),
            works_after=works,
        )

    async def _get(self, host: str, path: str, header: str, value: str) -> int:
        import aiohttp
        from yarl import URL

        url = f"https://{host}{path}"
        proxy, login = self.via(url) or (None, "")
        connector = aiohttp.TCPConnector(ssl=self.tls())
        timeout = aiohttp.ClientTimeout(total=_PATIENCE)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.get(
                    URL(url, encoded=True),
                    headers={header: value, "user-agent": "taskpass"},
                    proxy=proxy,
                    proxy_headers={"Proxy-Authorization": login} if login else None,
                    allow_redirects=False,
                ) as answer,
            ):
                return answer.status
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            # Its text comes from elsewhere and might repeat what it was given.
            raise IssuerFailed(
                f"{host} gave no answer to GET {path} ({type(error).__name__}).",
                hint="Is it reachable from here, and its certificate one that is believed?",
            ) from None


def _context(spec: CredentialSpec, host: str, path: str, now: float) -> MintContext:
    """The person's own use: no task, no agent."""
    task = Task(
        id=new_id("t"),
        session="",
        purpose=f"taskpass credential test {spec.name}",
        cwd=os.path.expanduser("~"),
        argv=("taskpass", "credential", "test", spec.name),
        user=current_user(),
        agent=Agent("person", "", "", "", CallIdentity.CALL),
        runtime=Runtime("laptop", Evidence.OS, Tier.UNCONTAINED),
        limits=Limits(),
        created=now,
    )
    return MintContext(
        task=task,
        epoch=1,
        call=new_id("c"),
        call_hash="",
        lease=new_id("l"),
        effect=Effect(Verb.HTTP, host, {"method": "GET", "path": path.partition("?")[0]}),
    )
