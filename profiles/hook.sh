#!/bin/sh
# Posts one hook input of an agent to the supervisor and prints its answer: hook.sh URL SECONDS.
# Codex, Gemini CLI and Qwen Code go on when a hook fails in any way but exit status 2, so a call
# that could not be announced is 2. A mere report is 0: after Stop, status 2 would send the model on.
# They go on, too, when an answer is no JSON; nothing is one, by which Codex is told to go on.
PATH=/usr/bin:/bin
unset CURL_HOME LD_PRELOAD LD_LIBRARY_PATH
# With its status on a last line of its own: only 200 is an answer, and curl takes a redirect for one.
answer=$(curl -q --silent --show-error --fail --noproxy '*' --max-time "$2" \
    --write-out '\n%{http_code}' \
    --header 'Content-Type: application/json' --data-binary @- "$1") &&
    [ "${answer##*[!0-9]}" = 200 ] && answer=${answer%????} && case $answer in
    '' | '{'*'}')
        printf '%s' "$answer"
        exit 0
        ;;
    esac
case $1 in
    */PreToolUse | */BeforeTool)
        echo 'taskpass: the supervisor did not answer, so this call is blocked.' >&2
        exit 2
        ;;
esac
