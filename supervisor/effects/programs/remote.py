"""Shells and copies on other machines: ssh and what is built on it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_options
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.options import Given
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.roles import apply, joined
from supervisor.effects.programs.sets import names
from supervisor.effects.reading import Word
from supervisor.model import Verb

# Settings of ssh that name neither a program nor a file nor another host.
_HARMLESS = names(
    "addkeystoagent addressfamily batchmode bindaddress bindinterface canonicaldomains "
    "canonicalizehostname casignaturealgorithms challengeresponseauthentication checkhostip "
    "ciphers clearallforwardings compression connectionattempts connecttimeout controlpersist "
    "escapechar exitonforwardfailure fingerprinthash forkafterauthentication gatewayports "
    "gssapiauthentication gssapidelegatecredentials hashknownhosts hostbasedauthentication "
    "hostkeyalgorithms hostkeyalias hostname identitiesonly ipqos kbdinteractiveauthentication "
    "kexalgorithms loglevel macs nohostauthenticationforlocalhost numberofpasswordprompts "
    "passwordauthentication port preferredauthentications pubkeyacceptedalgorithms "
    "pubkeyacceptedkeytypes pubkeyauthentication rekeylimit requesttty serveralivecountmax "
    "serveraliveinterval sessiontype stdinnull stricthostkeychecking tag tcpkeepalive "
    "updatehostkeys user verifyhostkeydns visualhostkey"
)
_FILES = {"identityfile": "read", "certificatefile": "read", "userknownhostsfile": "write"}
_MAY_BE_NONE = frozenset(
    {*_FILES, "proxycommand", "controlpath", "controlmaster", "permitlocalcommand"}
)
_URL = re.compile(r"(?:ssh|scp|sftp)://((?:[^@/]+@)?(?:\[[^\]]*\]|[^:/]+))(?::(\d+))?(?:/(.*))?")


def _settings(invocation: Invocation, given: Given) -> dict[str, Word]:
    """What `-o` sets, with the effects of it."""
    found: dict[str, Word] = {}
    for option, value in given.options:
        if "-o" not in option.names or value is None:
            continue
        match = re.match(r"\s*(\w+)(?:\s*=\s*|\s+)(.*)", value.text, re.DOTALL)
        if match is None:
            invocation.opaque("is given a setting that is only known when it runs")
            continue
        name, word = match[1].lower(), Word(match[2].strip().strip('"'), exact=value.exact)
        found[name] = word
        _setting(invocation, name, word)
    return found


def _setting(invocation: Invocation, name: str, word: Word) -> None:
    none = word.exact and word.text.lower() in {"none", "no"}
    if name in _HARMLESS or (none and name in _MAY_BE_NONE):
        return
    if name in _FILES:
        apply(invocation, _FILES[name], word)
    elif name == "proxyjump":
        _jump(invocation, word)
    elif name == "proxycommand":
        invocation.script(word)
    elif name in {"localforward", "remoteforward", "dynamicforward"}:
        invocation.act = "listen"
    else:
        invocation.opaque(f"sets {name}, which cannot be read beforehand")


def _jump(invocation: Invocation, word: Word) -> None:
    for host in word.text.split(","):
        address = _URL.fullmatch(host)
        if address:
            invocation.host(Word(address[1], word.exact), address[2] or "")
        else:
            invocation.host(Word(host, word.exact))


def _common(invocation: Invocation, words: Sequence[Word]) -> tuple[Given, dict[str, Word]]:
    """Options that ssh, scp and sftp share, and the settings among them."""
    given = take(invocation, words)
    apply_options(invocation, given, "-J", "-F", "-o", "-W")
    jump, config = given.value("-J"), given.value("-F")
    if jump is not None:
        _jump(invocation, jump)
    if config is not None and config.text not in {"/dev/null", "none"}:
        invocation.opaque("takes settings from a file")
        invocation.read(config)
    return given, _settings(invocation, given)


def _connect(
    invocation: Invocation, host: Word, port: Word | None, settings: dict[str, Word]
) -> None:
    port = port or settings.get("port")
    named = settings.get("hostname")
    address = _URL.fullmatch(host.text)
    number = port.text if port is not None else ""
    if address is not None:
        host, number = Word(address[1], host.exact), address[2] or number
    if number and not (number.isdigit() and (port is None or port.exact)):
        invocation.opaque("connects to a port that is only known when it runs")
        number = ""
    if host.text.startswith("-"):
        invocation.opaque("is given a host that looks like an option")
    invocation.host(named or host, number)


@reader
def ssh(invocation: Invocation, words: Sequence[Word]) -> None:
    """`ssh [options] HOST [COMMAND…]`; the command is run by the shell over there."""
    given, settings = _common(invocation, words)
    through = given.value("-W")
    if through is not None:
        invocation.host(through)
    if given.has("-L", "-R", "-D", "-g", "-w"):
        invocation.act = "listen"
    if not given.operands or given.has("-Q", "-V", "-G", "-O"):
        return
    host, *command = given.operands
    _connect(invocation, host, given.value("-p"), settings)
    elsewhere = invocation.deeper(elsewhere=True)
    if command:
        if not given.has("-s"):
            invocation.script(joined(command), elsewhere)
    elif given.has("-N") or through is not None:
        return
    elif invocation.where.stdin == "text":
        invocation.script(Word(invocation.where.stdin_text), elsewhere)
    elif invocation.where.stdin and not given.has("-n"):
        invocation.opaque("runs over there what it is given on its input")
    else:
        invocation.act = invocation.act or "interactive"


@reader
def scp(invocation: Invocation, words: Sequence[Word]) -> None:
    """Sources, then the target; `HOST:PATH` is on another machine."""
    given, settings = _common(invocation, words)
    port = given.value("-P")
    for index, word in enumerate(given.operands):
        last = index == len(given.operands) - 1
        if _URL.fullmatch(word.text):
            _connect(invocation, word, port, settings)
        elif port is not None and re.match(r"[^/]+:", word.text):
            _connect(invocation, Word(word.text.rpartition(":")[0], word.exact), port, settings)
        else:
            invocation.remote(Verb.WRITE if last else Verb.READ, word)


@reader
def sftp(invocation: Invocation, words: Sequence[Word]) -> None:
    """With a path behind the host it fetches that; else it takes commands from its input."""
    given, settings = _common(invocation, words)
    if not given.operands:
        return
    target, *local = given.operands
    address = _URL.fullmatch(target.text)
    host, _, path = target.text.partition(":") if address is None else (target.text, "", "")
    _connect(invocation, Word(host, target.exact), given.value("-P"), settings)
    if path or (address is not None and address[3]):
        invocation.write(local[0] if local else Word("."))
    elif invocation.where.stdin:
        invocation.opaque("does what it is told on its input")
    else:
        invocation.act = invocation.act or "interactive"


@reader
def rsync(invocation: Invocation, words: Sequence[Word]) -> None:
    """Sources, then the target; the one operand is a place that is only listed."""
    given = take(invocation, words)
    apply_options(invocation, given, "--rsync-path")
    path = given.value("--rsync-path")
    if path is not None and not re.fullmatch(r"(?:sudo )?rsync", path.text):
        invocation.opaque("runs another program over there")
    if given.has("--daemon"):
        invocation.act = "listen"
    operands = list(given.operands)
    dry = given.has("-n", "--dry-run", "--list-only")
    moves = given.has("--remove-source-files") and not dry
    target = operands.pop() if len(operands) > 1 else None
    for source in operands:
        if _place(invocation, source, Verb.READ) and moves:
            invocation.delete(source)
    if target is None or (dry and not _is_remote(target)):
        return
    deletes = any(name.startswith("--del") for option, _ in given.options for name in option.names)
    if _place(invocation, target, Verb.WRITE) and deletes:
        invocation.clear(target)


def _is_remote(word: Word) -> bool:
    return word.text.startswith("rsync://") or ":" in word.text.partition("/")[0]


def _place(invocation: Invocation, word: Word, verb: Verb) -> bool:
    """The effect of a place of `rsync`; True for one on this machine that is known."""
    if not word.exact:
        invocation.opaque("copies from or to a place that is only known when it runs")
        return False
    if not _is_remote(word):
        return invocation.file(verb, word)
    address = word.text.removeprefix("rsync://")
    if address != word.text:
        invocation.host(Word(address.partition("/")[0]))
    else:
        invocation.host(Word(address.partition(":")[0]))
    return False
