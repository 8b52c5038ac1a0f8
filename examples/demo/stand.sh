# shellcheck shell=bash
# What the demo sets up: a primary and its replica, keys and certificates, a server before each
# database, a connector before each server, and a connector of another client.
# Needs databases.sh and programs.sh.

# Who listens where on 127.0.0.1. DEMO_PORT_PRIMARY and so on change one; DEMO_PORT_BASE sets all,
# to consecutive numbers in this order.
listeners=(
    primary replica server_primary server_replica ops_primary ops_replica
    connector_primary connector_replica connector_other api_primary api_replica api_other
)
declare -A port=(
    [primary]=5434 [replica]=5435
    [server_primary]=9393 [server_replica]=9394
    [ops_primary]=9090 [ops_replica]=9091
    [connector_primary]=9494 [connector_replica]=9495 [connector_other]=9496
    [api_primary]=9191 [api_replica]=9192 [api_other]=9193
)

# choose_ports: takes the ports from the environment and makes sure that they are free.
choose_ports() {
    local number=${DEMO_PORT_BASE:-} name variable taken=" "
    for name in "${listeners[@]}"; do
        variable=DEMO_PORT_${name^^}
        port[$name]=${!variable:-${number:-${port[$name]}}}
        number=${number:+$((number + 1))}
        [[ ${port[$name]} =~ ^[1-9][0-9]{3,4}$ ]] || refuse "$variable: not a port: ${port[$name]}"
        [[ $taken != *" ${port[$name]} "* ]] || refuse "$variable: twice the port ${port[$name]}"
        if listening "${port[$name]}"; then
            fail "port ${port[$name]} is in use; end what listens there, or set $variable"
        fi
        taken+="${port[$name]} "
    done
}

# make_databases: a primary and its streaming replica, as the user postgres where this is root.
make_databases() {
    new_place
    databases=$place/databases
    mkdir -m 755 "$databases"
    unprivileged
    ((EUID != 0)) || chown postgres: "$databases"
    initialise "$databases/primary"
    start primary
    logged createdb env PGPASSWORD=test "$postgres/createdb" --host="$databases" \
        --port="${port[primary]}" --username=postgres test
    replicate "$databases/replica" "$databases" "${port[primary]}"
    start replica
}

# start primary|replica
start() {
    start_database "$1" "$databases/$1" "${port[$1]}" 127.0.0.1 "$databases"
}

# make_keys: the store with two clients, the CA, and everybody's certificate.
make_keys() {
    mkdir -m 700 "$work/keys"
    new_authority
    export PGSEAL_STORE=$work/keys/store.db PGSEAL_MASTER_KEY_FILE=$work/keys/master.key

    keymaker init
    keymaker client add app --create-zones
    keymaker client add other
    keymaker cert server server-primary --out-dir "$work/certs"
    keymaker cert server server-replica --out-dir "$work/certs"
    keymaker cert client app --out-dir "$work/certs"
    keymaker cert client other --out-dir "$work/certs"

    # The daemons get theirs from their own files, not from here.
    export -n PGSEAL_STORE PGSEAL_MASTER_KEY_FILE PGSEAL_CA_DIR PGSEAL_CA_PASSPHRASE_FILE
}

# start_server primary|replica
start_server() {
    cat >"$work/server-$1.toml" <<END
listen = "127.0.0.1:${port[server_$1]}"
ops_listen = "127.0.0.1:${port[ops_$1]}"
store = "$work/keys/store.db"
master_key_file = "$work/keys/master.key"
zone_mode = "off"
drain_timeout = "5s"

[tls]
certificate = "$work/certs/server-$1.crt"
private_key = "$work/certs/server-$1.key"
ca = "$work/ca/ca.crt"

[database]
address = "127.0.0.1:${port[$1]}"
END
    launch "server-$1" "$programs/pgseal-server" --config "$work/server-$1.toml"
    await "server-$1" ready "${port[ops_$1]}" /health
}

# start_connector primary|replica|other CLIENT SERVER
start_connector() {
    cat >"$work/connector-$1.toml" <<END
listen = "127.0.0.1:${port[connector_$1]}"
api_listen = "127.0.0.1:${port[api_$1]}"
server = "127.0.0.1:${port[server_$3]}"
drain_timeout = "5s"

[tls]
certificate = "$work/certs/$2.crt"
private_key = "$work/certs/$2.key"
ca = "$work/ca/ca.crt"

[local_api]
zones = true
END
    launch "connector-$1" "$programs/pgseal-connector" --config "$work/connector-$1.toml"
    await "connector-$1" ready "${port[api_$1]}" /v1/status
}

# set_zone_mode off|on|mixed: changes both servers' files, has them read again, and waits until
# both say so.
set_zone_mode() {
    local node
    for node in primary replica; do
        sed -i "s/^zone_mode = .*/zone_mode = \"$1\"/" "$work/server-$node.toml"
        send HUP "server-$node"
    done
    for node in primary replica; do
        await "server-$node" zone_mode_is "$1" "$node"
    done
}

# zone_mode_is MODE primary|replica
zone_mode_is() {
    [[ $(http "${port[api_$2]}" /v1/status) == *"\"zone_mode\":\"$1\""* ]]
}

# replayed: waits until the replica has replayed what the primary has written so far.
replayed() {
    local written
    written=$(sql primary "SELECT pg_current_wal_lsn()")
    await database-replica replica_has "$written"
}

replica_has() {
    [[ $(sql replica "SELECT pg_last_wal_replay_lsn() >= '$1'") == t ]]
}

# sql LISTENER QUERY [OPTION...]: asks a database, or through a connector: all are PostgreSQL.
sql() {
    psql_at 127.0.0.1 "${port[$1]}" "${@:2}"
}
