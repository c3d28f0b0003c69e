"""What names in a Python text stand for, and which paths its expressions are."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Sequence
from dataclasses import replace

from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.pythonlib import LITERAL_CALLS, PURE
from supervisor.effects.reading import Word


class PythonNames:
    """The names of one text.

    `names` says what they stand for: "os.path", or "" for a value.
    """

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
        elif top not in sys.stdlib_module_names and module not in PURE:
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
        if qualified in LITERAL_CALLS | {"os.path.join"}:
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
