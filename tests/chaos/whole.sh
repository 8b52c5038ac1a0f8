# shellcheck shell=bash
# Whether all is whole, by what all of them say; and what the programs hold. Needs three_nodes.sh.

missing_for_whole=''

declare -A api_port=([pgseal-connector-rw]=9191 [pgseal-connector-ro]=9192)

# is_whole: or else `missing_for_whole` says what is not.
is_whole() {
    local server node written
    missing_for_whole="Patroni and its databases"
    whole || return 1
    # One that tries in vain says for a moment that it receives.
    missing_for_whole="a replica that follows, under Patroni"
    written=$(sql "$(leader)" "SELECT pg_current_wal_lsn()") || return 1
    for node in $(replicas); do
        has_replayed "$node" "$written" || return 1
    done
    missing_for_whole="a node that the leader waits for, of Patroni's choice"
    has_sync_standby || return 1
    for server in "${servers[@]}"; do
        missing_for_whole=$server
        answers "$server" 9090 /health || return 1
    done
    missing_for_whole="what connectors know"
    if [[ $variant == with-haproxy ]]; then
        balances "$(leader)" "$(replicas | paste -sd ' ')" || return 1
    else
        [[ $(ups pgseal-connector-rw) == 3 && $(ups pgseal-connector-ro) == 3 ]] || return 1
    fi
    missing_for_whole="the applications"
    load_goes_on
}

has_sync_standby() {
    [[ $(members) == *" sync_standby running "* ]]
}

# ups CONNECTOR: how many servers it has sessions for.
ups() {
    call python-example http "${api_port[$1]}" /v1/servers | grep -o '"state":"up"' | wc -l
}

# load_goes_on: whether writes and reads go on, all of them within two seconds.
load_goes_on() {
    local before after count=0
    before=$(tail -n1 "$work/log/load.log")
    [[ $before =~ ^[0-9]+\ [0-9]+$ ]] || return 1 # an earlier load's last word
    until after=$(tail -n1 "$work/log/load.log") && [[ $after =~ ^[0-9]+\ [0-9]+$ && $after != "$before" ]]; do
        ((++count < 30)) || return 1
        sleep 0.1
    done
    ((${after% *} > ${before% *} && ${after#* } > ${before#* }))
}

# know_roles: who is what, in `roles`.
declare -A roles=()
know_roles() {
    local known
    known=$(members)
    roles=(
        [leader]=$(awk '$2 == "leader" { print $1 }' <<<"$known")
        [standby]=$(awk '$2 == "sync_standby" { print $1 }' <<<"$known")
        [other]=$(awk '$2 == "replica" { print $1 }' <<<"$known")
    )
}

# resolve TARGET: with hosts in the place of roles.
resolve() {
    local one=${1%+*} other=${1#*+}
    one=${roles[$one]:-$one}
    [[ $1 != *+* ]] && echo "$one" && return
    echo "$one+${roles[$other]:-$other}"
}

# programs_of_ours: name, and the port and host at which each tells its metrics.
programs_of_ours() {
    local server
    for server in "${servers[@]}"; do
        echo "$server 9090"
    done
    echo "pgseal-connector-rw 9191"
    echo "pgseal-connector-ro 9192"
}

# sessions_of NAME PORT
sessions_of() {
    call "$1" http "$2" /metrics | awk '$1 ~ /^pgseal_(server|connector)_sessions$/ { print $2 }'
}

sessions_ended() {
    local name port
    while read -r name port; do
        [[ $(sessions_of "$name" "$port") == 0 ]] || return 1
    done < <(programs_of_ours)
}

# take_stock WHEN: what each holds: sessions, its process, since when, descriptors, memory in KiB, threads.
take_stock() {
    local name port process born
    while read -r name port; do
        read -r process born <"$work/run/$name"
        printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "$(sessions_of "$name" "$port")" "$process" "$born" \
            "$(find "/proc/$process/fd" -mindepth 1 | wc -l)" \
            "$(awk '/^VmRSS/ { print $2 }' "/proc/$process/status")" \
            "$(awk '/^Threads/ { print $2 }' "/proc/$process/status")"
    done < <(programs_of_ours) >"$work/stock-$1.tsv"
}
