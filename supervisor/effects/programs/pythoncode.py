"""Reads Python source text: a small part of the language whose effects can be told beforehand.

What a text names is found also where the text as a whole cannot be read: more effects are only
stricter. Code that it imports from the workspace is the project's own.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Sequence
from dataclasses import replace

from supervisor.effects.files import within
from supervisor.effects.programs.generic import resolve
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.reading import Word

_MAX_TEXT = 65_536


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


_BUILTINS = _set(
    "abs all any ascii bin bool bytearray bytes callable chr complex dict dir divmod enumerate "
    "filter float format frozenset hasattr hash hex id int isinstance issubclass iter len list "
    "map max min next object oct ord pow print range repr reversed round set slice sorted str "
    "sum tuple type zip open exit quit __name__ __file__ True False None NotImplemented "
    "Ellipsis Exception BaseException ValueError TypeError KeyError IndexError AttributeError "
    "OSError IOError RuntimeError AssertionError ImportError ModuleNotFoundError "
    "FileNotFoundError StopIteration KeyboardInterrupt SystemExit UnicodeDecodeError "
    "UnicodeError ZeroDivisionError NameError NotImplementedError OverflowError PermissionError "
    "ArithmeticError LookupError"
)
# Modules of which every public name only calculates.
_PURE = _set(
    "json re math cmath random string textwrap base64 hashlib hmac statistics decimal fractions "
    "collections itertools functools datetime time calendar struct uuid platform dataclasses "
    "pprint bisect heapq unicodedata html difflib copy enum tomllib ast keyword token "
    "urllib.parse xml.etree.ElementTree importlib.metadata zoneinfo colorsys csv binascii "
    "secrets numbers array abc locale zlib ipaddress shlex fnmatch posixpath ntpath stat errno "
    "contextlib collections.abc os.path sysconfig __future__ graphlib reprlib packaging "
    "packaging.version toml"
)
# Names of modules that also do other things; these only look or calculate.
_HARMLESS = _set(
    "os.getcwd os.environ os.environ.get os.getenv os.sep os.linesep os.name os.cpu_count "
    "os.getpid os.getuid os.getgid os.uname os.path os.pathsep os.extsep os.curdir os.devnull "
    "os.getppid os.get_terminal_size os.environ.items os.environ.keys os.environ.values "
    "os.urandom os.fspath sys.argv sys.exit sys.stdin sys.stdout sys.stderr sys.version "
    "sys.version_info sys.platform sys.path sys.executable sys.prefix sys.base_prefix "
    "sys.maxsize sys.byteorder sys.getsizeof sys.stdin.read sys.stdin.buffer sys.stdin.readline "
    "sys.stdin.readlines sys.implementation sys.stdout.write sys.stdout.buffer sys.stdout.flush "
    "sys.stderr.write sys.stdin.buffer.read sys.stdout.buffer.write sys.getdefaultencoding "
    "sys.getrecursionlimit sys.float_info sys.flags sys.getrefcount sys.api_version "
    "sys.builtin_module_names sys.stdlib_module_names pathlib.Path pathlib.PurePath "
    "pathlib.PosixPath pathlib.Path.cwd pathlib.Path.home pathlib.PurePosixPath shutil.which "
    "shutil.disk_usage shutil.get_terminal_size importlib.util.find_spec socket.gethostname "
    "getpass.getuser tempfile.gettempdir sqlite3.sqlite_version ssl.OPENSSL_VERSION io.StringIO "
    "io.BytesIO io.TextIOWrapper inspect.signature inspect.getsource inspect.getdoc "
    "inspect.getfile inspect.isclass inspect.isfunction inspect.cleandoc operator.itemgetter "
    "operator.add operator.mul operator.sub operator.eq operator.lt operator.gt "
    "traceback.print_exc traceback.format_exc typing.Any typing.Optional typing.Union "
    "typing.List typing.Dict typing.NamedTuple warnings.filterwarnings warnings.simplefilter "
    "yaml.safe_load yaml.safe_load_all yaml.safe_dump yaml.dump site.getsitepackages "
    "html.escape"
)
_METHODS = _set(
    "append extend insert pop remove clear index count sort reverse copy get items keys values "
    "setdefault update popitem add discard union intersection difference symmetric_difference "
    "issubset issuperset join split rsplit splitlines strip lstrip rstrip startswith endswith "
    "removeprefix removesuffix upper lower title capitalize swapcase casefold center ljust "
    "rjust zfill find rfind rindex replace encode decode format format_map isdigit isalpha "
    "isalnum isspace isupper islower isnumeric isdecimal isidentifier isascii istitle partition "
    "rpartition translate maketrans expandtabs hex fromhex to_bytes from_bytes bit_length "
    "as_integer_ratio is_integer conjugate group groups groupdict span start end match "
    "fullmatch search sub subn findall finditer expand read readline readlines write writelines "
    "flush close seek tell readable writable isoformat strftime timestamp date time weekday "
    "isoweekday isocalendar total_seconds astimezone utctimetuple timetuple toordinal digest "
    "hexdigest most_common elements appendleft popleft rotate quantize normalize "
    "to_integral_value as_tuple is_nan sqrt getroot findtext iter iterfind itertext text attrib "
    "tostring writerow writeheader writerows joinpath with_suffix with_name with_stem "
    "relative_to is_relative_to as_posix as_uri parent parts name stem suffix suffixes "
    "is_absolute match cache_clear cache_info __len__ __repr__ __str__"
)
_READING = _set(
    "read_text read_bytes exists is_file is_dir stat lstat iterdir glob rglob is_symlink "
    "resolve absolute expanduser samefile readlink owner group walk"
)
_LOOKING = _set(
    "exists is_file is_dir stat lstat is_symlink resolve absolute expanduser samefile readlink "
    "owner group"
)
_WRITING = _set("write_text write_bytes touch mkdir chmod")
_REMOVING = _set("unlink rmdir")
_SEEN = _set(
    "__version__ __name__ __file__ __doc__ __all__ __path__ VERSION version __annotations__ "
    "__len__ __repr__ __str__ __module__ __qualname__ __spec__ __package__"
)
_LITERAL_CALLS = _set("pathlib.Path pathlib.PosixPath pathlib.PurePath")
_PROGRAMS = _set(
    "subprocess.run subprocess.call subprocess.check_call subprocess.check_output subprocess.Popen"
)
_TEXTS = _set(
    "os.system os.popen subprocess.getoutput subprocess.getstatusoutput commands.getoutput"
)
_DELETES = _set("os.remove os.unlink os.rmdir os.removedirs")
_MAKES = _set("os.mkdir os.makedirs os.chmod os.chown os.utime os.truncate os.mkfifo os.mknod")
_COPIES = _set("shutil.copy shutil.copy2 shutil.copyfile shutil.copytree shutil.copymode")
_MOVES = _set("shutil.move os.rename os.replace os.renames")
_LOOKS = _set(
    "os.listdir os.scandir os.walk os.stat os.access os.lstat os.readlink glob.glob glob.iglob"
)
_REQUESTS = {
    f"{module}.{name}": name.upper()
    for module in ("requests", "httpx")
    for name in ("get", "post", "put", "delete", "patch", "head", "options")
}
_FETCHES = _set("urllib.request.urlopen urllib.request.urlretrieve urllib.request.Request")
_STATEMENTS = (
    ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.For, ast.While, ast.If, ast.With,
    ast.Import, ast.ImportFrom, ast.FunctionDef, ast.Return, ast.Pass, ast.Break, ast.Continue,
    ast.Try, ast.Assert, ast.Raise, ast.Delete,
)  # fmt: skip


def read_python(invocation: Invocation, text: str, arguments: Sequence[Word] = ()) -> None:
    """Add what the Python program `text` would do, run with `arguments` (`sys.argv[1:]`)."""
    if len(text) > _MAX_TEXT:
        invocation.opaque("runs a text that is too long to read")
        return
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        invocation.opaque("runs a text that is no Python we can read")
        return
    try:
        _Reader(invocation, arguments).module(tree)
    except RecursionError:
        invocation.opaque("runs a text that is nested too deep to read")


class _Reader:
    """One text. `self.names` says what names stand for: "os.path", or "" for a value."""

    def __init__(self, invocation: Invocation, arguments: Sequence[Word]) -> None:
        self.invocation = invocation
        self.arguments = arguments
        self.names: dict[str, str] = {}
        self.project: set[str] = set()  # modules of the workspace
        self.foreign: set[str] = set()  # modules that were installed
        self.values: dict[str, list[ast.expr]] = {}
        self.below: dict[str, Word] = {}  # variables of loops over what lies in a directory

    def opaque(self, why: str) -> None:
        self.invocation.opaque(why)

    def module(self, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            self.declare(node)
        for node in ast.walk(tree):
            self.loops(node)
        for node in ast.walk(tree):
            if isinstance(node, ast.stmt) and not isinstance(node, _STATEMENTS):
                self.opaque("runs Python that cannot be read beforehand")
        self.visit(tree)

    # ── Names ───────────────────────────────────────────────────────────────────────────

    def declare(self, node: ast.AST) -> None:
        """What `node` makes names mean."""
        match node:
            case ast.Import():
                for alias in node.names:
                    self.imported(alias.name)
                    bound = alias.name if alias.asname else alias.name.partition(".")[0]
                    self.bind(alias.asname or bound, bound)
            case ast.ImportFrom():
                module = node.module or ""
                if node.level:
                    module = "." + module
                self.imported(module)
                for alias in node.names:
                    if alias.name == "*" and not self.is_project(module):
                        self.opaque(f"imports everything from {module}")
                    self.bind(alias.asname or alias.name, f"{module}.{alias.name}")
            case ast.FunctionDef():
                self.bind(node.name, "")
            case ast.arg():
                self.bind(node.arg, "")
            case ast.Name(ctx=ast.Store() | ast.Del()):
                self.bind(node.id, "")
                self.values.setdefault(node.id, [])
            case ast.ExceptHandler(name=str(name)):
                self.bind(name, "")
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self.values.setdefault(name, []).append(value)
            case ast.With(items=items):
                for item in items:
                    if isinstance(item.optional_vars, ast.Name):
                        self.values.setdefault(item.optional_vars.id, []).append(item.context_expr)

    def bind(self, name: str, qualified: str) -> None:
        """`name` stands for `qualified`; one that stands for several things is not followed."""
        if self.names.setdefault(name, qualified) != qualified:
            self.opaque(f"gives {name} several meanings")

    def loops(self, node: ast.AST) -> None:
        match node:
            case (
                ast.For(target=ast.Name(id=name), iter=source)
                | ast.comprehension(target=ast.Name(id=name), iter=source)
            ):
                found = self.directory(source)
                if found is not None:
                    self.below[name] = found
                else:
                    self.below.pop(name, None)

    def directory(self, node: ast.expr) -> Word | None:
        """The files that `node` iterates over, as a path with a wildcard."""
        match node:
            case ast.Call(func=ast.Name(id="sorted" | "list" | "set"), args=[inner, *_]):
                return self.directory(inner)
            case ast.Call(func=ast.Attribute(value=value, attr="glob" | "rglob" | "iterdir")):
                base = self.path(value)
                if base is not None:
                    return Word(base.text.rstrip("/") + "/*", base.exact, glob=True)
        if isinstance(node, ast.Call) and self.qualified(node.func) in {"glob.glob", "glob.iglob"}:
            pattern = self.path(node.args[0]) if node.args else None
            return replace(pattern, glob=True) if pattern is not None else None
        return None

    def imported(self, module: str) -> None:
        top = module.partition(".")[0]
        if module.startswith(".") or self.in_workspace(top):
            self.project.add(top)
            self.invocation.act = self.invocation.act or "project"
        elif top not in sys.stdlib_module_names and module not in _PURE:
            self.foreign.add(top)

    def is_project(self, qualified: str) -> bool:
        return qualified.startswith(".") or qualified.partition(".")[0] in self.project

    def in_workspace(self, top: str) -> bool:
        cwd = self.invocation.where.cwd
        if not cwd or not top.isidentifier() or self.invocation.where.elsewhere:
            return False
        return any(
            os.path.lexists(os.path.join(cwd, folder, top + ending))
            for folder in ("", "src")
            for ending in (".py", "")
        )

    def qualified(self, node: ast.expr) -> str:
        """`os.path.join` for what stands for it; "" for anything that is not of a module."""
        match node:
            case ast.Name(id=name):
                return self.names.get(name, "")
            case ast.Attribute(value=value, attr=attr):
                base = self.qualified(value)
                return f"{base}.{attr}" if base else ""
            case ast.Call(
                func=ast.Name(id="__import__"), args=[ast.Constant(value=str(module)), *_]
            ):
                return module
        return ""

    # ── Expressions ─────────────────────────────────────────────────────────────────────

    def visit(self, node: ast.AST) -> None:
        match node:
            case ast.Call():
                self.call(node)
                return
            case ast.Attribute():
                self.attribute(node)
                return
            case ast.Name(id=name, ctx=ast.Load()):
                if name not in self.names and name not in _BUILTINS:
                    self.opaque(f"uses {name}")
                elif name not in self.names and name == "open":
                    self.opaque("hands on how files are opened")
                elif qualified := self.names.get(name, ""):
                    self.named(qualified)
                    if "." not in qualified and not self.is_project(qualified):
                        self.opaque(f"hands on the module {qualified}")
                return
            case ast.Import() | ast.ImportFrom():
                return
            case ast.Await() | ast.Yield() | ast.YieldFrom() | ast.AsyncFor() | ast.AsyncWith():
                self.opaque("runs Python that cannot be read beforehand")
            case ast.FunctionDef(decorator_list=[_, *_]):
                self.opaque("runs Python that cannot be read beforehand")
        for child in ast.iter_child_nodes(node):
            self.visit(child)

    def named(self, qualified: str) -> None:
        """A name of a module is used as a value."""
        top, _, rest = qualified.partition(".")
        if self.is_project(qualified):
            return
        if top in self.foreign:
            if rest and qualified.rpartition(".")[2] not in _SEEN:
                self.opaque(f"uses {qualified}")
            return
        if not rest or qualified in _HARMLESS or qualified in _PURE:
            return
        if any(known.startswith(qualified + ".") for known in _PURE):
            return  # `xml.etree`, on the way to a module that only calculates
        module, _, name = qualified.rpartition(".")
        while module:
            if module in _PURE:
                tail = qualified[len(module) + 1 :].split(".")
                if not any(
                    (part in sys.stdlib_module_names and part != module.rpartition(".")[2])
                    or (part.startswith("_") and part not in _SEEN)
                    for part in tail
                ):
                    return
                break
            if module in _HARMLESS and name in _METHODS | _READING:
                return
            module, _, _ = module.rpartition(".")
        self.opaque(f"uses {qualified}")

    def attribute(self, node: ast.Attribute) -> None:
        qualified = self.qualified(node)
        if qualified:
            self.named(qualified)
            return
        if node.attr.startswith("_") and node.attr not in _SEEN and not self.of_project(node):
            self.opaque(f"uses {node.attr}")
        self.visit(node.value)

    def of_project(self, node: ast.AST) -> bool:
        """Whether a value comes from code of the workspace."""
        return any(
            isinstance(part, ast.Name) and self.is_project(self.names.get(part.id, "x"))
            for part in ast.walk(node)
        )

    def call(self, node: ast.Call) -> None:
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            self.visit(argument)
        qualified = self.qualified(node.func)
        if qualified:
            self.function(node, qualified)
        elif isinstance(node.func, ast.Name):
            self.builtin(node, node.func.id)
        elif isinstance(node.func, ast.Attribute):
            self.method(node, node.func)
        else:
            self.visit(node.func)

    def builtin(self, node: ast.Call, name: str) -> None:
        if name in self.names:
            return
        if name == "open":
            self.opened(node, node.args[0] if node.args else None, 1)
        elif name in {"eval", "exec"} and node.args:
            source = node.args[0]
            if isinstance(source, ast.Constant) and isinstance(source.value, str):
                read_python(self.invocation, source.value)
            self.opaque(f"uses {name}")
        elif name not in _BUILTINS:
            self.opaque(f"uses {name}")

    def opened(self, node: ast.Call, target: ast.expr | None, position: int) -> None:
        """`open(path, mode)` or `path.open(mode)`."""
        mode: ast.expr | None = node.args[position] if len(node.args) > position else None
        for keyword in node.keywords:
            if keyword.arg == "mode":
                mode = keyword.value
            elif keyword.arg == "opener":
                self.opaque("opens files in a way of its own")
        letters = mode.value if isinstance(mode, ast.Constant) else None
        if mode is not None and not isinstance(letters, str):
            self.opaque("opens a file in a mode that is only known when it runs")
            letters = "r+"
        letters = letters if isinstance(letters, str) else "r"
        path = self.path(target) if target is not None else None
        if path is None:
            self.opaque("opens a file that is only known when it runs")
            return
        if not set("wax") & set(letters):
            self.invocation.read(path)
        if set("wax+") & set(letters):
            self.invocation.write(path)

    def mode(self, given: Sequence[ast.expr]) -> None:
        """Permissions that are set: with those of setuid or setgid, rights are given away."""
        value = given[0].value if given and isinstance(given[0], ast.Constant) else None
        if not isinstance(value, int) or value & 0o6000:
            self.opaque("sets permissions that may give rights away")

    def function(self, node: ast.Call, qualified: str) -> None:
        """A function of a module is called."""
        first = node.args[0] if node.args else None
        invocation = self.invocation
        if qualified in _DELETES | {"shutil.rmtree"}:
            path = self.needed(first)
            if path is not None and qualified == "shutil.rmtree":
                invocation.clear(path)
            elif path is not None:
                invocation.delete(path)
        elif qualified in _MAKES:
            path = self.needed(first)
            if path is not None:
                invocation.write(path)
            if qualified == "os.chmod":
                self.mode(node.args[1:2])
        elif qualified in _COPIES | _MOVES:
            source, target = self.needed(first), self.needed(node.args[1:2] and node.args[1])
            if source is not None:
                invocation.read(source)
                if qualified in _MOVES:
                    invocation.delete(source)
            if target is not None:
                invocation.write(target)
        elif qualified in _LOOKS:
            path = self.path(first) if first is not None else Word(".")
            if path is not None:
                invocation.read(path)
        elif qualified in _PROGRAMS:
            self.program(node, first)
        elif qualified in _TEXTS:
            text = first.value if isinstance(first, ast.Constant) else None
            if isinstance(text, str):
                invocation.script(Word(text))
            else:
                self.opaque("runs a command that is only known when it runs")
        elif qualified in _REQUESTS or qualified in _FETCHES:
            address = first.value if isinstance(first, ast.Constant) else None
            data = any(keyword.arg == "data" for keyword in node.keywords) or len(node.args) > 1
            method = _REQUESTS.get(qualified, "POST" if data else "GET")
            if isinstance(address, str):
                invocation.url(Word(address), method)
            else:
                self.opaque("fetches an address that is only known when it runs")
        elif qualified.startswith("sys.path."):
            path = self.path(node.args[-1]) if node.args else None
            where = invocation.where
            cwd = where.cwd or "/"
            if path is None or not within(resolve(path.text, cwd), where.place.workspace):
                self.opaque("changes where modules are found")
            invocation.act = invocation.act or "project"
        elif qualified == "xml.etree.ElementTree.parse":
            path = self.path(first) if first is not None else None
            if path is not None:
                invocation.read(path)
            elif not isinstance(first, ast.Attribute):
                self.opaque("reads a file that is only known when it runs")
        elif qualified == "os.kill":
            invocation.act = "signal"
        elif qualified == "io.open":
            self.opened(node, first, 1)
        elif qualified.startswith("io.open") or qualified in {"io.FileIO", "tokenize.open"}:
            self.opaque(f"uses {qualified}")
        elif qualified in _LITERAL_CALLS or qualified.startswith("os.path."):
            return
        else:
            self.named(qualified)

    def method(self, node: ast.Call, function: ast.Attribute) -> None:
        """A method of a value is called."""
        name, value = function.attr, function.value
        invocation = self.invocation
        self.visit(value)
        path = self.path(value)
        if name == "open":
            self.opened(node, value, 0)
        elif name in _WRITING | _REMOVING or (
            name in {"rename", "replace"} and len(node.args) == 1
        ):
            if path is None:
                if not self.of_project(value):
                    self.opaque("changes a file that is only known when it runs")
                return
            if name in _WRITING:
                invocation.write(path)
                if name == "chmod":
                    self.mode(node.args[:1])
            else:
                invocation.delete(path)
            if name in {"rename", "replace"}:
                target = self.needed(node.args[0])
                if target is not None:
                    invocation.write(target)
        elif name in _READING - _METHODS:
            if path is not None and name not in _LOOKING:
                invocation.read(path)
            elif path is None and name not in _LOOKING and not self.of_project(value):
                self.opaque("reads a file that is only known when it runs")
        elif name not in _METHODS and not self.of_project(value):
            self.opaque(f"calls {name} of a value")

    def program(self, node: ast.Call, first: ast.expr | None) -> None:
        invocation = self.invocation
        shell = False
        where = invocation.deeper()
        for keyword in node.keywords:
            if keyword.arg == "shell":
                shell = not (isinstance(keyword.value, ast.Constant) and not keyword.value.value)
            elif keyword.arg == "cwd":
                path = self.path(keyword.value)
                cwd = resolve(path.text, where.cwd) if path is not None and path.exact else ""
                where = replace(where, cwd=cwd)
            elif keyword.arg in {"env", "executable", "preexec_fn", "stdin", "input"}:
                self.opaque("runs a program in an environment of its own")
        match first:
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                words = [
                    Word(part.value)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                    else Word("", exact=False)
                    for part in parts
                ]
                invocation.run(words, where)
            case ast.Constant(value=str(text)) if shell:
                invocation.script(Word(text), where)
            case ast.Constant(value=str(text)):
                invocation.run([Word(text)], where)
            case _:
                self.opaque("runs a program that is only known when it runs")

    # ── Paths ───────────────────────────────────────────────────────────────────────────

    def needed(self, node: ast.expr | list[ast.expr] | None) -> Word | None:
        path = self.path(node) if isinstance(node, ast.expr) else None
        if path is None:
            self.opaque("changes a file that is only known when it runs")
        return path

    def path(self, node: ast.expr, depth: int = 0) -> Word | None:
        """The path that an expression stands for, None when that is not known."""
        if depth > 8:
            return None
        match node:
            case ast.Constant(value=str(text)):
                return Word(text)
            case ast.Constant(value=0):
                return Word("/dev/stdin")
            case ast.Name(id=name):
                if name in self.below:
                    return self.below[name]
                values = self.values.get(name, [])
                stored = self.names.get(name) == "" and len(values) == 1
                return self.path(values[0], depth + 1) if stored else None
            case ast.BinOp(left=left, op=ast.Div() | ast.Add() as operator, right=right):
                one, other = self.path(left, depth + 1), self.path(right, depth + 1)
                if one is None or other is None:
                    return None
                joined = one.text + other.text
                if isinstance(operator, ast.Div):
                    joined = os.path.join(one.text, other.text)
                return Word(joined, one.exact and other.exact, one.glob or other.glob)
            case ast.Subscript(value=value, slice=ast.Constant(value=int(index))):
                if self.qualified(value) == "sys.argv" and 0 < index <= len(self.arguments):
                    return self.arguments[index - 1]
                return None
            case ast.Call(func=function, args=arguments):
                return self.called_path(function, arguments, depth + 1)
        return None

    def called_path(
        self, function: ast.expr, arguments: Sequence[ast.expr], depth: int
    ) -> Word | None:
        qualified = self.qualified(function)
        home = self.invocation.where.place.home
        if qualified in _LITERAL_CALLS | {"os.path.join"}:
            parts = [self.path(argument, depth) for argument in arguments]
            if not parts:
                return Word(".")
            known = [part for part in parts if part is not None]
            if len(known) < len(parts):
                return None
            text = os.path.join(*(part.text for part in known))
            return Word(text, all(part.exact for part in known), any(p.glob for p in known))
        if qualified == "pathlib.Path.home":
            return Word(home)
        if qualified in {"pathlib.Path.cwd", "os.getcwd"}:
            return Word(".")
        if qualified == "os.path.expanduser" and arguments:
            path = self.path(arguments[0], depth)
            if path is not None and path.text.startswith("~/"):
                return replace(path, text=home + path.text[1:])
            return None
        if isinstance(function, ast.Attribute) and function.attr in {"resolve", "absolute"}:
            return self.path(function.value, depth)
        if isinstance(function, ast.Attribute) and function.attr == "expanduser":
            path = self.path(function.value, depth)
            if path is not None and path.text.startswith("~/"):
                return replace(path, text=home + path.text[1:])
            return path
        if isinstance(function, ast.Attribute) and function.attr == "joinpath":
            base = self.path(function.value, depth)
            rest = self.path(arguments[0], depth) if len(arguments) == 1 else None
            if base is not None and rest is not None:
                return replace(base, text=os.path.join(base.text, rest.text))
        return None
