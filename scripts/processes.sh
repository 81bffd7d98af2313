# Sourced by scripts that run servers: starts them, waits until they answer, stops each by its process id.
# shellcheck shell=bash

servers=()

# start LOG COMMAND...: runs a server in the background and sets `server` to its process id. Its output goes to the file
# LOG, or with `-` where the script's own goes. It gets a process group of its own: a Ctrl-C in the terminal reaches the
# script alone, which then stops the servers in order.
start() {
    local log=$1
    shift
    set -m
    if [ "$log" = - ]; then
        "$@" 2>&1 < /dev/null &
    else
        "$@" >> "$log" 2>&1 < /dev/null &
    fi
    set +m
    server=$!
    servers+=("$server")
}

# stop PID...: asks the servers to stop, waits, and ends by force what has not stopped after ten seconds.
stop() {
    local pid ticks
    for pid in "$@"; do
        if alive "$pid"; then kill -TERM "$pid"; fi
    done
    for pid in "$@"; do
        for ((ticks = 0; ticks < 100; ticks++)); do
            alive "$pid" || continue 2
            sleep 0.1
        done
        echo "process $pid did not stop, so it was killed" >&2
        kill -KILL -- "-$pid"
    done
}

stop_all() {
    if [ "${#servers[@]}" -gt 0 ]; then stop "${servers[@]}"; fi
    servers=()
}

alive() {
    kill -0 "$1" 2> /dev/null
}

# wait_for PID WHAT COMMAND...: until the command succeeds; fails when the server ends first, or after a minute.
wait_for() {
    local pid=$1 what=$2 end=$((SECONDS + 60))
    shift 2
    until "$@" > /dev/null 2>&1; do
        if ! alive "$pid"; then
            echo "$what ended instead of starting" >&2
            return 1
        fi
        if [ "$SECONDS" -ge "$end" ]; then
            echo "$what does not answer after a minute" >&2
            return 1
        fi
        sleep 0.1
    done
}

# free_ports COUNT: as many ports that nobody listens on, below those that the system gives to outgoing connections.
free_ports() {
    python3 -c '
import random, socket, sys
wanted, found = int(sys.argv[1]), []
while len(found) < wanted:
    port = random.randrange(20000, 32000)
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
    if port not in found:
        found.append(port)
print(*found)
' "$1"
}

# port_is_free PORT: whether nobody listens on 127.0.0.1 there.
port_is_free() {
    python3 -c '
import socket, sys
with socket.socket() as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind(("127.0.0.1", int(sys.argv[1])))
' "$1" 2> /dev/null
}

# built_binary PROFILE: prints where aside is, $ASIDE_BIN or a build of that profile (`dev` or `release`): an absolute
# path, for a path that was given relative to this folder means nothing to a server that starts in its own.
built_binary() {
    local binary=${ASIDE_BIN:-} folder=$1
    if [ -z "$binary" ]; then
        if [ "$1" = dev ]; then folder=debug; fi
        # shellcheck disable=SC2154 # whoever sources this has set it
        (cd "$root" && cargo build --profile "$1" --locked --quiet --bin aside) || return
        binary=${CARGO_TARGET_DIR:-target}/$folder/aside
        [[ $binary == /* ]] || binary=$root/$binary
    fi
    if [ ! -x "$binary" ]; then
        echo "$binary is no program: ASIDE_BIN has to name a built aside" >&2
        return 1
    fi
    realpath "$binary"
}
