#!/usr/bin/env bash
# The NicaVentas seed's session through the proxy, every answer checked. It wants a backend and a cache that are both new.
#   PROXY=http://127.0.0.1:8080 BACKEND=http://127.0.0.1:8000 [REDIS_PORT=6379] ./session.sh
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../checks.sh
. "$here/../checks.sh"
PROXY=${PROXY:-http://127.0.0.1:8080}
BACKEND=${BACKEND:-http://127.0.0.1:8000}
TOKEN=2234hj234h2kkjjh42kjj2b20asd6918

read_city() {
    ask "$PROXY/active?city=$1&country=NI"
}

# city NAME ACTIVE CACHE: the JSON of a read.
city() {
    printf '{"active":%s,"city":"%s","country":"NI","redis_cache":"%s"}' "$2" "$1" "$3"
}

# write_city METHOD CITY ACTIVE CURL-ARGUMENTS...
write_city() {
    local method=$1 body
    body=$(printf '{"city":"%s", "country":"NI", "active":"%s"}' "$2" "$3")
    shift 3
    send "$method" "$PROXY/active" "$body" "$@"
}

both_hit() {
    read_city Managua
    check "$1: Managua is still a hit" "$(json)" "$(city Managua "$2" hit)"
    read_city Leon
    check "$1: Leon is still a hit" "$(json)" "$(city Leon true hit)"
}

step 'The first read misses, the second one hits'
ask "$BACKEND/active?city=Managua&country=NI"
check 'the API itself knows of no cache' "$(json)" '{"active":true,"city":"Managua","country":"NI"}'
read_city Managua
check 'first read: status' "$(status)" 200
check 'first read: redis_cache is miss' "$(json)" "$(city Managua true miss)"
miss 'first read'
read_city Managua
check 'second read: redis_cache is hit' "$(json)" "$(city Managua true hit)"
hit 'second read'
ask "$PROXY/active?country=NI&city=Managua&utm=x"
check 'the order of the query and what else is in it do not matter' "$(json)" "$(city Managua true hit)"
read_city Leon
check 'another city has an entry of its own' "$(json)" "$(city Leon true miss)"
read_city Leon
check 'and hits then' "$(json)" "$(city Leon true hit)"

step 'What Redis holds'
if with_redis; then
    check "KEYS '*' shows NI-Leon and NI-Managua, and aside's own keys beside them" "$(entry_keys)" 'NI-Leon NI-Managua'
    check 'GET NI-Managua prints the JSON of the API' "$(redis GET NI-Managua | as_json)" \
        '{"active":true,"city":"Managua","country":"NI"}'
else
    skip "KEYS '*' and GET NI-Managua" 'no REDIS_PORT'
fi

step 'An operator closes Managua: exactly that city is dropped'
write_city PUT Managua False --header "Authorization: Bearer $TOKEN"
check 'PUT with the token: result' "$(json result)" '"Ok"'
read_city Leon
check 'Leon is still a hit' "$(json)" "$(city Leon true hit)"
read_city Managua
check 'Managua is a miss, and new' "$(json)" "$(city Managua false miss)"
read_city Managua
check 'Managua is a hit again' "$(json)" "$(city Managua false hit)"

step 'Writes that change nothing drop nothing, though this API says 200 to them'
write_city PUT Managua True
check 'PUT without a token: status' "$(status)" 200
check 'PUT without a token: message' "$(json)" '{"message":"No se ha enviado el Token"}'
both_hit 'after it' false
write_city PUT Managua True --header 'Authorization: Bearer wrong'
check 'PUT with a wrong token: message' "$(json)" '{"message":"Token no Autorizado!"}'
both_hit 'after it' false
write_city PUT Managua False --header "Authorization: Bearer $TOKEN"
check 'PUT of what is so already: result' "$(json result)" '"Fail"'
both_hit 'after it' false

step 'A new city is visible at once'
for call in first second; do
    read_city Rivas
    check "Rivas is unknown, $call read: status" "$(status)" 200
    check "Rivas is unknown, $call read: message" "$(json message)" '"No existen datos Asociados"'
    miss "Rivas is unknown, $call read"
    check "Rivas is unknown, $call read: Cache-Status does not say stored" "$(cache_says stored)" no
done
write_city POST Rivas True
check 'POST: result' "$(json result)" '"Ok"'
read_city Rivas
check 'Rivas is there' "$(json)" "$(city Rivas true miss)"
read_city Rivas
check 'Rivas is a hit' "$(json)" "$(city Rivas true hit)"
both_hit 'after the POST' false

step 'FLUSHALL, and the next read misses'
if with_redis; then
    check 'FLUSHALL' "$(redis FLUSHALL)" OK
    read_city Managua
    check 'Managua is a miss' "$(json)" "$(city Managua false miss)"
else
    skip FLUSHALL 'no REDIS_PORT'
fi

finish
