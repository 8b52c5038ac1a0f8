#!/usr/bin/env bash
# Makes a stand's keys, once: each host's in a directory of its own below KEYS (/keys), as a host would
# have them. In two steps, since a store in etcd needs etcd, which needs certificates:
#   make-keys.sh first   the password of the databases' monitor, etcd's certificates
#   make-keys.sh store   the store with client app, the CA, and everybody's certificate
# Environment: STORE, SERVERS, CONNECTORS: where the store is, and the names of hosts.
set -euo pipefail
umask 077

keys=${KEYS:-/keys}
own=$keys/keymaker # what is on no other host
read -ra servers <<<"${SERVERS:?}"
read -ra connectors <<<"${CONNECTORS:?}"

main() {
    if [[ ! -e $own/$1.complete ]]; then
        "make_$1"
        touch "$own/$1.complete"
    fi
}

make_first() {
    mkdir -p "$own" "$keys/pgsql-master"
    head -c 20 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$own/monitor.password"
    give pgsql-master "$own/monitor.password"
    chmod 644 "$keys/pgsql-master/monitor.password" # to be read by that container's own user
    chmod 755 "$keys/pgsql-master"
    if [[ $STORE == etcd://* ]]; then
        make_etcd_certificates
    fi
}

make_etcd_certificates() {
    local curve=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
    openssl req -x509 "${curve[@]}" -days 365 -subj "/CN=CA of this stand's etcd" \
        -keyout "$own/etcd-ca.key" -out "$own/etcd-ca.crt"
    certify etcd "subjectAltName=DNS:etcd" "/CN=etcd"
    certify etcd-client "extendedKeyUsage=clientAuth" "/O=pgseal"
    give etcd "$own"/{etcd-ca.crt,etcd.crt,etcd.key}
}

# certify NAME EXTENSION SUBJECT
certify() {
    openssl req "${curve[@]}" -subj "$3" -keyout "$own/$1.key" -out "$own/$1.csr"
    openssl x509 -req -in "$own/$1.csr" -CA "$own/etcd-ca.crt" -CAkey "$own/etcd-ca.key" \
        -CAcreateserial -days 365 -extfile <(echo "$2") -out "$own/$1.crt"
}

make_store() {
    local name tries
    export PGSEAL_STORE=$STORE PGSEAL_MASTER_KEY_FILE=$own/master.key
    export PGSEAL_CA_DIR=$own/ca PGSEAL_CA_PASSPHRASE_FILE=$own/passphrase
    if [[ $STORE == etcd://* ]]; then
        export PGSEAL_ETCD_CA=$own/etcd-ca.crt PGSEAL_ETCD_CERTIFICATE=$own/etcd-client.crt
        export PGSEAL_ETCD_PRIVATE_KEY=$own/etcd-client.key
    else
        PGSEAL_STORE=$own/store.db
    fi
    [[ -e $own/passphrase ]] || head -c 24 /dev/urandom | base64 >"$own/passphrase"
    for ((tries = 0; ; tries++)); do # etcd may still be starting
        pgseal-keymaker init && break
        ((tries < 30)) || exit 1
        sleep 1
    done
    pgseal-keymaker client add app --create-zones
    pgseal-keymaker cert client app --out-dir "$own"
    for name in "${servers[@]}"; do
        pgseal-keymaker cert server "$name" --out-dir "$own"
        give "$name" "$own"/{ca/ca.crt,master.key,monitor.password} "$own/$name".{crt,key}
        if [[ $STORE == etcd://* ]]; then
            give "$name" "$own"/etcd-{ca.crt,client.crt,client.key}
        fi
    done
    if [[ $STORE != etcd://* ]]; then
        give "${servers[0]}" "$own/store.db"
        rm "$own/store.db"
    fi
    for name in "${connectors[@]}"; do
        give "$name" "$own"/{ca/ca.crt,app.crt,app.key}
    done
}

# give HOST FILE...: copies files to a host, for the user that pgseal's programs run as there.
give() {
    local directory=$keys/$1
    mkdir -p "$directory"
    cp "${@:2}" "$directory"
    chown -R 61500:61500 "$directory"
}

main "$@"
