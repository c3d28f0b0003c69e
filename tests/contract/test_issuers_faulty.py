"""What issuers that ask somebody else keep when that somebody goes wrong.

Through the engine, with what becomes of the leases: `tests/adversarial/test_issuer_faults.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from supervisor.errors import IssuerFailed, TaskpassError
from supervisor.model import KillMode
from supervisor.ports import Minted
from tests.support.credentials import mint_context
from tests.support.faulty_upstream import GARBAGE, Fault
from tests.support.issuer_matrix import ISSUERS, Rigged

UPSTREAM = [name for name in ISSUERS if name not in ("stored", "reference", "local-jwt")]
TRIES = 10.0  # seconds for a call that must come back by itself


@pytest.fixture(params=UPSTREAM)
async def rigged(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rigged]:
    async with ISSUERS[request.param](tmp_path) as made:
        yield made


async def mint(rigged: Rigged, lease: str = "l-1") -> Minted:
    context = replace(mint_context(), effect=rigged.effect, lease=lease)
    return await asyncio.wait_for(rigged.issuer.mint(rigged.spec, context), TRIES)


def told(error: TaskpassError, rigged: Rigged) -> None:
    """One clear sentence, without what is secret."""
    assert error.message.endswith(".")
    assert "\n" not in str(error)
    assert len(str(error)) < 600
    assert not any(token in str(error) for token in rigged.live())


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.CUT], ids=str)
async def test_a_failed_mint_is_one_sentence(rigged: Rigged, fault: Fault) -> None:
    rigged.fail(fault)
    with pytest.raises(IssuerFailed) as failed:
        await mint(rigged)
    told(failed.value, rigged)
    assert failed.value.unclear  # something may have been made
    if fault is Fault.SERVER_ERROR:
        assert (await mint(rigged)).secret.value  # the next one is as if nothing had been


@pytest.mark.parametrize("body", GARBAGE, ids=lambda body: repr(body[:24]))
async def test_garbage_is_no_credential(rigged: Rigged, body: bytes) -> None:
    assert rigged.upstream is not None
    rigged.upstream.fail(Fault.GARBAGE, body=body, when=rigged.mints)
    with pytest.raises(IssuerFailed) as failed:
        await mint(rigged)
    told(failed.value, rigged)


async def test_what_hangs_lets_go_of_whoever_waits(rigged: Rigged) -> None:
    """It fails within its own time, or can be left at any moment."""
    rigged.fail(Fault.HANG)
    asking = asyncio.ensure_future(mint(rigged))
    await asyncio.wait({asking}, timeout=0.2)
    asking.cancel()
    with pytest.raises((asyncio.CancelledError, IssuerFailed)):
        await asking


@pytest.mark.parametrize("fault", [Fault.AHEAD, Fault.BEHIND], ids=str)
async def test_an_expiry_is_by_our_clock(rigged: Rigged, fault: Fault) -> None:
    usual = (await mint(rigged)).expires - time.time()
    rigged.fail(fault)
    minted = await mint(rigged, lease="l-2")
    assert minted.expires - time.time() == pytest.approx(usual, abs=10)


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.GARBAGE, Fault.CUT], ids=str)
async def test_a_revocation_that_was_not_confirmed_says_so(rigged: Rigged, fault: Fault) -> None:
    if rigged.ends_fail is None:  # nothing is asked: it lives out its time
        assert rigged.issuer.kill_mode is KillMode.VERIFIER
        return
    minted = await mint(rigged)
    rigged.ends_fail(fault)
    failed = ""
    try:
        await asyncio.wait_for(rigged.issuer.revoke(rigged.spec, minted.revocation), TRIES)
    except IssuerFailed as error:
        told(error, rigged)
        failed = error.message
    # Either it is dead there, or we were told that it may not be.
    assert failed or minted.secret.value not in rigged.live()
    rigged.heal()
    await rigged.issuer.revoke(rigged.spec, minted.revocation)
    assert minted.secret.value not in rigged.live()


async def test_after_its_revocation_the_other_end_says_no(rigged: Rigged) -> None:
    minted = await mint(rigged)
    assert minted.secret.value in rigged.live()
    assert minted.expires <= time.time() + rigged.issuer.lifetime(rigged.spec) + 5
    await rigged.issuer.revoke(rigged.spec, minted.revocation)
    await rigged.issuer.revoke(rigged.spec, minted.revocation)
    gone = minted.secret.value not in rigged.live()
    assert gone or rigged.issuer.kill_mode is KillMode.VERIFIER
    assert not await rigged.issuer.works(rigged.spec, minted.revocation)
