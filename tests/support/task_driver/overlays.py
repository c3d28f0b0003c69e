"""A task on an overlay of its workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from supervisor.errors import TaskpassError
from tests.support.task_driver.driver import Driver, run


async def overlay(driver: Driver) -> dict[str, Any]:
    """Run `script` on an overlay of the workspace, then `apply` or drop what it changed."""
    from supervisor.changes.shelf import Base, Shelf

    driver.settings |= {"argv": ["/bin/sh", "-c", driver.settings["script"]]}
    shelf = Shelf(driver.base / "shelf")
    workspace = str(driver.workspace)
    driver.changes["overlay"] = shelf.open(Base("t-driver", 1, "test", workspace))
    done = await run(driver)
    untouched = _content(driver.workspace)
    kept = shelf.unrecorded("t-driver")
    if kept is not None and driver.settings.get("apply", True):
        shelf.apply("t-driver", (), risky=True)
    elif kept is not None:
        shelf.drop("t-driver")
    return done | {
        "untouched": untouched,
        "changes": [f"{c.kind} {c.shown}" for c in kept.changes] if kept else [],
        "after": _content(driver.workspace),
        "left": shelf.names(),
    }


async def no_overlay(driver: Driver) -> dict[str, Any]:
    """An overlay that the kernel refuses: its working directory lies in its upper layer."""
    layers = driver.base / "layers"
    (layers / "upper/inside").mkdir(parents=True)
    (layers / "work").symlink_to("upper/inside")
    driver.changes["overlay"] = str(layers)
    try:
        await driver.spawn(("/bin/true",))
    except TaskpassError as error:
        left = [str(path) for path in (driver.base / "skeleton").iterdir()]
        return {"code": error.code, "message": error.message, "left": left}
    return {"code": "started"}


def _content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
