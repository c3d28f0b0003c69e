"""A real agent behind a wrapper that starts it otherwise than taskpass asked for.

As an alias, a packager's script or an attacker's would: under `taskpass run` the wrapper is the
agent, until it becomes the real program.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from profiles.codex.adapter import native_binary
from tests.support.agents import RealAgent


def wrapped(folder: Path, agent: RealAgent, words: str) -> RealAgent:
    """The agent by a script in `folder`, which starts it with these words of the shell.

    Args:
        words: `{program}` stands for the real program; the arguments are in `"$@"`.
    """
    programs = folder / "bin"
    programs.mkdir(parents=True)
    # By this its version is known, and so which of our answers to it hold.
    (folder / "package.json").write_text(json.dumps({"version": agent.version}))
    native = native_binary(agent.argv[0])
    real = programs / "real-agent"  # beside it, where its task can see it
    try:
        os.link(native, real)
    except OSError:  # another file system
        shutil.copy2(native, real)
    script = programs / agent.label.partition("-")[0]
    line = words.replace("{program}", str(real))
    script.write_text(f"#!/bin/sh\n{line}\n")
    script.chmod(0o755)
    return RealAgent(agent.label, (str(script),), agent.version, agent.node_bin)
