# shellcheck shell=bash
# What runs on every stand's hosts: servers and connectors. Their configuration is that of $stand's files.
# Needs network.sh, databases.sh and programs.sh; $variant is with-haproxy or without-haproxy.
#
# A stand says in `database_port` where each of its databases listens on its own host.

# begin_stand: a place, a network, and programs where every user may run them.
begin_stand() {
    mkdir -m 700 "$work/keys"
    new_place
    make_network
    mkdir -m 755 "$place/bin"
    install --mode=755 "$built"/pgseal-{server,connector,keymaker,webconfig} \
        examples/stands/check_database.py "$place/bin"
    programs=$place/bin
}

# sql HOST QUERY [OPTION...]: asks a database past everything, at its unix socket.
sql() {
    psql_at "$place/$1" "${database_port[$1]}" "${@:2}"
}

# new_store PLACE: a store there with a client, and all that keymakers need until `leave_store`.
new_store() {
    new_authority
    export PGSEAL_STORE=$1 PGSEAL_MASTER_KEY_FILE=$work/keys/master.key
    keymaker init
    keymaker client add app --create-zones
    keymaker cert client app --out-dir "$work/certs"
}

leave_store() {
    unset "${!PGSEAL_STORE@}" "${!PGSEAL_ETCD_@}" "${!PGSEAL_MASTER_@}" "${!PGSEAL_CA_@}"
}

# hand_over_store SERVER: has the store be a file of that server's alone.
hand_over_store() {
    keymaker cert server "$1" --out-dir "$work/certs"
    install_on "$1" "$work"/keys/{store.db,master.key}
    keep_environment "$1" PGSEAL_STORE=store.db PGSEAL_MASTER_KEY_FILE=master.key
    leave_store
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

# serve PORT PROXY [HOST]: to which servers the HAProxy there sends sessions of that proxy, or of all that the
# expression is for, by its page at that port.
serve() {
    call "${3:-haproxy}" http "$1" '/;csv' | awk -F, -v proxy="$2" \
        '$1 ~ "^(" proxy ")$" && $2 !~ /^(FRONT|BACK)END$/ && $18 ~ /^UP/ { print $2 }' | sort | paste -sd ' '
}

# configured HOST: installs its configuration of this variant, and says in `configuration` what it is
# called there. Hosts that are alike but for a number have one file.
configured() {
    local file
    for file in "$stand/$variant/$1.toml" "$stand/$1.toml" "$stand"/{"$variant/",}"${1%-[0-9]}.toml"; do
        [[ ! -e $file ]] || break
    done
    configuration=${file##*/}
    install_on "$1" "$file" "$work/ca/ca.crt"
}

# start_server HOST OPS_PORT [OPTION...]: waits until all is well with it.
start_server() {
    launch_server "$1" "${@:3}"
    await "$1" answers "$1" "$2" /health
}

# launch_server HOST [OPTION...]
launch_server() {
    local configuration
    configured "$1"
    install_on "$1" "$work/certs/$1".{crt,key}
    start "$1" "$1" "$place/bin/pgseal-server" --config "$configuration" "${@:2}"
}

# start_connector NAME API_PORT [OPTION...]: waits until it has heard from a server.
start_connector() {
    launch_connector "$1" "${@:3}"
    await "$1" answers "$1" "$2" /v1/client
}

# launch_connector NAME [OPTION...]. Sabotaged, it knows one server.
launch_connector() {
    local configuration
    configured "$1"
    if [[ $sabotage == no-spare ]]; then
        sed -i -e '/^listen.*=primary/,/^servers/s/, "pgseal-server-s:9393"//' \
            -e '/^listen.*=replica/,/^servers/s/"pgseal-server-m:9393", //' \
            -e 's/"pgseal-server-1:[0-9]*", //' "$place/$1/$configuration"
    fi
    install_on "$1" "$work"/certs/app.{crt,key}
    start "$1" "$1" "$place/bin/pgseal-connector" --config "$configuration" "${@:2}"
}
