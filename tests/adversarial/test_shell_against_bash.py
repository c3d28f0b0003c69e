"""What bash really runs is what our effects name, however a text is written.

A real bash runs each text in a sandbox that holds nothing but it, a few wrappers and stand-ins
for programs, which write their names down.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from supervisor.effects.files import Place
from supervisor.effects.shell import shell_effects
from supervisor.model import Effect, Verb
from tests.support.bwrap import find_bwrap
from tests.support.shell_texts import NAMES, Texts

_PLACE = Place("/work", "/home/ana")
_REAL = ("bash", "cat", "env", "xargs", "timeout", "nice", "nohup")
_DRIVER = r"""
command_not_found_handle() { printf '%s\0' "${1##*/}" >>"$RAN"; return 127; }
export -f command_not_found_handle
export PATH=/stubs HOME=/home/ana FUNCNEST=6 RAN
ulimit -u 60 -t 2 -f 20000 || exit 1  # a mutation may well be a fork bomb
number=0
while IFS= read -r -d '' text; do
  RAN=/out/$((number++)); cd /work
  timeout -s KILL 3 bash -c "$text" </dev/null >/dev/null 2>&1
  kill -KILL -1 2>/dev/null  # what it left in the background: all but this process
done </out/texts
exit 0
"""


def ran_by_bash(texts: list[str], folder: Path) -> list[list[str]]:
    """The names of the programs that bash ran for each of `texts`, in order."""
    stubs, out = folder / "stubs", folder / "out"
    for directory in (folder, stubs, out):
        directory.mkdir(exist_ok=True)
        directory.chmod(0o777)  # bash may run as another account
    binds: list[str] = []
    for name in _REAL:
        (stubs / name).touch()
        found = shutil.which(name)
        assert found
        binds += ["--ro-bind", str(Path(found).resolve()), f"/stubs/{name}"]
    for name in NAMES:
        stub = stubs / name
        stub.write_text('#!/stubs/bash\nprintf "%s\\0" "${0##*/}" >>"$RAN"\n')
        stub.chmod(0o755)
    (out / "texts").write_bytes(b"".join(text.encode() + b"\0" for text in texts))
    command = [
        find_bwrap(),
        "--unshare-all",
        "--die-with-parent",
        "--ro-bind",
        str(stubs),
        "/stubs",
    ]
    command += binds
    for library in ("/usr/lib", "/usr/lib64", "/lib", "/lib64"):
        if Path(library).is_symlink():
            command += ["--symlink", str(Path(library).readlink()), library]
        elif Path(library).exists():
            command += ["--ro-bind", library, library]
    command += ["--bind", str(out), "/out", "--dev", "/dev", "--tmpfs", "/work", "--tmpfs", "/tmp"]
    command += ["--dir", "/home/ana", "--", "/stubs/bash", "-c", _DRIVER]
    subprocess.run(
        [*_bounded(), *command],
        check=True,
        env={"PATH": "/stubs"},
        capture_output=True,
        timeout=60 + len(texts) / 2,
    )
    logs = [out / str(number) for number in range(len(texts))]
    return [log.read_text("utf-8", "replace").split("\0") if log.exists() else [] for log in logs]


def _bounded() -> list[str]:
    """A text may fork without end: the limit on processes does not bind the kernel's root user."""
    if os.geteuid() == 0:
        lower = ["--reuid=64321", "--regid=64321", "--clear-groups"]
        return [_found("prlimit"), "--nproc=200", _found("setpriv"), *lower]
    return [_found("prlimit"), f"--nproc={200 + len(os.listdir('/proc'))}"]


def _found(name: str) -> str:
    path = shutil.which(name)
    assert path, f"{name} of util-linux is needed"
    return path


def named(effects: tuple[Effect, ...]) -> set[str]:
    return {effect.resource for effect in effects if effect.verb is Verb.RUN}


def cannot_be_told(effects: tuple[Effect, ...]) -> bool:
    return any(effect.attributes.get("uninspectable") for effect in effects)


def compare(texts: list[str], folder: Path) -> tuple[list[tuple[str, set[str]]], int, int]:
    """Texts of which bash ran what our effects do not name; how many ran; how many were read."""
    texts = [text for text in texts if "\0" not in text]
    missed: list[tuple[str, set[str]]] = []
    running = read = 0
    for text, ran in zip(texts, ran_by_bash(texts, folder), strict=True):
        effects = shell_effects(text, "/work", _PLACE)
        running += bool(ran)
        if cannot_be_told(effects):
            continue
        read += bool(ran)
        if not_named := set(ran) - {""} - named(effects):
            missed.append((text, not_named))
    return missed, running, read


@pytest.mark.parametrize(
    ("count", "seed"),
    [
        (300, 1),
        *(
            pytest.param(1000, 100 + part, marks=[pytest.mark.full, pytest.mark.timeout(600)])
            for part in range(20)
        ),
    ],
)
def test_bash_runs_nothing_that_is_not_named(count: int, seed: int) -> None:
    with tempfile.TemporaryDirectory(prefix="taskpass-shell-") as folder:
        os.chmod(folder, 0o755)
        supply = Texts(seed)
        texts = [*supply.made(count // 2), *supply.any(count // 2)]
        missed, running, read = compare(texts, Path(folder))
    assert not missed, "\n".join(f"{text!r}: bash ran {names}" for text, names in missed[:20])
    assert running > count // 4, "bash ran too little for this test to mean anything"
    assert read > count // 10, "too much is uninspectable for this test to mean anything"


@pytest.mark.parametrize(
    ("count", "seed"),
    [(2_000, 2), pytest.param(200_000, 3, marks=[pytest.mark.full, pytest.mark.timeout(3600)])],
)
def test_any_text_is_judged_at_once(count: int, seed: int) -> None:
    """Every text is judged, within 50 ms of computing (the best of three: others compute too)."""
    for text in Texts(seed).any(count):
        best = 1.0
        for _ in range(3):
            start = time.process_time()
            assert shell_effects(text, "/work", _PLACE)
            best = min(best, time.process_time() - start)
            if best < 0.05:
                break
        assert best < 0.05, f"{best * 1000:.0f} ms for {text!r}"
