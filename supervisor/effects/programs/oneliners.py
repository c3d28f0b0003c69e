"""Whether short programs in Perl, JavaScript, Ruby, PHP or Lua only compute and print.

A program passes when every name in it is one that only computes. This is strict by far: most
programs that are harmless do not pass either.
"""

from __future__ import annotations

import re

from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.reading import Word

_MAX_TEXT = 4_096


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


def is_pure(invocation: Invocation, language: str, text: str) -> bool:
    """Whether `text` does nothing but compute, print, and the reads that are added."""
    if len(text) > _MAX_TEXT:
        return False
    match language:
        case "perl":
            return _perl(text)
        case "node":
            return _node(invocation, text)
        case "ruby":
            return _words(text, _RUBY)
        case "php":
            return _words(text, _PHP)
        case "lua":
            return _words(text, _LUA)
    return False


# ── Perl ────────────────────────────────────────────────────────────────────────────────

_PERL = _set(
    "print printf say if unless else elsif while until for foreach my our join split map grep sort "
    "reverse keys values each exists defined delete scalar length substr index rindex uc lc "
    "ucfirst lcfirst sprintf push pop shift unshift chomp chop next last redo return x eq ne lt gt "
    "le ge cmp and or not xor q qq qw BEGIN END abs int sqrt hex oct ord chr pos eof close ARGV "
    "STDIN STDOUT STDERR die warn exit strict warnings utf8 use time localtime gmtime sum max min "
    "uniq first log exp sin cos rand srand"
)
_QUOTING = _set("s m y tr qr q qq qw")
_RUNNING = frozenset("`&*<")  # what may run, call or open something, where no value stands
_PAIRS = {"{": "}", "(": ")", "[": "]", "<": ">"}
_RUNS_IN_PERL = re.compile(r"\(\?\??\{|@\{|\$\{|@\[")
_VARIABLE = re.compile(r"[$@%]#?(?:\^?\w+|[&0-9_.,;/\\!@+-])")
_NAME = re.compile(r"[A-Za-z_]\w*")
_LETTERS = re.compile(r"[a-z]*")
_QUOTE_FOLLOWS = re.compile(r"\s*[^\w\s,;=)]")
_KEY_FOLLOWS = re.compile(r"\s*(?:=>|\})")


def _perl(text: str) -> bool:
    at, value = 0, False  # `value`: one stands before, so that a slash divides
    while at < len(text):
        letter = text[at]
        word = _NAME.match(text, at)
        variable = _VARIABLE.match(text, at)
        if letter.isspace():
            at += 1
        elif letter == "#":
            at = (text.find("\n", at) + 1) or len(text)
        elif variable and not (letter == "%" and value):
            at, value = variable.end(), True
        elif letter in "\"'" or (letter == "/" and not value):
            end = _delimited(text, at + 1, letter)
            if end < 0 or (letter != "'" and _RUNS_IN_PERL.search(text[at:end])):
                return False
            at, value = end, True
            if letter == "/":
                at = _past(_LETTERS, text, end)
        elif word and word[0] in _QUOTING and _QUOTE_FOLLOWS.match(text, word.end()):
            at, value = _quoted(text, word[0], word.end()), True
            if at < 0:
                return False
        elif word:
            key = _KEY_FOLLOWS.match(text, word.end()) and text[at - 1 : at] in {"{", ",", " "}
            if word[0] not in _PERL and not key:
                return False
            at, value = word.end(), False
        elif text.startswith(("<>", "<STDIN>"), at):
            at, value = text.index(">", at) + 1, True
        elif text.startswith("&&", at) or (
            letter in "*<" and value and not text.startswith("<<", at)
        ):
            at, value = at + (2 if letter == "&" else 1), False
        elif letter in _RUNNING or text.startswith(("<<", "->", "::"), at):
            return False
        else:
            value = letter in ")]}" or letter.isdigit()
            at += 1
    return True


def _past(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _quoted(text: str, name: str, at: int) -> int:
    """The end of `s/…/…/flags` and its kin; -1 where it may run code."""
    while text[at : at + 1].isspace():
        at += 1
    mark = text[at : at + 1]
    close = _PAIRS.get(mark, mark)
    end = _delimited(text, at + 1, close)
    if end < 0 or (name not in {"q", "qw"} and _RUNS_IN_PERL.search(text[at:end])):
        return -1
    if name in {"s", "y", "tr"}:
        start = end
        if mark in _PAIRS:
            while text[start : start + 1].isspace():
                start += 1
            if text[start : start + 1] != mark:
                return -1
            start += 1
        end = _delimited(text, start, close)
        if end < 0 or _RUNS_IN_PERL.search(text[start:end]):
            return -1
    if name in {"q", "qq", "qw"}:
        return end
    flags = _LETTERS.match(text, end)
    if flags is None or (name == "s" and "e" in flags[0]):
        return -1
    return flags.end()


def _delimited(text: str, at: int, mark: str) -> int:
    """Behind the next `mark` that is not escaped; -1 when there is none."""
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == mark:
            return at + 1
        at += 1
    return -1


# ── JavaScript ──────────────────────────────────────────────────────────────────────────

_JS = re.compile(
    r"""(?P<string>'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\$])*`)
    |(?P<word>[A-Za-z_$][\w$]*)|(?P<number>\d[\w.]*)|(?P<space>\s+|//[^\n]*|/\*.*?\*/)
    |(?P<sign>=>|\?\.|.)""",
    re.VERBOSE | re.DOTALL,
)
_JS_REFUSED = _set(
    "eval Function globalThis global this constructor __proto__ prototype import module exports "
    "arguments Reflect Proxy WebAssembly fetch WebSocket with __defineGetter__ __defineSetter__ "
    "__lookupGetter__ child_process vm worker_threads http https http2 net tls dgram dns cluster "
    "repl inspector v8 fs stream zlib events readline async_hooks trace_events perf_hooks wasi "
    "setPrototypeOf getPrototypeOf mainModule binding dlopen kill getBuiltinModule chdir setuid "
    "createRequire EventSource XMLHttpRequest Worker SharedWorker importScripts sys punycode "
    "domain timers diagnostics_channel string_decoder tty test sqlite sea Bun Deno execSync exec "
    "spawn spawnSync execFile execFileSync fork openStdin reallyExit _linkedBinding Object"
)
_JS_OBJECT = _set("keys values entries fromEntries assign")
_JS_PROCESS = _set(
    "argv env exit version versions platform arch cwd stdout stderr uptime memoryUsage hrtime "
    "exitCode pid title release features"
)
_JS_MODULES = _set("path util url os assert querystring semver")
_JS_READS = _set("readFileSync readdirSync existsSync statSync")
_JS_FILES = re.compile(r"(?:require\((['\"])(?:node:)?fs\1\)|fs)\s*\.\s*(\w+)\(\s*")
_JS_PATH = re.compile(r"(['\"])([^'\"\\]+)\1|0(?=[,)])")
_JS_REQUIRE = re.compile(r"require\((['\"])([^'\"\\]+)\1\)")


def _node(invocation: Invocation, text: str) -> bool:
    tokens = [match for match in _JS.finditer(text) if match.lastgroup != "space"]
    reads: list[str] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        before = tokens[index - 1][0] if index else ""
        after = [match[0] for match in tokens[index + 1 : index + 3]]
        call = _JS_FILES.match(text, token.start()) if before != "." else None
        if call is not None:
            target = _JS_PATH.match(text, call.end())
            if call[2] not in _JS_READS or target is None:
                return False
            if target[0] != "0":
                reads.append(target[2])
            while index < len(tokens) and tokens[index].start() < target.end():
                index += 1
            continue
        if token.lastgroup == "string":
            if token[0][1:-1] in _JS_REFUSED or "\\x" in token[0] or "\\u" in token[0]:
                return False
        elif token.lastgroup == "word":
            if not _js_name(token, before, tokens[index - 2][0] if index > 1 else "", after, reads):
                return False
        elif token[0] == "[" and (before in {")", "]", "?."} or re.fullmatch(r"[\w$]+", before)):
            literal = len(after) == 2 and after[1] == "]" and after[0][0] in "'\"0123456789"
            if not literal and before not in {"return", "of", "in", "case"}:
                return False
        elif token[0] in {"`", "\\", "#", "@"}:
            return False
        index += 1
    for path in reads:
        invocation.read(Word(path))
    return True


def _js_name(
    token: re.Match[str], before: str, owner: str, after: list[str], reads: list[str]
) -> bool:
    """Whether the name `token` only computes; JSON files that it requires go to `reads`."""
    name = token[0]
    if name == "Object" and before != ".":
        return after[:1] == ["."] and after[1] in _JS_OBJECT
    if name in _JS_REFUSED:
        return False
    if before in {".", "?."}:
        return owner != "process" or name in _JS_PROCESS
    if name == "process":
        return after[:1] == ["."]
    if name != "require":
        return True
    wanted = _JS_REQUIRE.match(token.string, token.start())
    if wanted is None:
        return False
    module = wanted[2].removeprefix("node:")
    if module.startswith(("./", "../", "/")) and module.endswith(".json"):
        reads.append(module)
        return True
    return module in _JS_MODULES


# ── Ruby, PHP, Lua ──────────────────────────────────────────────────────────────────────

_RUBY = _set(
    "puts p print RUBY_VERSION RUBY_PLATFORM true false nil length size upcase downcase reverse "
    "sort sum max min map each do end times to_s to_i to_f join split uniq first last if else "
    "unless and or not zip select reject"
)
_PHP = _set(
    "echo print PHP_VERSION PHP_OS PHP_EOL phpversion true false null strlen count json_encode "
    "json_decode date time implode explode array strtoupper strtolower round floor ceil max min "
    "php_sapi_name phpinfo var_dump print_r"
)
_LUA = _set(
    "print tostring tonumber string format rep upper lower len sub _VERSION math floor ceil max "
    "min pi sqrt table concat for do end local in pairs ipairs if then else true false nil and or "
    "not"
)
_PLAIN_STRING = re.compile(r"'(?:[^'\\]|\\[nt'\\])*'|\"(?:[^\"\\#$]|\\[nt\"\\])*\"")
_PLAIN_SIGNS = re.compile(r"[\w\s+\-*/(),.;=<>|&!?:]*")


def _words(text: str, allowed: frozenset[str]) -> bool:
    """Only strings, numbers, plain signs and the names in `allowed`."""
    rest = _PLAIN_STRING.sub(" ", text)
    if not _PLAIN_SIGNS.fullmatch(rest):
        return False
    return all(word in allowed for word in _NAME.findall(rest))
