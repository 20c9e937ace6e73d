#!/bin/sh
# One `edge-infer stream` for as long as a script runs: the model is loaded once, and each record costs a line.
#
#   sh examples/shell/stream.sh MODEL < RECORDS.jsonl
#
# For each record: its answer, by `field` what a script would go on with. The exit code is 1 where a record was refused.
set -eu
model=${1:?"usage: sh stream.sh MODEL < RECORDS.jsonl"}

folder=$(mktemp -d)
child=
stop() {
    exec 3>&- 4<&-             # the end of its input ends the stream
    [ -z "$child" ] || wait "$child" || :
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap '' PIPE # a stream that has ended is told by `ask`

mkfifo "$folder/records" "$folder/answers"
edge-infer stream "$model" < "$folder/records" > "$folder/answers" &
child=$!
exec 3> "$folder/records" 4< "$folder/answers" # in the order in which the child opens them

# One record, a line of JSON → its answer, a line of JSON. Read each answer before the next record.
ask() {
    { printf '%s\n' "$1" >&3; } 2>/dev/null && IFS= read -r answer <&4 || {
        echo "error: edge-infer ended before it answered" >&2
        exit 2
    }
}

# A member of an answer that is text without escapes; nothing where there is none. (With jq: jq -r .prediction)
field() {
    printf '%s\n' "$answer" | sed -n 's/.*"'"$1"'": "\([^"\\]*\)".*/\1/p'
}

refused=0
while IFS= read -r record || [ -n "$record" ]; do
    ask "$record"
    case $answer in
        *'"error": '*) refused=1; printf 'refused: %s\n' "$answer" >&2 ;;
        *) field prediction ;;
    esac
done
exit "$refused"
