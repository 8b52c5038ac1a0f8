# shellcheck shell=bash
# What operators do before and meanwhile: Patroni's configuration, zones and grants, and what has ended is started
# again. Needs three_nodes.sh, disturb.sh.

# speak_old_etcd: has Patroni speak version 2 of etcd's protocol. Before its release 3.1, by version 3, a leader that was
# stopped for longer than `ttl` may take the lock back from the node that was promoted meanwhile, and with it all that this one
# has accepted.
speak_old_etcd() {
    export ETCD_ENABLE_V2=true
    mkdir -p "$work/public"
    patroni_yaml=$work/public/patroni.yaml
    sed 's/^etcd3:$/etcd:/' "$stand/patroni.yaml" >"$patroni_yaml"
}

# make_zones: one for the applications, one that is lent, and a stranger's.
make_zones() {
    operate client add stranger
    operate zone add our-zone --client app
    operate zone add lent-zone --client app
    operate zone add foreign-zone --client stranger
    [[ $sabotage != granted ]] || operate grant add --zone foreign-zone --client app
    operate setting set zone_mode mixed
    operate setting set max_stale 10s
    export_key client --client app
    export_key zone --zone our-zone
    export_key lent --zone lent-zone
    export_key foreign --zone foreign-zone
}

export_key() {
    operate key export-public "${@:2}"
    cp "$work/log/operator-answer" "$work/public/$1.json"
}

# operate ARGUMENT...: has pgseal-keymaker do it, as an operator on the applications' host. A member of etcd may be away,
# so it is tried again.
operate() {
    local etcd_keys=$work/keys/etcd deadline=$((SECONDS + patience))
    until ip netns exec "$network-python-example" env \
        PGSEAL_STORE=etcd://etcd-1:2379,etcd-2:2379,etcd-3:2379/pgseal PGSEAL_MASTER_KEY_FILE="$work/keys/master.key" \
        PGSEAL_ETCD_CA="$etcd_keys/etcd-ca.crt" PGSEAL_ETCD_CERTIFICATE="$etcd_keys/etcd-client.crt" \
        PGSEAL_ETCD_PRIVATE_KEY="$etcd_keys/etcd-client.key" \
        "$programs/pgseal-keymaker" "$@" >"$work/log/operator-answer" 2>>"$work/log/operator.log"; do
        ((SECONDS < deadline)) || fail "$(reason "$work/log/operator.log")"
        sleep 0.2
    done
}

# start_again: servers and connectors that have ended by themselves, as a service manager does: one that is started while
# nobody leads etcd says so, and ends.
start_again() {
    local node name
    for node in "${nodes[@]}"; do
        name=$(server_of "$node")
        alive "$name" || { note_ended "$name" && begin_server "$node"; }
    done
    for name in "${!api_port[@]}"; do
        alive "$name" || { note_ended "$name" && launch_connector "$name"; }
    done
}

note_ended() {
    detail "$1 has ended, and is started again: $(tail -n1 "$work/log/$1.log" | cut -c1-150)"
    restarted=$((restarted + 1))
}

# help_patroni: starts it anew on the leader, as an operator would. Before release 3.1, one that was stopped for a while goes
# on for good with what it has in its cache of etcd, and names no node for the leader to wait for.
help_patroni() {
    local node
    node=$(leader)
    [[ -n $node ]] || return 0
    detail "Patroni does not go on by itself ($missing_for_whole): it is started anew on $node"
    helped=$((helped + 1))
    kill_patroni "$node"
    heal_kill_patroni "$node"
}
