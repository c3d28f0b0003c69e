"""A task tries every way to change what decides about later sessions, or to read what is masked.

Run as root and as an unprivileged account. Each way is also tried where nothing guards: one that
never could succeed would show nothing.
"""

from __future__ import annotations

from tests.support.accounts import Drive

pytest_plugins = ("tests.support.task_fixtures",)

FILES = {
    ".git/config": "old",
    ".git/hooks/pre-commit": "old",
    ".claude/settings.json": "old",
    ".env": "SECRET",
    "vault/key": "SECRET",
    "plain": "mine",
}
GUARDED = [".git/config", ".git/hooks", ".claude", ".mcp.json"]
MASKED = [".env", "vault"]

# Standard library only: it runs as the agent. Prints the ways that came through.
_ATTACKS = r"""
import ctypes, os, shutil
libc = ctypes.CDLL(None, use_errno=True)
won = []

def attack(function):
    try:
        if function():
            won.append(function.__name__)
    except OSError:
        pass

def put(path):
    with open(path, "w") as file:
        file.write("new")

def new(path):
    with open(path) as file:
        return file.read() == "new"

def secret(path):
    with open(path) as file:
        return "SECRET" in file.read()

def renameat2(old, name, flags):
    return libc.renameat2(-100, old.encode(), -100, name.encode(), flags) == 0

@attack
def write_it():
    put(".git/config"); return new(".git/config")

@attack
def replace_it():
    put("fresh"); os.replace("fresh", ".git/config"); return new(".git/config")

@attack
def exchange_it():
    put("fresh1"); return renameat2("fresh1", ".git/config", 2) and new(".git/config")

@attack
def plant_in_directory():
    put(".git/hooks/post-commit"); return new(".git/hooks/post-commit")

@attack
def move_the_directory():
    os.rename(".git/hooks", ".git/aside"); os.mkdir(".git/hooks"); put(".git/hooks/x")
    return new(".git/hooks/x")

@attack
def move_the_parent():
    os.rename(".git", "aside"); os.makedirs(".git/hooks"); put(".git/hooks/y"); return True

@attack
def exchange_the_parent():
    os.makedirs("other/hooks"); put("other/config")
    return renameat2("other", ".git", 2) and new(".git/config")

@attack
def remove_the_parent():
    shutil.rmtree(".claude"); os.mkdir(".claude"); put(".claude/settings.json")
    return new(".claude/settings.json")

@attack
def make_what_is_missing():
    try:
        os.rmdir(".mcp.json")
    except FileNotFoundError:
        pass
    put(".mcp.json"); return new(".mcp.json")

@attack
def by_another_name():
    os.link(".git/config", "alias"); put("alias"); return new(".git/config")

@attack
def through_a_link():
    os.symlink(".git", "way"); put("way/hooks/z"); return new(".git/hooks/z")

@attack
def through_proc():
    put(f"/proc/self/cwd/.git/config"); return new(".git/config")

@attack
def through_a_directory_descriptor():
    at = os.open(".git", os.O_RDONLY)
    with os.fdopen(os.open("config", os.O_WRONLY | os.O_TRUNC, dir_fd=at), "w") as file:
        file.write("new")
    return new(".git/config")

@attack
def change_its_mode():
    os.chmod(".claude/settings.json", 0o777); return True

@attack
def unmount_it():
    return libc.umount2(b".claude", 2) == 0

@attack
def bind_over_it():
    os.mkdir("mine"); return libc.mount(b"mine", b".claude", None, 4096, None) == 0

@attack
def remount_it():
    return libc.mount(None, b".claude", None, 32 | 4096, None) == 0

@attack
def read_masked():
    return secret(".env")

@attack
def read_masked_in_directory():
    return secret("vault/key")

@attack
def read_masked_by_another_name():
    os.link(".env", "copy"); return secret("copy")

@attack
def read_masked_moved():
    os.rename(".env", "moved"); return secret("moved")

@attack
def read_masked_directory_moved():
    os.rename("vault", "opened"); return secret("opened/key")

print(" ".join(won))
"""


def came_through(drive: Drive, files: dict[str, str], **plan: list[str]) -> set[str]:
    python = ["/usr/bin/python3", "-I", "-c", _ATTACKS]
    result = drive("run", argv=python, tier="A", files=files, **plan)
    assert result["exit_code"] == 0, result["output"]
    return set(result["output"].split())


def test_nothing_guarded_changes_and_nothing_masked_is_read(drive: Drive) -> None:
    files = {**FILES, ".mcp.json/placeholder": ""}
    assert came_through(drive, files, guarded=GUARDED, masked=MASKED) == set()


def test_the_ways_are_real(drive: Drive) -> None:
    assert came_through(drive, FILES) >= {
        "write_it", "plant_in_directory", "move_the_directory", "make_what_is_missing",
        "read_masked", "read_masked_in_directory",
    }  # fmt: skip
