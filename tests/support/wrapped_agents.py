"""A real agent behind a wrapper that starts it otherwise than taskpass asked for.

As an alias, a packager's script or an attacker's would: under `taskpass run` the wrapper is the
agent, until it becomes the real program.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
from pathlib import Path

from tests.support.agents import RealAgent
from tests.support.every_agent import ALWAYS, WAYS


def wrapped(folder: Path, agent: RealAgent, words: str) -> RealAgent:
    """The agent by a script in `folder`, which starts it with these words of the shell.

    Args:
        words: `{program}` stands for the real program; the arguments are in `"$@"`.
    """
    programs = folder / "bin"
    programs.mkdir(parents=True)
    # By this its version is known, and so which of our answers to it hold.
    (folder / "package.json").write_text(json.dumps({"version": agent.version}))
    program = WAYS[agent.label].root(agent)
    if agent.label in ALWAYS:  # each one file, which can lie beside it, where its task can see it
        real = programs / "real-agent"
        try:
            os.link(program[0], real)
        except OSError:  # another file system
            shutil.copy2(program[0], real)
        program = (str(real),)
    script = programs / agent.label.partition("-")[0]
    line = words.replace("{program}", shlex.join(program))
    script.write_text(f"#!/bin/sh\n{line}\n")
    script.chmod(0o755)
    return RealAgent(agent.label, (str(script),), agent.version, agent.node_bin)
