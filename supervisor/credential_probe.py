"""One harmless request with a credential, minted and put into its header as for a task's use."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass

from supervisor.errors import IssuerFailed, UsageError
from supervisor.identity.evidence import current_user
from supervisor.model import (
    Agent,
    CallIdentity,
    CredentialSpec,
    Effect,
    Evidence,
    Limits,
    Runtime,
    Task,
    Tier,
    Verb,
    new_id,
)
from supervisor.ports import Issuer, MintContext
from supervisor.wire_credentials import TestCredential, TestedCredential

_PATIENCE = 20.0  # seconds for the whole answer's head


@dataclass(frozen=True, slots=True)
class Probe:
    """`context`: whom to believe at the other end."""

    context: ssl.SSLContext

    async def test(
        self, spec: CredentialSpec, issuer: Issuer, asked: TestCredential, now: float
    ) -> TestedCredential:
        """The status that came; no redirect is followed and no body is read.

        Raises:
            UsageError: not a host it is bound to, or not a path.
            VaultLocked, Denied, IssuerFailed: as `Issuer.mint`.
        """
        host = asked.host or spec.hosts[0]
        if host not in spec.hosts:
            raise UsageError(
                f"{spec.name} is not bound to {host}.", hint=f"It is: {', '.join(spec.hosts)}."
            )
        path = asked.path
        if not path.startswith("/") or not path.isprintable() or " " in path:
            raise UsageError(f"{path!r} is not a path.", hint="Write it as /user.")
        minted = await issuer.mint(spec, _context(spec, host, path, now))
        works: bool | None = None
        try:
            value = f"{spec.scheme} {minted.secret.value}".strip()
            status = await self._get(host, path, spec.header, value)
        finally:
            if minted.revocation:
                await issuer.revoke(spec, minted.revocation)
        if minted.revocation:
            works = await issuer.works(spec, minted.revocation)
        return TestedCredential(
            host=host,
            path=path,
            status=status,
            expires=minted.expires,
            revoked=bool(minted.revocation),
            works_after=works,
        )

    async def _get(self, host: str, path: str, header: str, value: str) -> int:
        import aiohttp
        from yarl import URL

        connector = aiohttp.TCPConnector(ssl=self.context)
        timeout = aiohttp.ClientTimeout(total=_PATIENCE)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.get(
                    URL(f"https://{host}{path}", encoded=True),
                    headers={header: value, "user-agent": "taskpass"},
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
