# shellcheck shell=bash
# Databases that Patroni runs, and what it tells of them. Needs fleet.sh; of the stand, `nodes`, the hosts of
# databases.

undo=(end_databases "${undo[@]}")

# What Patroni is told, where it is not the stand's own file.
patroni_yaml=''

# start_node HOST: Patroni, and by it its database. Where there is no directory for data, Patroni may make it
# open to all, on the way to that of the socket.
start_node() {
    install --directory --mode=700 --owner=postgres --group=postgres "$place/$1/data"
    install_on "$1" "${patroni_yaml:-$stand/patroni.yaml}"
    start "$1" "patroni-$1" env PATRONI_NAME="$1" PATRONI_RESTAPI_CONNECT_ADDRESS="$1:8008" \
        PATRONI_POSTGRESQL_CONNECT_ADDRESS="$1:5432" PATRONI_POSTGRESQL_DATA_DIR="$place/$1/data" \
        PATRONI_POSTGRESQL_BIN_DIR="$postgres" /usr/bin/patroni patroni.yaml
}

# start_nodes: the first of them makes the database, and the others copy it.
start_nodes() {
    local node
    start_node "${nodes[0]}"
    await "patroni-${nodes[0]}" leads "${nodes[0]}"
    sql "${nodes[0]}" "CREATE DATABASE test" --dbname=postgres
    for node in "${nodes[@]:1}"; do
        start_node "$node"
    done
    await "patroni-${nodes[0]}" whole
}

# patroni_tells HOST PATH: what Patroni there answers.
patroni_tells() {
    local within
    at "$1"
    "${within[@]}" curl --silent --fail --max-time "$patience" "http://localhost:8008$2"
}

# members: name, role, state and timeline of each that Patroni knows, by whichever node answers.
members() {
    local node answer
    for node in "${nodes[@]}"; do
        if answer=$(patroni_tells "$node" /cluster); then
            python3 -c 'import json, sys
for member in json.load(sys.stdin)["members"]:
    state = member["state"].replace("streaming", "running")  # from Patroni 4.0 on
    print(member["name"], member["role"], state, member.get("timeline", "-"))' <<<"$answer"
            return
        fi
    done
}

# leader: its name, or nothing.
leader() {
    members | awk '$2 == "leader" && $3 == "running" { print $1 }'
}

# replicas: the nodes that do not lead.
replicas() {
    printf '%s\n' "${nodes[@]}" | grep -vx "$(leader)"
}

# leads HOST: whether it does, and takes writes.
leads() {
    [[ $(leader) == "$1" && $(sql "$1" "SELECT pg_is_in_recovery()" --dbname=postgres 2>/dev/null) == f ]]
}

# other_leads HOST: whether another than this one does.
other_leads() {
    local now
    now=$(leader)
    [[ -n $now && $now != "$1" ]] && leads "$now"
}

# whole: whether one leads, and all others receive on its timeline what it writes.
whole() {
    local now node
    now=$(leader)
    [[ -n $now ]] || return 1
    [[ $(members | awk '$3 == "running" { print $4 }' | sort | uniq -c | awk '{ print $1 }') == "${#nodes[@]}" ]] ||
        return 1
    for node in "${nodes[@]}"; do
        [[ $node == "$now" ]] || streams "$node" || return 1
    done
}

# streams HOST: whether it is a replica that receives.
streams() {
    [[ $(sql "$1" "SELECT status FROM pg_stat_wal_receiver" --dbname=postgres 2>/dev/null) == streaming ]]
}

# order HOST ARGUMENT...: has patronictl do something there, and shows what it says.
order() {
    local within host=$1
    shift
    show_command "exec $host patronictl -c patroni.yaml $*"
    at "$host"
    detail "$("${within[@]}" patronictl -c patroni.yaml "$@" 2>&1 || true)"
}

# lose_host HOST: kills all that runs there: what was started by name, and then what is left of it, such as the
# database, which is no child of Patroni's.
lose_host() {
    local file process running
    mapfile -t running < <(ip netns pids "$network-$1")
    for file in "$work"/run/*; do
        read -r process _ <"$file"
        [[ " ${running[*]} " != *" $process "* ]] || slay "${file##*/}"
    done
    while mapfile -t running < <(ip netns pids "$network-$1") && ((${#running[@]})); do
        kill -KILL "${running[@]}" 2>/dev/null || true
        sleep 0.05
    done
}

# end_databases: those that have outlived their Patroni, as all do that are thrown away.
end_databases() {
    local file process place
    [[ -e $work/place ]] || return 0
    place=$(<"$work/place")
    for file in "$place"/*/data/postmaster.pid; do
        [[ -e $file ]] || continue
        read -r process <"$file"
        kill -QUIT "$process" 2>/dev/null || continue
        while [[ -n $(born "$process") ]]; do
            sleep 0.05
        done
    done
}

# replayed: waits until replicas have replayed what the leader has written so far.
replayed() {
    local now node written
    now=$(leader)
    written=$(sql "$now" "SELECT pg_current_wal_lsn()")
    for node in "${nodes[@]}"; do
        [[ $node == "$now" ]] || await "patroni-$node" has_replayed "$node" "$written"
    done
}

has_replayed() {
    [[ $(sql "$1" "SELECT pg_last_wal_replay_lsn() >= '$2'") == t ]]
}
