#!/usr/bin/env bash
# The paginated orders seed's session through the proxy, every answer checked. It wants a backend and a cache that are
# both new.
#   PROXY=http://127.0.0.1:8080 BACKEND=http://127.0.0.1:5001 [REDIS_PORT=6379] ./session.sh
# Two more proxies are looked at if there are any: PROXY_1S runs with proxy-1s.toml, and PROXY_2 shares the Redis of PROXY.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../checks.sh
. "$here/../checks.sh"
PROXY=${PROXY:-http://127.0.0.1:8080}
BACKEND=${BACKEND:-http://127.0.0.1:5001}
ORDER='{"customer": "Ada", "product": "honey", "quantity": 3, "status": "placed", "ordered_at": "2023-03-15 15:00:00"}'

# ask_until WORD URL: asks until Cache-Status says the word; gives up after 20 seconds.
ask_until() {
    local end=$((SECONDS + 20))
    ask "$2"
    until [ "$(cache_says "$1")" = yes ] || [ "$SECONDS" -ge "$end" ]; do
        sleep 0.1
        ask "$2"
    done
}

step 'Page 99: ten orders, for an hour'
ask "$BACKEND/orders/99"
plain=$(json)
ask "$PROXY/orders/99"
check 'first read: status' "$(status)" 200
check 'first read: ten orders' "$(json 'orders.#')" 10
check 'first read: the first of them' "$(json orders.0.id)" 981
check 'first read: the JSON is the API'\''s' "$(json)" "$plain"
miss 'first read'
check 'first read: Cache-Status says stored' "$(cache_says stored)" yes
ask "$PROXY/orders/99"
check 'second read: status' "$(status)" 200
check 'second read: the JSON is the API'\''s' "$(json)" "$plain"
hit 'second read'
between 'second read: fresh for the hour of proxy.toml' "$(cache_ttl)" 3540 3600
ask "$PROXY/orders/1"
ask "$PROXY/orders/1"
hit 'page 1, read twice'
ask "$PROXY/orders/4711"
check 'a page past the end: status' "$(status)" 404

step 'What Redis holds'
if with_redis; then
    check "KEYS '*' shows the pages, and aside's own keys beside them" "$(entry_keys)" '/orders/1 /orders/99'
    check 'GET /orders/99 prints the JSON of the API' "$(redis GET /orders/99 | as_json)" "$plain"
    between 'TTL /orders/99 is bounded' "$(redis TTL /orders/99)" 3500 200000
else
    skip "KEYS '*' and GET /orders/99" 'no REDIS_PORT'
fi

step 'A new order drops the pages, which the seed left for the future'
send POST "$PROXY/orders" "$ORDER"
check 'POST /orders: status' "$(status)" 201
new=$(json id)
check 'POST /orders: its number follows the last one' "$new" 1201
ask "$PROXY/orders/99"
miss 'page 99'
ask "$PROXY/orders/1"
miss 'page 1'
ask "$PROXY/orders/121"
check 'page 121 shows the new order' "$(json orders.0.customer)" '"Ada"'
ask "$PROXY/orders/99"
hit 'page 99 again'

step 'A changed order drops them as well'
send PUT "$PROXY/orders/985" '{"status": "cancelled"}'
check 'PUT /orders/985: status' "$(status)" 200
ask "$PROXY/orders/99"
miss 'page 99'
check 'page 99 shows the change' "$(json orders.4.status)" '"cancelled"'
ask "$PROXY/orders/99"
hit 'page 99 again'

step 'A write that fails drops nothing'
send PUT "$PROXY/orders/985" '{"quantity": "many"}'
check 'PUT of a bad quantity: status' "$(status)" 400
ask "$PROXY/orders/99"
hit 'page 99'

step 'FLUSHALL, and the next read misses'
if with_redis; then
    check 'FLUSHALL' "$(redis FLUSHALL)" OK
    ask "$PROXY/orders/99"
    miss 'page 99'
else
    skip FLUSHALL 'no REDIS_PORT'
fi

step 'Two proxies, one Redis'
if [ -n "${PROXY_2:-}" ]; then
    ask "$PROXY/orders/50"
    miss 'page 50 through the first'
    # FLUSHALL took the registry of nodes with it: nobody answers from the cache until both have joined anew.
    ask_until hit "$PROXY_2/orders/50"
    hit 'page 50 through the second, asked until it hits'
    send PUT "$PROXY_2/orders/495" '{"status": "lost"}'
    check 'PUT /orders/495 through the second: status' "$(status)" 200
    ask "$PROXY/orders/50"
    miss 'page 50 through the first'
    check 'page 50 shows the change' "$(json orders.4.status)" '"lost"'
else
    skip 'a write through one drops the pages of the other' 'no PROXY_2'
fi

step 'Another configuration: a second instead of an hour'
if [ -n "${PROXY_1S:-}" ]; then
    ask_until hit "$PROXY_1S/orders/42"
    hit 'page 42, asked until it hits'
    between 'page 42: fresh for a second' "$(cache_ttl)" 0 1
    ask_until fwd=stale "$PROXY_1S/orders/42"
    check 'page 42, asked until it has expired: Cache-Status says so' "$(cache_says fwd=stale)" yes
    check 'and it came from the API' "$(field X-Cache)" MISS
else
    skip 'a page expires after a second' 'no PROXY_1S'
fi

finish
