# Posts one hook input of Cursor to the supervisor and prints its answer: hook.sh EVENT SECONDS.
# The address lies beside it: Cursor takes what follows two slashes in its settings for a comment.
# Cursor denies on status 2, on no output and on no JSON; of mere reports it minds nothing.
PATH=/usr/bin:/bin
unset CURL_HOME LD_PRELOAD LD_LIBRARY_PATH
read -r url < "${0%.sh}.url"
curl -q --silent --show-error --fail --noproxy '*' --max-time "$2" \
    --header 'Content-Type: application/json' --data-binary @- "$url/$1" && exit 0
echo 'taskpass: the supervisor did not answer, so this call is blocked.' >&2
exit 2
