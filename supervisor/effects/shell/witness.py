"""A second opinion on a shell text, by tree-sitter's grammar of bash. No I/O.

Our own reader knows where bash splits words; that grammar was written by others and errs in
other places. A text whose programs the two find in different places is not inspectable. It is
asked only about texts that our reader understands, within its limits: the library's parser
takes seconds, or the stack, for some that nobody would write in earnest.
"""

from __future__ import annotations

import re
from functools import cache

import tree_sitter_bash
from tree_sitter import Language, Parser, Query, QueryCursor

# The kinds of nodes that our reader has a meaning for. One that a later grammar adds makes the
# texts that hold it not inspectable.
_KINDS = frozenset(
    {"ansi_c_string", "arithmetic_expansion", "array", "binary_expression", "brace_expression"}
    | {"c_style_for_statement", "case_item", "case_statement", "command", "command_name"}
    | {"command_substitution", "comment", "compound_statement", "concatenation"}
    | {"declaration_command", "do_group", "elif_clause", "else_clause", "expansion"}
    | {"extglob_pattern", "file_descriptor", "file_redirect", "for_statement"}
    | {"function_definition", "heredoc_body", "heredoc_content", "heredoc_end"}
    | {"heredoc_redirect", "heredoc_start", "herestring_redirect", "if_statement", "list"}
    | {"negated_command", "number", "parenthesized_expression", "pipeline"}
    | {"postfix_expression", "process_substitution", "program", "raw_string"}
    | {"redirected_statement", "regex", "simple_expansion", "special_variable_name", "string"}
    | {"string_content", "subscript", "subshell", "ternary_expression", "test_command"}
    | {"test_operator", "translated_string", "unary_expression", "unset_command"}
    | {"variable_assignment", "variable_assignments", "variable_name", "while_statement", "word"}
)
# These it takes for statements of their own kind, whose places it does not tell as a command's.
_APART = re.compile(
    r"(?:\[|export|declare|typeset|readonly|local|unset|unsetenv|time)(?![^\s;|&<>()])"
)
# In these there is nothing that two grammars could divide differently: plain words; and one
# program's name with words in whose quotes nothing has a meaning. Most commands are such.
_WORDS = re.compile(r"[A-Za-z0-9_./:,@%+ -]+(?:=[A-Za-z0-9_./:,@%+ -]*)*")
_KEYWORDS = (
    "if|then|elif|else|fi|for|select|in|do|done|while|until|case|esac|time|function|coproc"
    "|export|declare|typeset|readonly|local|unset|unsetenv"
)
_VARIABLE = r"\$[A-Za-z_][A-Za-z0-9_]*"
_PIECE = (
    rf"[A-Za-z0-9_./:,@%+=?*~-]++|{_VARIABLE}"
    rf"""|'[^'\n]*+'|"(?:[^"\\`$!\n]++|{_VARIABLE})*+\""""
)
COMMAND = re.compile(rf"(?!(?:{_KEYWORDS})\b)[a-z][A-Za-z0-9_./-]*+(?: ++(?:{_PIECE})++)*+")


@cache
def _tools() -> tuple[Parser, Query]:
    language = Language(tree_sitter_bash.language())
    kinds = {
        language.node_kind_for_id(kind)
        for kind in range(language.node_kind_count)
        if language.node_kind_is_named(kind) and language.node_kind_is_visible(kind)
    }
    strange = " ".join([f"({kind})" for kind in sorted(k for k in kinds - _KINDS if k)])
    query = "(command name: (command_name) @name)" + (f" [{strange}] @strange" if strange else "")
    return Parser(language), Query(language, query)


def contradicts(text: str, starts: tuple[int, ...], unplaced: int) -> str:
    """Why the other grammar does not agree on `text`, in words; "" where it does.

    Args:
        text: as it was read.
        starts: where our reader found the names of programs, in characters.
        unplaced: a value that stands in `starts` for one whose place is not known.
    """
    if _WORDS.fullmatch(text) or COMMAND.fullmatch(text):
        return ""
    return compared(text, starts, unplaced)


def compared(text: str, starts: tuple[int, ...], unplaced: int) -> str:
    """As `contradicts`, of any text."""
    parser, query = _tools()
    data = text.encode()
    tree = parser.parse(data)
    if tree.root_node.has_error:
        return "is a text that the grammar of bash cannot read"
    found = QueryCursor(query).captures(tree.root_node)
    if found.get("strange"):
        return f"has a {found['strange'][0].type} in it"
    if unplaced in starts:
        return ""
    places = range(len(text)) if len(data) == len(text) else _offsets(text)
    ours = {places[start] for start in starts if not _APART.match(text, start)}
    theirs = {
        node.start_byte
        for node in found.get("name", ())
        if not _APART.match(data[node.start_byte : node.end_byte + 1].decode("utf-8", "replace"))
    }
    return "" if ours == theirs else "is a text that two grammars read differently"


def _offsets(text: str) -> list[int]:
    """Where each character of `text` begins in UTF-8."""
    offsets: list[int] = []
    at = 0
    for char in text:
        offsets.append(at)
        at += len(char.encode())
    return offsets
