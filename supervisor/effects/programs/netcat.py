"""Raw connections, names and scans."""

from __future__ import annotations

import re
from collections.abc import Sequence

from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_options
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.sets import names
from supervisor.effects.reading import Word

_HANDS = "hands a program to the network"


@reader
def netcat(invocation: Invocation, words: Sequence[Word]) -> None:
    """`nc HOST PORT` or `nc -l PORT`; what -e and -c name is run for whoever is there."""
    given = take(invocation, words)
    apply_options(invocation, given)
    if given.has("-e", "-c", "--exec", "--sh-exec", "--lua-exec"):
        invocation.opaque(_HANDS)
    proxy = given.value("-x")
    if proxy is not None:
        invocation.host(proxy)
    if given.has("-l", "--listen"):
        invocation.act = "listen"
        return
    if not given.operands:
        return
    host, *ports = given.operands
    if given.has("-U"):
        invocation.read(host)
        invocation.write(host)
        return
    if not all(port.exact for port in ports):
        invocation.opaque("connects to a port that is only known when it runs")
    invocation.host(host, ports[0].text if ports and ports[0].text.isdigit() else "")


# ── socat ───────────────────────────────────────────────────────────────────────────────

_STDIO = frozenset({"-", "stdio", "stdin", "stdout", "stderr", "pipe", "fifo", "null", "fd"})
_CONNECTS = names(
    "tcp tcp4 tcp6 tcp-connect tcp4-connect tcp6-connect udp udp4 udp6 udp-connect udp4-connect "
    "udp6-connect udp-sendto udp4-sendto udp6-sendto udp-datagram udp4-datagram openssl ssl "
    "openssl-connect sctp sctp-connect sctp4-connect socks4 socks4a socks5 proxy proxy-connect "
    "dccp-connect"
)
_FILES = names("file open gopen create creat unix unix-connect unix-client unix-sendto")
_VALUED = frozenset({"-b", "-t", "-T", "-lp", "-lf"})
_HARMLESS = re.compile(r"-(?:d{1,4}|[vxsg46VD]|[bTt][\d.]+|lu|ls|ly|h+)")


@reader
def socat(invocation: Invocation, words: Sequence[Word]) -> None:
    """Two addresses, each a type, a colon and what it names, then options after commas."""
    rest = list(words)
    ways = [(True, True), (True, True)]  # whether each is read from, and written to
    while rest and rest[0].text.startswith("-") and rest[0].text != "-":
        option = rest.pop(0).text
        if option == "-u":
            ways = [(True, False), (False, True)]
        elif option == "-U":
            ways = [(False, True), (True, False)]
        elif option in _VALUED and rest:
            value = rest.pop(0)
            if option == "-lf":
                invocation.write(value)
        elif _HARMLESS.fullmatch(option) is None:
            invocation.unknown(f"does not know option {option}")
    if rest and len(rest) != 2:
        invocation.opaque("needs two addresses")
    ends = {_address(invocation, word, *way) for word, way in zip(rest, ways, strict=False)}
    if ends >= {"program", "network"}:
        invocation.opaque(_HANDS)


def _address(invocation: Invocation, word: Word, reads: bool, writes: bool) -> str:
    """The effects of one address; what is at its end: a "program", the "network" or ""."""
    if not word.exact or "!!" in word.text:
        invocation.opaque("is given an address that cannot be read")
        return ""
    kind, colon, rest = word.text.partition(":")
    kind = kind.partition(",")[0].lower()
    named = rest.partition(",")[0]
    if kind in _STDIO or kind.isdigit():
        return ""
    if "-listen" in kind or kind.endswith(("-l", "-recv", "-recvfrom")):
        invocation.act = "listen"
        return "network"
    if kind in {"exec", "system", "shell"}:
        invocation.script(Word(named))
        return "program"
    if kind in _CONNECTS:
        match = re.fullmatch(r"(\[[^\]]*\]|[^:]+)(?::([^:]*)(?::.*)?)?", named)
        if match is None or kind.startswith(("socks", "proxy")):
            invocation.opaque("connects through another host")
        if match is not None:
            invocation.host(Word(match[1]), match[2] if (match[2] or "").isdigit() else "")
        return "network"
    if kind in _FILES or (not colon and "/" in kind):
        path = Word(named or word.text.partition(",")[0])
        if reads and not kind.startswith("creat"):
            invocation.read(path)
        if writes:
            invocation.write(path)
        return ""
    invocation.opaque(f"is given an address of the kind {kind}")
    return ""


# ── Names and scans ─────────────────────────────────────────────────────────────────────

_TYPES = names(
    "a aaaa any axfr caa cname dnskey ds hinfo https loc mx naptr ns nsec nsec3 ptr rrsig rp soa "
    "spf srv sshfp svcb tlsa txt in ch hs"
)
_WITH_VALUE = frozenset({"-b", "-c", "-p", "-t", "-y", "-o", "-w", "-r", "-i"})
_FLAGS = re.compile(r"-[46mruhvVDTSdasb]+|-[ptc]\w+")


@reader
def dig(invocation: Invocation, words: Sequence[Word]) -> None:
    """Each name is asked for at a server, and whoever answers for that name sees it."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        text = word.text
        if text.startswith("+") and word.exact:
            continue
        if text.startswith("@"):
            invocation.host(Word(text[1:], word.exact))
        elif text in _WITH_VALUE and rest:
            rest.pop(0)
        elif text in {"-f", "-k"} and rest:
            if text == "-f":
                invocation.opaque("asks for the names that a file lists")
            invocation.read(rest.pop(0))
        elif text in {"-x", "-q"} and rest:
            invocation.host(rest.pop(0))
        elif text.startswith("-"):
            if _FLAGS.fullmatch(text) is None or not word.exact:
                invocation.unknown(f"does not know option {text}")
        elif not (word.exact and text.lower() in _TYPES):
            invocation.host(word)


@reader
def nslookup(invocation: Invocation, words: Sequence[Word]) -> None:
    """Asks for a name, or takes names and commands from its input."""
    given = take(invocation, words)
    for word in given.operands:
        if word.text != "-":
            invocation.host(word)
    if not given.operands or given.operands[0].text == "-":
        if invocation.where.stdin:
            invocation.opaque("asks for the names that it is given on its input")
        else:
            invocation.act = "interactive"


@reader
def nmap(invocation: Invocation, words: Sequence[Word]) -> None:
    """Scans the hosts that its operands name, nets and ranges as well."""
    given = take(invocation, words)
    apply_options(invocation, given, "-iL", "-oA", "--script")
    listed, outputs = given.value("-iL"), given.value("-oA")
    if listed is not None:
        invocation.opaque("scans the hosts that a file lists")
        invocation.read(listed)
    if outputs is not None:
        for kind in ("nmap", "xml", "gnmap"):
            invocation.write(Word(f"{outputs.text}.{kind}", outputs.exact))
    if given.has("--script"):
        invocation.opaque("runs scripts of its own")
    for word in given.operands:
        if not word.exact or not re.fullmatch(r"[\w.:/*,\[\]-]+", word.text):
            invocation.opaque("scans a host that is only known when it runs")
        else:
            invocation.connect(word.text)


@reader
def openssl_client(invocation: Invocation, words: Sequence[Word]) -> None:
    """`openssl s_client`: a connection that carries what it is given on its input."""
    given = take(invocation, words)
    apply_options(invocation, given)
    port = given.value("-port")
    named = [given.value("-connect") or given.value("-host"), given.value("-proxy")]
    for word in (*named, *given.operands):
        if word is not None:
            invocation.host(word, port.text if port is not None and port.text.isdigit() else "")
