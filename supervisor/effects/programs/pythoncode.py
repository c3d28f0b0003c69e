"""Reads Python source text: a small part of the language whose effects can be told beforehand.

What a text names is found also where the text as a whole cannot be read: more effects are only
stricter. Code that it imports from the workspace is the project's own.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from dataclasses import replace

from supervisor.effects.files import within
from supervisor.effects.programs import pythonlib
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.pythonnames import PythonNames
from supervisor.effects.programs.roles import resolve
from supervisor.effects.reading import Word

_MAX_TEXT = 65_536

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


class _Reader(PythonNames):
    """The statements and expressions of one text."""

    def module(self, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            self.declare(node)
        for node in ast.walk(tree):
            self.loops(node)
        for node in ast.walk(tree):
            if isinstance(node, ast.stmt) and not isinstance(node, _STATEMENTS):
                self.opaque("runs Python that cannot be read beforehand")
        self.visit(tree)

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
                if name not in self.names and name not in pythonlib.BUILTINS:
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
            if rest and qualified.rpartition(".")[2] not in pythonlib.SEEN:
                self.opaque(f"uses {qualified}")
            return
        if not rest or qualified in pythonlib.HARMLESS or qualified in pythonlib.PURE:
            return
        if any(known.startswith(qualified + ".") for known in pythonlib.PURE):
            return  # `xml.etree`, on the way to a module that only calculates
        module, _, name = qualified.rpartition(".")
        while module:
            if module in pythonlib.PURE:
                tail = qualified[len(module) + 1 :].split(".")
                if not any(
                    (part in sys.stdlib_module_names and part != module.rpartition(".")[2])
                    or (part.startswith("_") and part not in pythonlib.SEEN)
                    for part in tail
                ):
                    return
                break
            if module in pythonlib.HARMLESS and name in pythonlib.METHODS | pythonlib.READING:
                return
            module, _, _ = module.rpartition(".")
        self.opaque(f"uses {qualified}")

    def attribute(self, node: ast.Attribute) -> None:
        qualified = self.qualified(node)
        if qualified:
            self.named(qualified)
            return
        if (
            node.attr.startswith("_")
            and node.attr not in pythonlib.SEEN
            and not self.of_project(node)
        ):
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
        elif name not in pythonlib.BUILTINS:
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
        if qualified in pythonlib.DELETES | {"shutil.rmtree"}:
            path = self.needed(first)
            if path is not None and qualified == "shutil.rmtree":
                invocation.clear(path)
            elif path is not None:
                invocation.delete(path)
        elif qualified in pythonlib.MAKES:
            path = self.needed(first)
            if path is not None:
                invocation.write(path)
            if qualified == "os.chmod":
                self.mode(node.args[1:2])
        elif qualified in pythonlib.COPIES | pythonlib.MOVES:
            source, target = self.needed(first), self.needed(node.args[1:2] and node.args[1])
            if source is not None:
                invocation.read(source)
                if qualified in pythonlib.MOVES:
                    invocation.delete(source)
            if target is not None:
                invocation.write(target)
        elif qualified in pythonlib.LOOKS:
            path = self.path(first) if first is not None else Word(".")
            if path is not None:
                invocation.read(path)
        elif qualified in pythonlib.PROGRAMS:
            self.program(node, first)
        elif qualified in pythonlib.TEXTS:
            text = first.value if isinstance(first, ast.Constant) else None
            if isinstance(text, str):
                invocation.script(Word(text))
            else:
                self.opaque("runs a command that is only known when it runs")
        elif qualified in pythonlib.REQUESTS or qualified in pythonlib.FETCHES:
            address = first.value if isinstance(first, ast.Constant) else None
            data = any(keyword.arg == "data" for keyword in node.keywords) or len(node.args) > 1
            method = pythonlib.REQUESTS.get(qualified, "POST" if data else "GET")
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
        elif qualified in pythonlib.LITERAL_CALLS or qualified.startswith("os.path."):
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
        elif name in pythonlib.WRITING | pythonlib.REMOVING or (
            name in {"rename", "replace"} and len(node.args) == 1
        ):
            if path is None:
                if not self.of_project(value):
                    self.opaque("changes a file that is only known when it runs")
                return
            if name in pythonlib.WRITING:
                invocation.write(path)
                if name == "chmod":
                    self.mode(node.args[:1])
            else:
                invocation.delete(path)
            if name in {"rename", "replace"}:
                target = self.needed(node.args[0])
                if target is not None:
                    invocation.write(target)
        elif name in pythonlib.READING - pythonlib.METHODS:
            if path is not None and name not in pythonlib.LOOKING:
                invocation.read(path)
            elif path is None and name not in pythonlib.LOOKING and not self.of_project(value):
                self.opaque("reads a file that is only known when it runs")
        elif name not in pythonlib.METHODS and not self.of_project(value):
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
