"""Redis' client, and those of its relatives."""

from __future__ import annotations

from collections.abc import Sequence

from supervisor.effects.programs.database import Database, read_input
from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_options
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.options import Given
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.sets import names
from supervisor.effects.reading import Word

_REDIS_READS = names(
    "get mget exists ttl pttl type keys scan hget hmget hgetall hkeys hvals hlen hexists "
    "hscan lrange llen lindex smembers scard sismember sscan zrange zrangebyscore zrevrange "
    "zcard zscore zcount zscan strlen getrange bitcount getbit dbsize ping echo info time "
    "lastsave memory object randomkey dump xrange xrevrange xlen xinfo pfcount geopos geodist "
    "role command latency slowlog client hello auth select help json.get ft.search ft.info"
)
_REDIS_DROPS = names("flushall flushdb")
_REDIS_DELETES = names("del unlink hdel lrem srem zrem ltrim lpop rpop spop zpopmin zpopmax xdel")
_REDIS_REACHES = names(
    "eval evalsha eval_ro evalsha_ro fcall function script module debug slaveof replicaof migrate "
    "save bgsave bgrewriteaof shutdown acl cluster failover config restore sync psync monitor "
    "swapdb latency sentinel"
)


@reader
def redis(invocation: Invocation, words: Sequence[Word]) -> None:
    """One command, or one on each line of the input."""
    given = _leading(invocation, words)
    database = Database(invocation, "")
    address = given.value("-u")
    if address is not None:
        database.url(address)
    database.at(given.value("-h"), given.value("-p"))
    if given.has("--rdb", "--scan", "--bigkeys", "--memkeys", "--hotkeys", "--stat", "--latency"):
        database.statement("select")
    elif given.has("--eval"):
        database.unread("runs a script over there")
    elif given.operands:
        _redis_command(database, given.operands)
    elif not given.has("--help", "--version", "--intrinsic-latency"):
        read_input(database, _redis_text)


def _leading(invocation: Invocation, words: Sequence[Word]) -> Given:
    """Options end where the command begins."""
    given = take(invocation, words, stop=True)
    apply_options(invocation, given)
    given.operands = list(words[given.next :])
    return given


def _redis_text(database: Database, text: str) -> None:
    for line in text.splitlines():
        if line.strip():
            _redis_command(database, [Word(part) for part in line.split()])


def _redis_command(database: Database, words: Sequence[Word]) -> None:
    name = words[0].text.lower()
    second = words[1].text.lower() if len(words) > 1 else ""
    if not words[0].exact:
        database.unread("is given a command that is only known when it runs")
    elif name == "config" and second == "get":
        database.statement("select")
    elif name in _REDIS_REACHES:
        database.unread(f"is given {name}, which reaches past its keys")
    elif name in _REDIS_DROPS:
        database.statement("drop")
    elif name in _REDIS_DELETES:
        database.statement("delete")
    else:
        database.statement("select" if name in _REDIS_READS else "update")
