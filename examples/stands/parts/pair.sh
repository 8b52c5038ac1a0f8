# shellcheck shell=bash
# A primary, its streaming replica, and HAProxy before them or before their servers: what two of the stands
# are made of beside what all are. Needs fleet.sh.

# Where each database listens on its own host.
declare -A database_port=([pgsql-master]=5434 [pgsql-slave]=5435)

# start_databases: a primary, its streaming replica, and who watches them.
start_databases() {
    local within as_owner server
    changes=0
    on pgsql-master
    as_owner=("${within[@]}")
    initialise "$place/pgsql-master/data"
    printf 'host %s all samenet scram-sha-256\n' all replication \
        >>"$place/pgsql-master/data/pg_hba.conf"
    serve_database pgsql-master
    (umask 077 && random >"$work/keys/monitor.password")
    for server in "${servers[@]}"; do
        install_on "$server" "$work/keys/monitor.password"
    done
    sql pgsql-master "CREATE DATABASE test" --dbname=postgres
    sql pgsql-master "CREATE ROLE pgseal_monitor LOGIN PASSWORD '$(<"$work/keys/monitor.password")'"

    on pgsql-slave
    as_owner=("${within[@]}")
    replicate "$place/pgsql-slave/data" pgsql-master 5434
    serve_database pgsql-slave
}

serve_database() {
    start_database "$1" "$place/$1/data" "${database_port[$1]}" '*' "$place/$1" \
        -c max_connections=300
}

# start_checks: beside each database who tells HAProxy what it is.
start_checks() {
    start pgsql-master check-master env PGPASSWORD=test PGUSER=postgres \
        "$place/bin/check_database.py" 9001 127.0.0.1 5434 "$postgres/psql"
    start pgsql-slave check-slave env PGPASSWORD=test PGUSER=postgres \
        "$place/bin/check_database.py" 9002 127.0.0.1 5435 "$postgres/psql"
    await check-master answers pgsql-master 9001 /
    await check-slave answers pgsql-slave 9002 /
}

# start_haproxy MASTER SLAVE: waits until each backend has that host alone. Sabotaged, it asks each of
# the two what the other one is.
start_haproxy() {
    local master=$1 slave=$2
    install_on haproxy "$stand/haproxy.cfg"
    if [[ $sabotage == checks-lie ]]; then
        sed -i -e "s/ port 9001/ addr $2 port 0/; s/ port 9002/ addr $1 port 9001/; s/ port 0/ port 9002/" \
            "$place/haproxy/haproxy.cfg"
        master=$2 slave=$1
    fi
    start haproxy haproxy /usr/sbin/haproxy -db -f haproxy.cfg
    await haproxy has_alone master "$master"
    await haproxy has_alone slave "$slave"
}

# has_alone BACKEND HOST: whether HAProxy sends that backend's sessions there, and nowhere else.
has_alone() {
    [[ $(serve 8404 "$1") == "$2" ]]
}

# replayed: waits until the replica has replayed what the primary has written so far.
replayed() {
    local written
    written=$(sql pgsql-master "SELECT pg_current_wal_lsn()")
    await database-pgsql-slave replica_has "$written"
}

replica_has() {
    [[ $(sql pgsql-slave "SELECT pg_last_wal_replay_lsn() >= '$1'") == t ]]
}

# set_zone_mode MODE: for all servers of the store, while they run; waits until each has taken it over.
set_zone_mode() {
    local within
    at "${servers[0]}"
    as_keymaker=("${within[@]}")
    keymaker setting set zone_mode "$1"
    followed
}

# followed: waits until each server has taken over a change of settings that was just made.
followed() {
    local server
    changes=$((changes + 1))
    for server in "${servers[@]}"; do
        await "$server" has_followed "$server"
    done
}

# has_followed SERVER: whether it has taken over the last change of settings; they are numbered.
has_followed() {
    grep -q "settings taken over number=$changes\b" "$work/log/$1.log"
}
