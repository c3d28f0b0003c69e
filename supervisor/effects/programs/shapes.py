"""The effects on systems beyond this machine, with all their attributes."""

from __future__ import annotations

from supervisor.model import Effect, Verb


def push_effect(
    remote: str,
    ref: str,
    *,
    url: str = "",
    force: bool = False,
    checked: bool = False,
    delete: bool = False,
    protected: bool = False,
    several: bool = False,
    foreign: bool = False,
) -> Effect:
    """Commits go to `ref` of `remote`.

    `checked`: the force stops where others have pushed meanwhile (`--force-with-lease`).
    `several`: more refs than the one named. `foreign`: an address that is not of a remote that
    the repository had before.
    """
    return Effect(
        Verb.PUSH,
        f"{remote} {ref}",
        {
            "remote": remote,
            "url": url,
            "ref": ref,
            "force": force,
            "checked": checked,
            "delete": delete,
            "protected": protected,
            "several": several,
            "foreign": foreign,
        },
    )


def sql_effect(database: str, statement: str, tables: str, *, remote: bool) -> Effect:
    """`statement` as supervisor.effects.sql names kinds; `tables` joined by commas."""
    return Effect(Verb.SQL, database, {"statement": statement, "tables": tables, "remote": remote})


def install_effect(manager: str, package: str, *, everywhere: bool = False) -> Effect:
    """`everywhere`: for the account or the machine, not for the workspace alone."""
    return Effect(
        Verb.INSTALL,
        manager,
        {"manager": manager, "package": package, "everywhere": everywhere},
    )


def operate_effect(system: str, operation: str, degree: str, target: str = "") -> Effect:
    """An operation on a live system; `degree` as in the knowledge's README."""
    return Effect(
        Verb.OPERATE,
        f"{system} {operation}",
        {"system": system, "operation": operation, "degree": degree, "target": target},
    )
