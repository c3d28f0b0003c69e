"""AuthZEN on the supervisor's socket: any program of the person may ask for a decision.

OpenID Authorization API 1.0 (evaluation, evaluations, metadata) with the Access Request and
Approval Profile 1.0, draft 1: a denial that a person can lift says so, can be requested, and is
evaluated again after the answer. HTTP on a unix socket stands in for HTTPS: the socket is the
person's own, and every peer is attested before its first request.

    subject   {"type": "task", "id": "t-…"}
    action    {"name": an effect: run, read, write, delete, http, connect, push, sql, install,
               operate, mcp, spawn, other}
    resource  {"type": "command", "id": the command line}    for run
              {"type": "path", "id": an absolute path}       for read, write, delete
              {"type": any text, "id": the effect's resource, "properties": its attributes}
    context   credential (the name of the one a use would release), tool; approval
"""
