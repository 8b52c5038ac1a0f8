# shellcheck shell=bash
# What runs on a stand's hosts: two databases and what HAProxy asks of them, etcd, HAProxy, servers
# and connectors; the web page is in page.sh. Their configuration is that of $stand's files. Needs network.sh, databases.sh and
# programs.sh; $variant is with-haproxy or without-haproxy.

# Where each database listens on its own host.
declare -A database_port=([pgsql-master]=5434 [pgsql-slave]=5435)

# begin_stand: a place, a network, and programs where every user may run them.
begin_stand() {
    changes=0
    mkdir -m 700 "$work/keys"
    new_place
    make_network
    mkdir -m 755 "$place/bin"
    install --mode=755 "$built"/pgseal-{server,connector,keymaker,webconfig} \
        examples/stands/check_database.py "$place/bin"
    programs=$place/bin
}

# start_databases: a primary, its streaming replica, and who watches them.
start_databases() {
    local within as_owner
    on pgsql-master
    as_owner=("${within[@]}")
    initialise "$place/pgsql-master/data"
    printf 'host %s all samenet scram-sha-256\n' all replication \
        >>"$place/pgsql-master/data/pg_hba.conf"
    serve_database pgsql-master
    (umask 077 && random >"$work/keys/monitor.password")
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

# sql HOST QUERY [OPTION...]: asks a database past everything, at its unix socket.
sql() {
    psql_at "$place/$1" "${database_port[$1]}" "${@:2}"
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

# start_etcd: a store for servers of several hosts, which talks to nobody without a certificate.
start_etcd() {
    local tls=$work/keys/etcd
    new_certifier "$tls/etcd" "CA of this stand's etcd"
    certify "$tls/etcd" etcd "subjectAltName=DNS:etcd" "/CN=etcd"
    certify "$tls/etcd" etcd-client "extendedKeyUsage=clientAuth" "/O=pgseal"
    install_on etcd "$tls"/{etcd-ca.crt,etcd.crt,etcd.key}
    start etcd etcd /usr/bin/etcd --name=etcd --data-dir=data --log-level=warn --logger=zap \
        --listen-client-urls=https://0.0.0.0:2379 --advertise-client-urls=https://etcd:2379 \
        --listen-peer-urls=http://127.0.0.1:2380 --initial-advertise-peer-urls=http://127.0.0.1:2380 \
        --initial-cluster=etcd=http://127.0.0.1:2380 --unsafe-no-fsync \
        --cert-file=etcd.crt --key-file=etcd.key --trusted-ca-file=etcd-ca.crt --client-cert-auth
    local within
    on etcd
    await etcd "${within[@]}" bash -c '{ exec 3<>/dev/tcp/127.0.0.1/2379; } 2>/dev/null'
}

# new_certifier DIRECTORY/NAME WHAT: a CA of the stand's, NAME-ca, for what is not pgseal's own.
new_certifier() {
    mkdir -m 700 "${1%/*}"
    logged openssl openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
        -subj "/CN=$2" -keyout "$1-ca.key" -out "$1-ca.crt"
}

# certify DIRECTORY/CA NAME EXTENSION SUBJECT
certify() {
    local certified=${1%/*}/$2
    logged openssl openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -subj "$4" -keyout "$certified.key" -out "$certified.csr"
    logged openssl openssl x509 -req -in "$certified.csr" -CA "$1-ca.crt" -CAkey "$1-ca.key" \
        -CAcreateserial -days 2 -extfile <(echo "$3") -out "$certified.crt"
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
    [[ $(call haproxy http 8404 '/;csv' | awk -F, -v backend="$1" \
        '$1 == backend && $2 != "BACKEND" && $18 ~ /^UP/ { print $2 }') == "$2" ]]
}

# configured HOST: installs its configuration of this variant.
configured() {
    local file=$stand/$variant/$1.toml
    [[ -e $file ]] || file=$stand/$1.toml
    install_on "$1" "$file" "$work/ca/ca.crt"
}

# start_server HOST OPS_PORT
start_server() {
    configured "$1"
    install_on "$1" "$work/certs/$1".{crt,key} "$work/keys/monitor.password"
    start "$1" "$1" "$place/bin/pgseal-server" --config "$1.toml"
    await "$1" answers "$1" "$2" /health
}

# start_connector NAME API_PORT. Sabotaged, it knows one server.
start_connector() {
    configured "$1"
    if [[ $sabotage == no-spare ]]; then
        sed -i -e '/^listen.*=primary/,/^servers/s/, "pgseal-server-s:9393"//' \
            -e '/^listen.*=replica/,/^servers/s/"pgseal-server-m:9393", //' "$place/$1/$1.toml"
    fi
    install_on "$1" "$work"/certs/app.{crt,key}
    start "$1" "$1" "$place/bin/pgseal-connector" --config "$1.toml"
    await "$1" answers "$1" "$2" /v1/client
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

# replayed: waits until the replica has replayed what the primary has written so far.
replayed() {
    local written
    written=$(sql pgsql-master "SELECT pg_current_wal_lsn()")
    await database-pgsql-slave replica_has "$written"
}

replica_has() {
    [[ $(sql pgsql-slave "SELECT pg_last_wal_replay_lsn() >= '$1'") == t ]]
}
