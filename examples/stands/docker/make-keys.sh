#!/usr/bin/env bash
# Makes a stand's keys, once: each host's in a directory of its own below KEYS (/keys), as a host would
# have them. In two steps, since a store in etcd needs etcd, which needs certificates:
#   make-keys.sh first   the password of the databases' monitor, etcd's certificates
#   make-keys.sh store   the store with client app, the CA, everybody's certificate, and the account of
#                        the web page: test, password test
# Environment: STORE, SERVERS, CONNECTORS: where the store is, and the names of hosts.
set -euo pipefail
umask 077

keys=${KEYS:-/keys}
own=$keys/keymaker # what is on no other host
read -ra servers <<<"${SERVERS:?}"
read -ra connectors <<<"${CONNECTORS:?}"
curve=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)

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
    new_certifier etcd "CA of this stand's etcd"
    certify etcd etcd "subjectAltName=DNS:etcd" "/CN=etcd"
    certify etcd etcd-client "extendedKeyUsage=clientAuth" "/O=pgseal"
    give etcd "$own"/{etcd-ca.crt,etcd.crt,etcd.key}
}

# new_certifier NAME WHAT: a CA of the stand's, NAME-ca, for what is not pgseal's own.
new_certifier() {
    openssl req -x509 "${curve[@]}" -days 365 -subj "/CN=$2" -keyout "$own/$1-ca.key" -out "$own/$1-ca.crt"
}

# certify CA NAME EXTENSION SUBJECT
certify() {
    openssl req "${curve[@]}" -subj "$4" -keyout "$own/$2.key" -out "$own/$2.csr"
    openssl x509 -req -in "$own/$2.csr" -CA "$own/$1-ca.crt" -CAkey "$own/$1-ca.key" \
        -CAcreateserial -days 365 -extfile <(echo "$3") -out "$own/$2.crt"
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
    make_page
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

# make_page: what the web page shows to servers and to browsers, and its account, which anybody guesses.
make_page() {
    pgseal-keymaker cert admin webconfig --out-dir "$own"
    new_certifier page "CA of this stand's web page"
    certify page page "subjectAltName=DNS:pgseal-webconfig,DNS:localhost,IP:127.0.0.1" "/CN=pgseal-webconfig"
    give pgseal-webconfig "$own"/{ca/ca.crt,webconfig.crt,webconfig.key,page.crt,page.key}
    echo test | pgseal-webconfig --config "${CONFIG:-/config}/pgseal-webconfig.toml" \
        --users-file "$keys/pgseal-webconfig/users" user add test --role operator --allow-weak-password
}

# give HOST FILE...: copies files to a host, for the user that pgseal's programs run as there.
give() {
    local directory=$keys/$1
    mkdir -p "$directory"
    cp "${@:2}" "$directory"
    chown -R 61500:61500 "$directory"
}

main "$@"
