"""Reads the YAML that people write build files in, by libyaml. No I/O.

Go's reader of YAML is a port of libyaml: what is read here is what the tool reads. Every scalar is
its text, whatever YAML would take it for.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import yaml

Value: TypeAlias = "str | list[Value] | dict[str, Value]"

_MAX_DEPTH = 20  # deeper ones take libyaml a time that grows with the square


class NotPlain(Exception):
    """The text is YAML that is not read here, or none."""


class _Loader(yaml.CBaseLoader):
    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        found = super().construct_mapping(node, deep)
        if len(found) < len(node.value) or "<<" in found:
            raise NotPlain("a key that is given twice, or merged")
        return found


def read_yaml(text: str) -> Value:
    """What the one document in `text` says; "" for what is empty.

    Raises:
        NotPlain: see there. So is what has aliases: a few of them stand for any amount of text.
    """
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_Loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH or isinstance(event, yaml.AliasEvent):
                raise NotPlain("nested too deep, or aliases")
        read: Value | None = yaml.load(text, Loader=_Loader)  # noqa: S506  (makes texts only)
    except yaml.YAMLError as error:
        raise NotPlain(str(error)) from error
    return "" if read is None else read
