# Sourced: start and stop an `arc serve` of our own, on a free port.
#   start_server DATA_DIR    sets server_pid and server_url; its log is DATA_DIR/server.log
#   stop_server              orderly; says so when it did not end well
# Needs $arc, the binary. Server settings come from the environment, as always.

server_pid=

start_server() {
    local data=$1 log=$1/server.log port=
    mkdir -p "$data"
    : >"$log" # before it is read: a log of another run would name another port
    # a session of its own: Ctrl-C on the terminal is for the script, which then stops the server
    # reachable from this machine alone, and for the script's own time: without tokens
    AUTH_ENABLED=false setsid "$arc" serve --host 127.0.0.1 --port 0 --data "$data" </dev/null >>"$log" 2>&1 &
    server_pid=$!
    for _ in $(seq 300); do
        # it listens at once, but takes no work until it is ready
        port=$(sed -n 's#.*ready.*http://127\.0\.0\.1:\([0-9]\{1,5\}\).*#\1#p' "$log" | head -n 1)
        [ -n "$port" ] && break
        kill -0 "$server_pid" 2>/dev/null || break
        sleep 0.1
    done
    if [ -z "$port" ]; then
        echo "the server did not start; its log:" >&2
        tail -n 20 "$log" >&2
        stop_server
        return 1
    fi
    server_url=http://127.0.0.1:$port
}

stop_server() {
    local pid=$server_pid code=0
    [ -n "$pid" ] || return 0
    server_pid=
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" || code=$?
    if [ "$code" != 0 ]; then
        echo "the server ended with $code" >&2
        return 1
    fi
}
