"""An MCP server of an issue tracker that does nothing, over its standard input and output.

Standard library only: it runs in containers where nothing of ours is.
"""

import json
import sys

TOOLS = ("list_issues", "create_issue", "get_file", "fetch")


def answer(method, params):
    if method == "initialize":
        version = params["protocolVersion"]
        return {"protocolVersion": version, "capabilities": {"tools": {}},
                "serverInfo": {"name": "tracker", "version": "1"}}  # fmt: skip
    if method == "tools/list":
        return {"tools": [{"name": each, "inputSchema": {"type": "object"}} for each in TOOLS]}
    return {"content": [{"type": "text", "text": "nothing"}]}


for line in sys.stdin:
    told = json.loads(line)
    if "id" in told:
        result = answer(told["method"], told.get("params", {}))
        print(json.dumps({"jsonrpc": "2.0", "id": told["id"], "result": result}), flush=True)
