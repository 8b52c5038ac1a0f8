# shellcheck shell=bash
# What connectors tell of sessions. Needs fleet.sh, asking.sh; of the stand, `connectors`, one for both listeners or
# one for each, and `sessions_at`, the servers that have to be told of them.

# show_sessions: a connector tells where each of its sessions is, while one of each kind waits.
show_sessions() {
    local port told=() within
    step "Where sessions are, $variant"
    for port in 9494 9495; do
        at python-example
        launch "session-$port" "${within[@]}" "$postgres/psql" --no-psqlrc --quiet --host=127.0.0.1 \
            --port="$port" --command="SELECT pg_sleep(60)"
    done
    for port in 9494 9495; do
        await "session-$port" session_is_told "$port"
        told+=("$(servers_of "$port")")
        detail "$(printf '%-24s %s' "127.0.0.1:$port" "${told[-1]}")"
    done
    for port in 9494 9495; do
        send TERM "session-$port"
    done
    proof "connectors tell where their sessions are" "$(lines "${sessions_at[@]}")" "$(lines "${told[@]}")"
}

session_is_told() {
    [[ -n $(servers_of "$1") ]]
}

# servers_of PORT: where sessions of the connector's listener at that port are, as it tells.
servers_of() {
    local api=9191
    [[ $1 != 9495 || ${#connectors[@]} == 1 ]] || api=9192
    call python-example http "$api" /v1/sessions | tr '{' '\n' | grep "\"listener\":\"127.0.0.1:$1\"" |
        sed -n 's/.*"server":"\([^"]*\)".*/\1/p' | sort -u
}
