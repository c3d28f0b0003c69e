# Read by the shell of a tool call before its command (BASH_ENV): ties that shell to its call.
unset BASH_ENV
eval "unset TASKPASS_PREFIX; $TASKPASS_PREFIX"
