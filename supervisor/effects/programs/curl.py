"""Clients of HTTP: which method goes to which URL, what is sent, and where the answer is put."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_options
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.options import Given
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.roles import apply
from supervisor.effects.programs.sets import names as _names
from supervisor.effects.reading import Word
from supervisor.model import Verb

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_PORTS = {"ftp": "21", "ftps": "990", "sftp": "22", "scp": "22", "tftp": "69"}
_LOCAL = re.compile(
    r"(?:[a-z]+://)?(?:localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?(?:[/?#].*)?", re.IGNORECASE
)
_OUTPUT = re.compile(r"%output\{(?:>>)?([^}]*)\}")
# Options whose values stay here: all others may leave with the request.
_KEPT = _names(
    "--output --output-document --directory-prefix --output-dir --dump-header --cookie-jar "
    "--max-time --write-out --tries --output-file"
)
_FETCHES = frozenset({"GET", "HEAD", "OPTIONS"})
_DATA = _names("-d --data --data-ascii --data-binary --data-raw --data-urlencode")


# ── curl ────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Transfer:
    """The options between two `--next`, as far as they matter together."""

    urls: list[Word] = field(default_factory=list)
    outputs: list[Word] = field(default_factory=list)
    named: bool = False  # -O: files are called as the URL's path ends
    method: Word | None = None
    sends: str = ""  # the method that the data asks for
    query: bool = False  # -G: the data goes into the URL
    head: bool = False
    directory: Word | None = None
    anonymous: bool = True  # nothing that is only known when it runs is sent along
    files: bool = False  # a file goes into the address or the headers


@reader
def curl(invocation: Invocation, words: Sequence[Word]) -> None:
    """Every option by its role; the data's options decide the method unless -X names it."""
    rest = list(words)
    while rest:
        ends = [index for index, word in enumerate(rest) if word.text in {"--next", "-:"}]
        end = ends[0] if ends else len(rest)
        given = take(invocation, rest[:end])
        transfer = _Transfer()
        for option, value in given.options:
            if value is None:
                _flag(invocation, transfer, option.names[0])
            else:
                _option(invocation, transfer, frozenset(option.names), value)
        transfer.urls += given.operands
        _transfer(invocation, transfer)
        rest = rest[end + 1 :]


def _flag(invocation: Invocation, transfer: _Transfer, name: str) -> None:
    match name:
        case "-O" | "--remote-name" | "--remote-name-all":
            transfer.named = True
        case "-G" | "--get":
            transfer.query = True
        case "-I" | "--head":
            transfer.head = True
        case "-n" | "--netrc" | "--netrc-optional":
            invocation.read(Word(f"{invocation.where.place.home}/.netrc"))
        case _:
            pass


def _option(
    invocation: Invocation, transfer: _Transfer, names: frozenset[str], value: Word
) -> None:
    if not value.exact and not names & _KEPT:
        transfer.anonymous = False
    if "--json" in names or names & _DATA:
        transfer.sends = transfer.sends or "POST"
        transfer.files |= _data(invocation, names, value)
    elif "--url-query" in names:
        transfer.files |= _data(invocation, frozenset({"--data-urlencode"}), value)
    elif "-H" in names:
        transfer.files |= value.text.startswith("@")
        _at(invocation, value)
    elif "--form-string" in names:
        transfer.sends = "POST"
    elif "-F" in names:
        transfer.sends = "POST"
        _form(invocation, value)
    elif "-T" in names:
        transfer.sends = "PUT"
        if value.text not in {"-", "."}:
            invocation.read(value)
    elif "-X" in names:
        transfer.method = value
    elif "--url" in names:
        transfer.urls.append(value)
    elif "-o" in names:
        transfer.outputs.append(value)
    elif "--output-dir" in names:
        transfer.directory = value
    elif "-b" in names:
        if value.exact and "=" not in value.text and value.text:
            invocation.read(value)
    elif "-E" in names:
        invocation.read(replace(value, text=value.text.partition(":")[0]))
    elif "-x" in names:
        _proxy(invocation, value)
    elif "--unix-socket" in names:
        invocation.read(value)
        invocation.write(value)
    elif "--resolve" in names:
        _addresses(invocation, value)
    elif "-w" in names:
        _at(invocation, value)
        for path in _OUTPUT.findall(value.text):
            invocation.write(Word(path, exact=value.exact))
    elif "-K" in names:
        invocation.opaque("takes options from a file")
        apply(invocation, "read", value)
    elif "-u" in names or "-A" in names or "-e" in names:
        pass
    else:
        role = invocation.table.options[next(iter(names))].role or "text"
        if role == "at-read":
            _at(invocation, value)
        else:
            apply(invocation, role, value)


def _at(invocation: Invocation, value: Word) -> None:
    """A value that is a file when it begins with `@`."""
    if value.text.startswith("@"):
        apply(invocation, "read", replace(value, text=value.text[1:]))
    elif not value.exact and not value.text:
        invocation.opaque("may send a file that is only known when it runs")


def _data(invocation: Invocation, names: frozenset[str], value: Word) -> bool:
    """Whether the data comes from a file."""
    if "--data-raw" in names:
        return False
    text = value.text
    if "--data-urlencode" in names and "=" not in text.partition("@")[0]:
        text = "@" + text.partition("@")[2] if "@" in text else ""
    _at(invocation, replace(value, text=text))
    return text.startswith("@")


def _form(invocation: Invocation, value: Word) -> None:
    _, _, content = value.text.partition("=")
    if content[:1] in {"@", "<"}:
        for part in content[1:].split(";", 1)[0].split(","):
            apply(invocation, "read", replace(value, text=part.strip('"')))
    elif not value.exact:
        invocation.opaque("may send a file that is only known when it runs")
    elif ";headers=@" in content or ";headers=<" in content:
        invocation.opaque("sends headers from a file")


def _proxy(invocation: Invocation, value: Word) -> None:
    address = value.text if "://" in value.text else f"http://{value.text}"
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", str(parts.port or "")
    except ValueError:
        host, port = "", ""
    if host and value.exact:
        invocation.connect(host, port)
    elif value.text or not value.exact:
        invocation.opaque("goes through a proxy that cannot be read")


def _addresses(invocation: Invocation, value: Word) -> None:
    """`HOST:PORT:ADDRESS[,ADDRESS]` or `HOST1:PORT1:HOST2:PORT2`."""
    match = re.fullmatch(r"[+-]?[^:]*:(\d*):(\[[^\]]*\]|[^:,]*)(?::(\d*)|(?:,.*)?)", value.text)
    if match is None or not value.exact or "," in value.text:
        invocation.opaque("connects to addresses that cannot be read")
    elif match[2]:
        invocation.connect(match[2], match[3] or match[1])


def _transfer(invocation: Invocation, transfer: _Transfer) -> None:
    if transfer.method is not None and not transfer.method.exact:
        invocation.opaque("uses a method that is only known when it runs")
    method = "GET" if transfer.query else transfer.sends or "GET"
    if transfer.head:
        method = "HEAD"
    if transfer.method is not None:
        method = transfer.method.text.upper() or "GET"
    if transfer.sends and not transfer.query and method in _FETCHES:
        method = transfer.sends  # a fetch that carries data is judged as what it does: it sends
    for url in transfer.urls:
        if transfer.files and method in _FETCHES and not _LOCAL.fullmatch(url.text):
            invocation.opaque("puts a file into the address or the headers")
        if not transfer.anonymous and not _LOCAL.fullmatch(url.text):
            invocation.opaque("sends along what is only known when it runs")
        _request(invocation, url, method)
    outputs = list(transfer.outputs)
    for output in outputs:
        if output.text != "-":
            invocation.write(_below(transfer.directory, output))
        if re.search(r"#\d", output.text):
            invocation.opaque("names files by what it fetches")
    if transfer.named:
        for url in transfer.urls[len(outputs) :]:
            invocation.write(_below(transfer.directory, _file_name(url)))


def _request(invocation: Invocation, url: Word, method: str) -> None:
    scheme = _SCHEME.match(url.text)
    kind = scheme[1].lower() if scheme else ""
    if kind in {"", "http", "https", "file"}:
        authority = url.text.partition("://")[2].partition("/")[0] if scheme else url.text
        if re.search(r"[{}]", authority.partition("/")[0]):
            invocation.opaque("fetches from several hosts at once")
        invocation.url(url, method)
        return
    try:
        parts = urlsplit(url.text)
        host, port = parts.hostname or "", str(parts.port or _PORTS.get(kind, ""))
    except ValueError:
        host, port = "", ""
    if host and url.exact:
        invocation.connect(host, port)
    if kind not in _PORTS or not host or not url.exact:
        invocation.opaque(f"speaks {kind} with an address that cannot be read further")


def _below(directory: Word | None, name: Word) -> Word:
    if directory is None:
        return name
    return Word(f"{directory.text}/{name.text}", directory.exact and name.exact)


def _file_name(url: Word) -> Word:
    """What the end of a URL's path makes as the name of a file, `.` where nobody knows."""
    path = re.sub(r"[?#].*", "", url.text.partition("://")[2] or url.text)
    name = path.rpartition("/")[2] if "/" in path else ""
    return Word(name or ".", exact=url.exact)


# ── wget ────────────────────────────────────────────────────────────────────────────────


@reader
def wget(invocation: Invocation, words: Sequence[Word]) -> None:
    """Without -O the file is called as the URL ends; a recursive fetch fills a directory."""
    given = take(invocation, words)
    apply_options(invocation, given, "-O", "-P", "-i")
    method = "HEAD" if given.has("--spider") else "GET"
    sends = given.has("--post-file", "--post-data", "--body-file", "--body-data")
    if sends:
        method = "POST"
    named = given.value("--method")
    if named is not None and not (sends and named.text.upper() in _FETCHES):
        method = named.text.upper()
    if named is not None and not named.exact:
        invocation.opaque("uses a method that is only known when it runs")
    inexact = any(
        value is not None and not value.exact and not set(option.names) & _KEPT
        for option, value in given.options
    )
    for url in given.operands:
        if inexact and not _LOCAL.fullmatch(url.text):
            invocation.opaque("sends along what is only known when it runs")
        _request(invocation, url, method)
    listed = given.value("-i")
    if listed is not None:
        invocation.opaque("fetches what a file lists")
        apply(invocation, "read", listed)
    _wget_output(invocation, given)


def _wget_output(invocation: Invocation, given: Given) -> None:
    directory, output = given.value("-P"), given.value("-O")
    if given.has("--spider"):
        return
    if output is not None:
        if output.text != "-":
            invocation.write(output)
    elif given.has("-r", "--recursive", "-m", "--mirror", "-p", "--page-requisites", "-i"):
        invocation.write(directory or Word("."))
    else:
        for url in given.operands:
            name = _file_name(url)
            if given.has("--content-disposition", "--trust-server-names"):
                name = Word(".")
            elif name.text == ".":
                name = replace(name, text="index.html")
            invocation.write(_below(directory, name))


# ── HTTPie and xh ───────────────────────────────────────────────────────────────────────

_ITEM = re.compile(r"((?:\\.|[^:=@\\])*)(:=@|:=|==@|==|=@|=|:@|:|@)(.*)", re.DOTALL)


@reader
def httpie(invocation: Invocation, words: Sequence[Word]) -> None:
    """`[METHOD] URL ITEM…`: items are headers, parameters of the query, or data."""
    given = take(invocation, words)
    apply_options(invocation, given, "--proxy", "--verify")
    for option, value in given.options:
        if "--proxy" in option.names and value is not None:
            _proxy(invocation, replace(value, text=value.text.partition(":")[2]))
        if "--verify" in option.names and value is not None and "/" in value.text:
            invocation.read(value)
    rest = list(given.operands)
    if not rest:
        return
    method = ""
    if len(rest) > 1 and re.fullmatch(r"[A-Za-z]+", rest[0].text):
        method = rest.pop(0).text.upper()
    url = rest.pop(0)
    for option, value in given.options:
        if value is not None and not value.exact and not set(option.names) & _KEPT:
            invocation.opaque("sends along what is only known when it runs")
    sends = given.has("--raw") or (
        invocation.where.stdin != "" and not given.has("-I", "--ignore-stdin")
    )
    for item, sent, path in _items(rest):
        sends = sends or sent or path != ""
        if not item.exact and not _LOCAL.fullmatch(url.text):
            invocation.opaque("sends along what is only known when it runs")
        if path:
            apply(invocation, "read", replace(item, text=path))
    if url.text.startswith(":"):
        url = replace(
            url, text=f"http://localhost{url.text if url.text[1:2].isdigit() else url.text[1:]}"
        )
    if not given.has("--offline"):
        if sends and method in {*_FETCHES, ""}:
            method = "POST"
        invocation.url(url, method or "GET")
    if given.has("-d", "--download") and not given.has("-o", "--output"):
        invocation.file(Verb.WRITE, _file_name(url))


def _items(words: Sequence[Word]) -> Iterator[tuple[Word, bool, str]]:
    """Each item, whether it is data, and the file that it names."""
    for word in words:
        match = _ITEM.match(word.text)
        separator = match[2] if match else "="
        path = match[3].partition(";type=")[0] if match and separator.endswith("@") else ""
        yield word, separator in {"=", ":=", "@", "=@", ":=@"}, path
