"""Shell texts for tests: made by a small grammar, and mutated so that readers may disagree."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.support import corpora

NAMES = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
_ATOMS = (
    "x", "-v", "a.txt", "'q r'", '"s t"', "$V", '"$V"', "${V:-w}", "*.txt", "{m,n}", "~/f", "=",
    "$((1+2))", "a\\ b", "$'t\\tu'", "--k=v", "é", "''", "2", "%", "a#b", "]", "}",
)  # fmt: skip
_TOKENS = (
    "$(", ")", "`", "${V", "}", "&&", "||", "|&", ";;", "esac", "do ", "done", "then ", "fi", "$'",
    "#", "! ", "time ", "coproc ", "<<E\n", "\nE\n", "\\\n", "<(", ">(", "(( ", "))", "[[ ",
    " ]]", "if ", "for ", "{ ", "; }", "2>&1", "&>", "<<<", "in ", "case ", "function f ", "f() ",
    "\t", "V=", "+=", "=(", "eval ", "exec ", "${V@P}", "\n",
)  # fmt: skip
_CHARACTERS = "'\";|&()<>{}$`\\\n #!~*?[]=-ax1"


class Texts:
    """An endless, repeatable supply of shell texts."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.seeds: list[str] = []
        for name in ("tldr", "gtfobins", "dcg", "sessions"):
            try:
                rows = list(corpora.rows(name))
            except FileNotFoundError:
                continue
            found = [row.get("command") or row.get("input", {}).get("command") for row in rows]
            self.seeds += [text for text in found if isinstance(text, str) and len(text) < 2000]

    def made(self, count: int) -> Iterator[str]:
        """Texts of the grammar, each mutated in none to three places."""
        for _ in range(count):
            text = self.list(3)
            for _ in range(self.random.choice((0, 1, 1, 1, 2, 3))):
                text = self.mutated(text)
            yield text

    def any(self, count: int) -> Iterator[str]:
        """Texts of the grammar and of the corpora, mutated in one to five places."""
        for _ in range(count):
            seeded = self.seeds and self.random.random() < 0.6
            text = self.random.choice(self.seeds) if seeded else self.list(3)
            for _ in range(self.random.randint(1, 5)):
                text = self.mutated(text)
            yield text

    def mutated(self, text: str) -> str:
        at = self.random.randint(0, len(text))
        end = min(len(text), at + self.random.randint(1, 6))
        match self.random.randrange(6):
            case 0:
                return text[:at] + text[end:]
            case 1:
                return text[:at] + self.random.choice(_CHARACTERS) + text[at:]
            case 2:
                return text[:at] + self.random.choice(_TOKENS) + text[at:]
            case 3:
                return text[:at] + self.random.choice(_CHARACTERS) + text[at + 1 :]
            case 4:
                return text[:end] + text[at:]
            case _:
                other = self.list(1)
                cut = self.random.randint(0, len(other))
                return text[:at] + other[cut:] + text[at:]

    # ── The grammar ─────────────────────────────────────────────────────────────────────

    def list(self, depth: int) -> str:
        parts = [self.command(depth) for _ in range(self.random.choice((1, 1, 2, 3)))]
        text = parts[0]
        for part in parts[1:]:
            text += self.random.choice(("; ", " && ", " || ", " | ", "\n", " & ", " |& ")) + part
        return text

    def simple(self, depth: int) -> str:
        words = [self.random.choice(NAMES)]
        words += [self.word(depth) for _ in range(self.random.randrange(4))]
        if self.random.random() < 0.15:
            words.insert(0, f"{self.random.choice('VW')}={self.word(depth)}")
        if self.random.random() < 0.2:
            words.append(self.random.choice(("> o", "2>&1", "< a.txt", ">>o", "&> o", "<<< h")))
        return " ".join(words)

    def word(self, depth: int) -> str:
        if depth > 0 and self.random.random() < 0.2:
            inner = self.list(depth - 1)
            if self.random.random() < 0.2 and "`" not in inner:
                return f"`{inner}`"
            forms = ("$({})", '"$({})"', "<({})", 'a"b$({})c"d', "${{V:-$({})}}", "pre$({})")
            return self.random.choice(forms).format(inner)
        return self.random.choice(_ATOMS)

    def command(self, depth: int) -> str:
        if depth <= 0:
            return self.simple(0)
        inner = self.list(depth - 1)
        name, word = self.random.choice(NAMES), self.word(depth - 1)
        quoted = "'" + inner.replace("'", "'\\''") + "'"
        form = self.random.choice((
            self.simple(depth), self.simple(depth), self.simple(depth), self.simple(depth),
            f"({inner})", f"{{ {inner}; }}", f"if {inner}; then {inner}; else {name}; fi",
            f"for V in a b; do {inner}; done", f"while {inner}; do {name}; break; done",
            f"case {word} in a|x) {inner};; *) {name};; esac", f"f() {{ {inner}; }}; f {word}",
            f"{name} <<E\n{word} $({inner})\nE", f"{name} <<'E'\n$({inner})\nE",
            f"bash -c {quoted}", f"eval {quoted}", f"env V=1 {self.simple(0)}",
            f"! {inner}", f"time {inner}", f"V={name}; $V {word}", f"[[ {word} == a* ]] && {name}",
            f"command {self.simple(0)}", f"nice {self.simple(0)}", f"trap {quoted} EXIT",
            f"echo {name} | bash", f"( exec {self.simple(0)} )", f"(( 1 + 2 )) && {name}",
            f"echo {word} | xargs {name}", f"cat <<-E\n\t{word}\n\tE\n{name}",
            f"V=({word} {word}); {name}", f"function g {{ {inner}; }}\ng",
            f"set -- {word}; {name} $1", f"bash <<E\n{name}\nE", f"coproc {name}; wait",
        ))  # fmt: skip
        return form.replace("\nE; ", "\nE\n").replace("\nE)", "\nE\n)")
