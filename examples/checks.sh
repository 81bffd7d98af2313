# Sourced by every session.sh: one request at a time, checks of its answer, and the count at the end.
# shellcheck shell=bash

answer=$(mktemp -d)
trap 'rm -rf "$answer"' EXIT
touch "$answer/status" "$answer/fields" "$answer/body"
passed=0
failed=0
skipped=0

# Asked for once: `python3` may be a script that looks for the interpreter each time.
python=$(python3 -c 'import sys; print(sys.executable)')

# ask CURL-ARGUMENTS...: sends a request; `status`, `field` and `json` speak of its answer.
# A request that gets no answer has the status 000, which no check wants.
ask() {
    : > "$answer/fields"
    : > "$answer/body"
    curl --silent --show-error --max-time 30 --dump-header "$answer/fields" --output "$answer/body" \
        --write-out '%{http_code}' "$@" > "$answer/status" || echo "no answer: curl $*" >&2
}

# send METHOD URL JSON CURL-ARGUMENTS...: a request with a JSON body.
send() {
    local method=$1 url=$2 body=$3
    shift 3
    ask --request "$method" --header 'Content-Type: application/json' --data "$body" "$@" "$url"
}

status() {
    cat "$answer/status"
}

# field NAME: the last line of that name, as an ordinary client would read it.
field() {
    awk -v name="$1:" 'tolower($1) == tolower(name) { sub(/^[^:]*: */, ""); sub(/\r$/, ""); value = $0 }
                       END { print value }' "$answer/fields"
}

# json [PATH]: the answer's JSON, or what stands at PATH (data.name, orders.0.id; a last `#` counts), in one line.
json() {
    as_json "${1:-}" < "$answer/body"
}

# as_json [PATH]: the same for any JSON on standard input. Without spaces and with sorted keys, so that texts compare.
as_json() {
    "$python" -I -S -c '
import json, sys
try:
    value = json.load(sys.stdin)
    for step in filter(None, sys.argv[1].split(".")):
        value = len(value) if step == "#" else value[int(step) if isinstance(value, list) else step]
    print(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
except (ValueError, LookupError, TypeError) as problem:
    print(f"({type(problem).__name__}: {problem})")
' "${1:-}"
}

# step TEXT: what comes next, for who reads along.
step() {
    printf '\n%s\n' "$1"
}

# check WHAT GOT WANTED
check() {
    if [ "$2" = "$3" ]; then
        pass "$1"
    else
        fail "$1" "got    $2" "wanted $3"
    fi
}

# between WHAT GOT LEAST MOST: a whole number within bounds.
between() {
    if [[ $2 =~ ^-?[0-9]+$ ]] && [ "$2" -ge "$3" ] && [ "$2" -le "$4" ]; then
        pass "$1"
    else
        fail "$1" "got    ${2:-nothing}" "wanted $3 to $4"
    fi
}

# hit WHAT, miss WHAT: by X-Cache and by Cache-Status.
hit() {
    check "$1: X-Cache is HIT" "$(field X-Cache)" HIT
    check "$1: Cache-Status says hit" "$(cache_says hit)" yes
}

miss() {
    check "$1: X-Cache is MISS" "$(field X-Cache)" MISS
    check "$1: Cache-Status does not say hit" "$(cache_says hit)" no
}

# cache_says WORD: whether our member of Cache-Status has that parameter (hit, stored, fwd=stale, ...).
cache_says() {
    local said
    said=" $(field Cache-Status);"
    if [[ $said == *" $1;"* ]]; then echo yes; else echo no; fi
}

# cache_ttl: the seconds that Cache-Status gives the answer.
cache_ttl() {
    field Cache-Status | sed -n 's/.*; ttl=\(-\{0,1\}[0-9]*\).*/\1/p'
}

pass() {
    passed=$((passed + 1))
    printf '  ok    %s\n' "$1"
}

# fail WHAT DETAILS...
fail() {
    failed=$((failed + 1))
    printf '  FAIL  %s\n' "$1"
    shift
    printf '          %s\n' "$@" "answer $(status) $(field Cache-Status)"
}

# skip WHAT WHY
skip() {
    skipped=$((skipped + 1))
    printf '  skip  %s (%s)\n' "$1" "$2"
}

with_redis() {
    [ -n "${REDIS_PORT:-}" ]
}

redis() {
    redis-cli -p "$REDIS_PORT" "$@"
}

# entry_keys: the keys of entries, without aside's own beside them (aside:{GROUP}:gen, {KEY}:meta).
entry_keys() {
    redis KEYS '*' | sed -e '/^aside:{/d' -e '/^{.*}:meta$/d' | LC_ALL=C sort | paste -s -d ' ' -
}

# has_key KEY: yes or no.
has_key() {
    if [ "$(redis EXISTS "$1")" = 1 ]; then echo yes; else echo no; fi
}

# finish: the count, as the exit status as well.
finish() {
    printf '\n%d passed, %d failed' "$passed" "$failed"
    if [ "$skipped" -gt 0 ]; then printf ', %d skipped' "$skipped"; fi
    printf '\n'
    [ "$failed" -eq 0 ]
}
