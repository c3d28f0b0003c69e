"""The machine's processes and settings, and packages that are added to it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_options
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.sets import names
from supervisor.effects.reading import Word

_SHOWS = names("s sh sho show l li lis list ls lst g get h help save showdump")
_IP_VALUED = frozenset({"-f", "-family", "-n", "-netns", "-rc", "-rcvbuf", "-l", "-loops"})


@reader
def ps(invocation: Invocation, words: Sequence[Word]) -> None:
    """Lists processes; the letter e without a dash shows their environment as well."""
    given = take(invocation, words)
    apply_options(invocation, given)
    if any(re.fullmatch(r"[A-Za-z]*e[A-Za-z]*", word.text) for word in given.operands):
        invocation.act = "reveal"


@reader
def sysctl(invocation: Invocation, words: Sequence[Word]) -> None:
    """Reads settings of the kernel, or sets them."""
    given = take(invocation, words)
    apply_options(invocation, given)
    sets = any("=" in word.text or not word.exact for word in given.operands)
    if sets or given.has("-w", "--write", "-p", "--load", "--system", "-f"):
        invocation.act = "system"
    if any(".." in word.text for word in given.operands):
        invocation.opaque("is given a name that leaves its own directory")


@reader
def ip(invocation: Invocation, words: Sequence[Word]) -> None:
    """`ip [options] OBJECT [COMMAND …]`: what is not a listing changes the network."""
    rest = list(words)
    while rest and rest[0].text.startswith("-"):
        option = rest.pop(0).text
        if option in _IP_VALUED and rest:
            rest.pop(0)
        elif option in {"-b", "-batch", "-force"}:
            invocation.opaque("does what a file lists")
        elif re.fullmatch(r"--?[a-zA-Z0-9]+(?:=\w+)?", option) is None:
            invocation.unknown(f"does not know option {option}")
    texts = [word.text for word in rest]
    if not all(word.exact for word in rest[:2]):
        invocation.opaque("has a word that is only known when it runs")
    elif len(texts) < 2 or texts[1] in _SHOWS or texts[0] in {"monitor", "mon", "help"}:
        return
    elif texts[0] == "netns" and texts[1] == "exec":
        invocation.act = "privilege"
        invocation.run(rest[3:])
    else:
        invocation.act = "system"


@reader
def local_packages(invocation: Invocation, words: Sequence[Word]) -> None:
    """Packages that are installed from files or addresses."""
    given = take(invocation, words)
    apply_options(invocation, given)
    invocation.everywhere = True
    for word in given.operands:
        _package(invocation, word)


def _package(invocation: Invocation, word: Word) -> None:
    if re.match(r"(?:https?|ftp)://", word.text):
        invocation.url(word)
    else:
        invocation.read(word)
    invocation.install(word)


_PACMAN_LONG = {
    "--query": "-Q", "--sync": "-S", "--upgrade": "-U", "--remove": "-R", "--database": "-D",
    "--files": "-F", "--deptest": "-T", "--version": "-V", "--refresh": "-y", "--sysupgrade": "-u",
    "--search": "-s", "--info": "-i", "--list": "-l", "--groups": "-g", "--clean": "-c",
    "--print": "-p", "--downloadonly": "-w",
}  # fmt: skip
_PACMAN_FLAGS = names(
    "--noconfirm --needed --asdeps --asexplicit --confirm --verbose --quiet --nodeps --recursive "
    "--nosave --unneeded --cascade --overwrite --explicit --deps --foreign --native --upgrades "
    "--unrequired --owns --check --file --changelog --noprogressbar --noscriptlet --color "
    "--ignore --ignoregroup --disable-download-timeout --regex --machinereadable --help "
    "--editmenu --nodiffmenu --noeditmenu --devel --aur --repo --cleanafter --removemake"
)
_PACMAN_ACTS = {
    "": "install",  # its helpers search and install without an operation
    "Q": "", "T": "", "V": "", "F": "",
    "S": "install", "U": "install", "R": "system", "D": "system",
}  # fmt: skip


@reader
def pacman(invocation: Invocation, words: Sequence[Word]) -> None:
    """The operation is a capital letter; small ones behind it change what it does."""
    letters, operands = "", list[Word]()
    for word in words:
        text = _PACMAN_LONG.get(word.text, word.text)
        if not word.exact:
            invocation.opaque("has a word that is only known when it runs")
        elif re.fullmatch(r"-[A-Za-z]+", text):
            letters += text[1:]
        elif not text.startswith("-"):
            operands.append(word)
        elif text.partition("=")[0] not in _PACMAN_FLAGS:
            invocation.unknown(f"does not know option {text}")
    operation = "".join(letter for letter in letters if letter.isupper())
    act = _PACMAN_ACTS.get(operation)
    if act is None:
        invocation.unknown("does not know this operation")
        return
    if operation == "S" and set(letters) & set("silgp"):
        act = ""
    elif operation == "S" and "c" in letters:
        act = "system"
    elif operation == "F" and "y" in letters:
        act = "install"
    if not letters and not operands:
        return
    invocation.act = act
    invocation.everywhere = True
    if operation == "Q" and "p" in letters:
        for word in operands:
            invocation.read(word)
    if act == "install":
        for word in operands:
            if operation == "U":
                _package(invocation, word)
            else:
                invocation.install(word)
        if not operands:
            invocation.install(Word(""))
