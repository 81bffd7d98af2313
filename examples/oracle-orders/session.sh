#!/usr/bin/env bash
# The Oracle orders seed's session through the proxy, every answer checked. It wants a backend and a cache that are both
# new.
#   PROXY=http://127.0.0.1:8080 BACKEND=http://127.0.0.1:5000 [REDIS_PORT=6379] ./session.sh
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../checks.sh
. "$here/../checks.sh"
PROXY=${PROXY:-http://127.0.0.1:8080}
BACKEND=${BACKEND:-http://127.0.0.1:5000}

# order ID NOTES: the JSON of an order, as the seed writes it.
order() {
    printf '{
  "order_id": %d,
  "customer_id": 123,
  "product_id": 456,
  "product_description": "Sample product",
  "order_delivery_address": "123 Example St.",
  "order_date_taken": "2023-03-15 15:00:00",
  "order_misc_notes": "%s"
}' "$1" "$2"
}

# write_order ID QUERY NOTES
write_order() {
    send POST "$PROXY/orders$2" "$(order "$1" "$3")"
}

# answers WHAT ID NOTES SOURCE: what a read is to show.
answers() {
    check "$1: status" "$(status)" 200
    check "$1: the order" "$(json order)" "$(order "$2" "$3" | as_json)"
    check "$1: source is $4" "$(json source)" "\"$4\""
}

written() {
    check "$1: status" "$(status)" 201
    check "$1: message" "$(json)" "{\"message\":\"Order written to $2\",\"status\":\"success\"}"
}

notes='Notes about the order'

step 'Written to both (the default): read from Redis, and the database has it'
write_order 1 '' "$notes"
written 'POST /orders' both
ask "$PROXY/orders/1"
answers 'GET /orders/1' 1 "$notes" Redis
hit 'GET /orders/1'
ask "$BACKEND/orders/1"
answers 'the API itself, GET /orders/1' 1 "$notes" Oracle

step 'Written to Redis only: the proxy answers, the API never sees it'
write_order 2 '?target=redis' "$notes"
written 'POST /orders?target=redis' redis
check 'POST /orders?target=redis: Location' "$(field Location)" /orders/2
ask "$BACKEND/orders/2"
check 'the API itself, GET /orders/2: status' "$(status)" 404
ask "$PROXY/orders/2"
answers 'GET /orders/2' 2 "$notes" Redis

step 'Written to Oracle only: read from Oracle, every time'
write_order 3 '?target=oracle' "$notes"
written 'POST /orders?target=oracle' oracle
for call in first second; do
    ask "$PROXY/orders/3"
    answers "GET /orders/3, $call time" 3 "$notes" Oracle
    check "GET /orders/3, $call time: X-Cache is BYPASS" "$(field X-Cache)" BYPASS
    check "GET /orders/3, $call time: Cache-Status says why" "$(cache_says detail=write-around)" yes
    check "GET /orders/3, $call time: Cache-Status does not say stored" "$(cache_says stored)" no
done

step 'The orders do not disturb each other'
ask "$PROXY/orders/1"
answers 'GET /orders/1' 1 "$notes" Redis
ask "$PROXY/orders/2"
answers 'GET /orders/2' 2 "$notes" Redis

step 'What Redis holds'
if with_redis; then
    check 'order:1 is there' "$(has_key order:1)" yes
    check 'GET order:1 prints the JSON' "$(redis GET order:1 | as_json order)" "$(order 1 "$notes" | as_json)"
    check 'GET order:3 prints nothing of the order' "$(redis GET order:3)" ''
else
    skip 'GET order:1' 'no REDIS_PORT'
fi

step 'Written again: a later read shows the later order'
write_order 1 '' 'leave it at the door'
written 'POST /orders' both
ask "$PROXY/orders/1"
answers 'GET /orders/1' 1 'leave it at the door' Redis
write_order 1 '?target=oracle' "$notes"
written 'POST /orders?target=oracle' oracle
ask "$PROXY/orders/1"
answers 'GET /orders/1' 1 "$notes" Oracle
write_order 3 '?target=both' "$notes"
written 'POST /orders?target=both' both
ask "$PROXY/orders/3"
answers 'GET /orders/3, now written through' 3 "$notes" Redis

step 'A write that fails drops nothing'
send POST "$PROXY/orders" '{"order_id": 3, "customer_id": "nobody"}'
check 'POST of a bad order: status' "$(status)" 400
ask "$PROXY/orders/3"
answers 'GET /orders/3' 3 "$notes" Redis

step 'An unknown order, an unknown target'
ask "$PROXY/orders/4711"
check 'GET /orders/4711: status' "$(status)" 404
write_order 5 '?target=mongo' "$notes"
check 'POST /orders?target=mongo: the API refuses it' "$(status)" 400

step 'The test case of the seed: write, read, FLUSHALL, read'
write_order 1 '' "$notes"
written 'POST /orders' both
ask "$PROXY/orders/1"
answers 'GET /orders/1' 1 "$notes" Redis
if with_redis; then
    check 'FLUSHALL' "$(redis FLUSHALL)" OK
    ask "$PROXY/orders/1"
    answers 'GET /orders/1 after FLUSHALL' 1 "$notes" Oracle
    ask "$PROXY/orders/1"
    answers 'GET /orders/1, kept again by that read' 1 "$notes" Redis
    ask "$PROXY/orders/2"
    check 'GET /orders/2: what only Redis had is gone' "$(status)" 404
else
    skip 'FLUSHALL' 'no REDIS_PORT: the memory of the proxy is emptied by a restart only'
fi

finish
