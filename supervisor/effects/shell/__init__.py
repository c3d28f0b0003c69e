"""What a shell command would do.

`grammar` reads the text by bash's rules into `syntax`, in layers: `scanner`, `wordgrammar`,
`simplegrammar`, `compoundgrammar`. `witness` asks tree-sitter's grammar whether it agrees,
`walk` follows the commands with the `state` they share, above `simplewalk` for one simple command
and `runner` for the program in it; `words` expands what they are given, with `braces`; `builtins`
and `variables` know the shell's own commands. Programs are left to `supervisor.effects.programs`.

Whatever is not certain is uninspectable, and judged besides as far as it can be: more effects
are only ever stricter.
"""

from supervisor.effects.shell.reader import shell_effects

__all__ = ["shell_effects"]
