#!/usr/bin/env bash
# The fruit seed's session through the proxy, every answer checked. It wants a backend and a cache that are both new.
#   PROXY=http://127.0.0.1:8080 BACKEND=http://127.0.0.1:5000 [REDIS_PORT=6379] ./session.sh
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../checks.sh
. "$here/../checks.sh"
PROXY=${PROXY:-http://127.0.0.1:8080}
BACKEND=${BACKEND:-http://127.0.0.1:5000}

apple() {
    printf '{"data":{"id":1,"name":"apple","quantity":%d},"from_cache":%s}' "$1" "$2"
}

step 'The first call misses, the second one hits'
ask "$BACKEND/fruit/1"
check 'the API itself knows of no cache' "$(json)" '{"data":{"id":1,"name":"apple","quantity":100}}'
ask "$PROXY/fruit/1"
check 'first call: status' "$(status)" 200
check 'first call: from_cache is false' "$(json)" "$(apple 100 false)"
miss 'first call'
ask "$PROXY/fruit/1"
check 'second call: status' "$(status)" 200
check 'second call: from_cache is true' "$(json)" "$(apple 100 true)"
hit 'second call'
between 'second call: fresh for the ten minutes of proxy.toml' "$(cache_ttl)" 570 600
ask "$PROXY/fruit/2"
check 'another fruit has an entry of its own' "$(json from_cache)" false

step 'What Redis holds'
if with_redis; then
    check "KEYS '*' shows fruit:1 and fruit:2, and aside's own keys beside them" "$(entry_keys)" 'fruit:1 fruit:2'
    check 'aside keeps status, fields and token beside the body' "$(has_key '{fruit:1}:meta')" yes
    check 'GET fruit:1 prints the JSON of the API' "$(redis GET fruit:1 | as_json)" \
        '{"data":{"id":1,"name":"apple","quantity":100}}'
else
    skip "KEYS '*' and GET fruit:1" 'no REDIS_PORT'
fi

step 'A PUT drops exactly that fruit'
send PUT "$PROXY/fruit/1" '{"quantity": 99}'
check 'PUT /fruit/1: status' "$(status)" 200
check 'PUT /fruit/1: the answer is the API'\''s own' "$(json)" '{"data":{"id":1,"name":"apple","quantity":99}}'
ask "$PROXY/fruit/2"
check 'fruit 2 is still a hit' "$(json from_cache)" true
ask "$PROXY/fruit/1"
check 'fruit 1 is a miss, and new' "$(json)" "$(apple 99 false)"
ask "$PROXY/fruit/1"
check 'fruit 1 is a hit again' "$(json)" "$(apple 99 true)"

step 'A write that fails drops nothing'
send PUT "$PROXY/fruit/1" '{"quantity": -1}'
check 'PUT of a bad quantity: status' "$(status)" 400
ask "$PROXY/fruit/1"
check 'fruit 1 is still a hit' "$(json)" "$(apple 99 true)"

step 'An unknown fruit is not cached'
for call in first second; do
    ask "$PROXY/fruit/4711"
    check "$call call: status" "$(status)" 404
    check "$call call: Cache-Status does not say stored" "$(cache_says stored)" no
    check "$call call: Cache-Status does not say hit" "$(cache_says hit)" no
done

step 'A DELETE drops exactly that fruit'
ask "$PROXY/fruit/3"
ask "$PROXY/fruit/3"
check 'fruit 3 is a hit' "$(json from_cache)" true
ask --request DELETE "$PROXY/fruit/3"
check 'DELETE /fruit/3: status' "$(status)" 204
ask "$PROXY/fruit/3"
check 'fruit 3 is gone' "$(status)" 404
ask "$PROXY/fruit/2"
check 'fruit 2 is still a hit' "$(json from_cache)" true

step 'FLUSHALL, and the next call misses'
if with_redis; then
    check 'FLUSHALL' "$(redis FLUSHALL)" OK
    ask "$PROXY/fruit/1"
    check 'fruit 1 is a miss' "$(json)" "$(apple 99 false)"
    ask "$PROXY/fruit/1"
    check 'fruit 1 is a hit' "$(json)" "$(apple 99 true)"
    check 'DEL fruit:1, by hand or by an old app' "$(redis DEL fruit:1)" 1
    ask "$PROXY/fruit/1"
    check 'fruit 1 is a miss' "$(json)" "$(apple 99 false)"
else
    skip 'FLUSHALL and DEL fruit:1' 'no REDIS_PORT'
fi

finish
