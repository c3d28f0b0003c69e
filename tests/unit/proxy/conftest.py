"""A running proxy, on either event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.support.proxy_fakes import Rig, proxy_rig


@pytest.fixture(params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy])
def event_loop_policy(request: pytest.FixtureRequest) -> Any:
    """The daemon's loop, and the one there is without it."""
    return request.param()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with proxy_rig(tmp_path) as running:
        yield running
