# shellcheck shell=bash
# Three nodes under Patroni, with three members of etcd, a server of pgseal's beside each node, and two connectors;
# behind HAProxy, or not. Needs etcd.sh and patroni.sh.

nodes=(pg-1 pg-2 pg-3)
servers=(pgseal-1 pgseal-2 pgseal-3)
etcd=(etcd-1 etcd-2 etcd-3)
declare -A database_port=([pg-1]=5432 [pg-2]=5432 [pg-3]=5432)

needs() {
    need etcd-server "Patroni's store, and the servers' (a service of its own is left alone)" test -x /usr/bin/etcd
    need patroni "runs the databases (a service of its own is left alone)" test -x /usr/bin/patroni
}

start_stand() {
    local i
    step "Start three nodes under Patroni, $variant"
    begin_stand
    for i in "${!nodes[@]}"; do
        add_host "${nodes[i]}" postgres "${servers[i]}"
        add_host "${etcd[i]}" $((first_user + i))
    done
    add_host haproxy $((first_user + 3))
    add_host python-example root pgseal-connector-rw pgseal-connector-ro
    names_resolve

    start_etcd "${etcd[@]}"
    make_keys
    start_nodes
    detail "pg-1, pg-2, pg-3: PostgreSQL at 5432, Patroni at 8008; user postgres, password test, database test"
    for i in "${!nodes[@]}"; do
        start_server_beside "$i"
    done
    detail "pgseal-1, pgseal-2, pgseal-3: one on each of them, at 9393 and for checks at 9090; one store in etcd"
    if [[ $variant == with-haproxy ]]; then
        start_haproxy
        detail "haproxy:5000 RW, haproxy:5001 RO, http://haproxy:7000/ to look at"
    fi
    start_connector pgseal-connector-rw 9191
    start_connector pgseal-connector-ro 9192
    detail "pgseal-connector-rw:9494, pgseal-connector-ro:9495; stats pages at 9191, 9192 on python-example"
}

# start_server_beside NUMBER: the server beside the node of that number. Sabotaged, it seldom asks Patroni.
start_server_beside() {
    local server=${servers[$1]} options=()
    [[ $sabotage != slow-watch ]] || options=(--monitor-interval 10s)
    start_server "$server" 9090 --tls-certificate "$server.crt" --tls-private-key "$server.key" "${options[@]}"
}

# make_keys: a store in etcd, beside what Patroni keeps there, to which it has a certificate, too.
make_keys() {
    local i tls=$work/keys/etcd
    new_store_in_etcd "${etcd[@]}"
    for i in "${!nodes[@]}"; do
        admit_server "${servers[i]}"
        install_on "${nodes[i]}" "$tls"/{etcd-ca.crt,etcd-client.crt,etcd-client.key}
    done
    leave_store
}

# start_haproxy: waits until it knows who leads. Sabotaged, it asks each node for the other role.
start_haproxy() {
    local primary standby
    install_on haproxy "$stand/haproxy.cfg"
    if [[ $sabotage == checks-lie ]]; then
        sed -i -e '/^listen primary/,/^$/s|option httpchk$|option httpchk OPTIONS /replica|' \
            -e '/^listen standby/,$s|option httpchk .*|option httpchk|' "$place/haproxy/haproxy.cfg"
    fi
    primary=$(leader)
    standby=$(replicas | paste -sd ' ')
    start haproxy haproxy /usr/sbin/haproxy -db -f haproxy.cfg
    if [[ $sabotage == checks-lie ]]; then
        await haproxy balances "$standby" "$primary"
    else
        await haproxy balances "$primary" "$standby"
    fi
}

# balances PRIMARY STANDBY: whether HAProxy has these behind its two ports.
balances() {
    [[ $(serve 7000 primary) == "$1" && $(serve 7000 standby) == "$2" ]]
}

# come_back HOST
come_back() {
    start_node "$1"
    start_server_beside $((${1#pg-} - 1))
}
