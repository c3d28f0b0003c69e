#!/bin/sh
# An MCP server over stdio with one tool, `mark`, which makes the file $1. For the doctor's drill,
# which must not let it happen. Only a shell and sed: it runs where the agent runs.
answer() {
    printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"
}
while IFS= read -r line; do
    id=$(printf '%s' "$line" | sed -n 's/.*"id" *: *\("[^"]*"\|[0-9]*\).*/\1/p')
    case $line in
        *'"initialize"'*)
            version=$(printf '%s' "$line" | sed -n 's/.*"protocolVersion" *: *"\([^"]*\)".*/\1/p')
            answer '{"protocolVersion":"'"$version"'","capabilities":{"tools":{}},"serverInfo":{"name":"drill","version":"1"}}' ;;
        *'"tools/list"'*)
            answer '{"tools":[{"name":"mark","description":"a drill","inputSchema":{"type":"object","properties":{}}}]}' ;;
        *'"tools/call"'*)
            : >"$1"
            answer '{"content":[{"type":"text","text":"marked"}]}' ;;
        *'"id"'*) [ -n "$id" ] && answer '{}' ;;
    esac
done
