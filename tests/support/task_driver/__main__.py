"""The program: a scenario by its name, and what came of it as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from typing import Any

from supervisor.errors import TaskpassError
from tests.support.task_driver.attacked import attacks
from tests.support.task_driver.attested import attest
from tests.support.task_driver.doors import doors
from tests.support.task_driver.driver import Driver, peer_of, run
from tests.support.task_driver.lifetimes import crash, hangup, survives, tree, waits
from tests.support.task_driver.overlays import no_overlay, overlay
from tests.support.task_driver.terminals import terminal

SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        run,
        waits,
        survives,
        tree,
        attest,
        terminal,
        hangup,
        crash,
        attacks,
        doors,
        overlay,
        no_overlay,
    )
}


async def main(name: str, settings: dict[str, Any]) -> None:
    driver = Driver(settings)
    try:
        result = await SCENARIOS[name](driver)
    finally:
        # A holder outlives its daemon on purpose; one whose scenario failed must not.
        with contextlib.suppress(OSError, TaskpassError):
            os.kill(peer_of(driver.socket).pid, signal.SIGTERM)
        await driver.zygote.close()
    print(json.dumps(result))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
