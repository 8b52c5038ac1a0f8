# shellcheck shell=bash
# etcd of one member or several, which talk to nobody without a certificate, and servers' store in it. Needs
# fleet.sh.

# start_etcd HOST...: a member on each.
start_etcd() {
    local member within tls=$work/keys/etcd
    new_certifier "$tls/etcd" "CA of this stand's etcd"
    certify "$tls/etcd" etcd-client "extendedKeyUsage=clientAuth" "/O=pgseal"
    for member; do
        certify "$tls/etcd" "$member" "subjectAltName=DNS:$member" "/CN=$member"
        install_on "$member" "$tls"/{etcd-ca.crt,"$member".crt,"$member".key}
    done
    for member; do
        start_member "$member" "$@"
    done
    for member; do
        on "$member"
        await "$member" "${within[@]}" bash -c '{ exec 3<>/dev/tcp/127.0.0.1/2379; } 2>/dev/null'
    done
}

# start_member HOST HOST...: the member on the first of them, of those on the others.
start_member() {
    local member=$1 other cluster=''
    for other in "${@:2}"; do
        cluster+=${cluster:+,}$other=https://$other:2380
    done
    start "$member" "$member" /usr/bin/etcd --name="$member" --data-dir=data --log-level=warn --logger=zap \
        --listen-client-urls=https://0.0.0.0:2379 --advertise-client-urls="https://$member:2379" \
        --listen-peer-urls=https://0.0.0.0:2380 --initial-advertise-peer-urls="https://$member:2380" \
        --initial-cluster="$cluster" --unsafe-no-fsync \
        --cert-file="$member.crt" --key-file="$member.key" --trusted-ca-file=etcd-ca.crt --client-cert-auth \
        --peer-cert-file="$member.crt" --peer-key-file="$member.key" --peer-trusted-ca-file=etcd-ca.crt \
        --peer-client-cert-auth
}

# new_store_in_etcd HOST...: the same in etcd, on these hosts.
new_store_in_etcd() {
    local etcd=$work/keys/etcd endpoints=("${@/%/:2379}")
    export PGSEAL_ETCD_CA=$etcd/etcd-ca.crt
    export PGSEAL_ETCD_CERTIFICATE=$etcd/etcd-client.crt PGSEAL_ETCD_PRIVATE_KEY=$etcd/etcd-client.key
    as_keymaker=(ip netns exec "$network-$1")
    new_store "etcd://$(IFS=, && echo "${endpoints[*]}")/pgseal"
}

# admit_server SERVER: to the store in etcd, with a master key and a certificate.
admit_server() {
    local etcd=$work/keys/etcd
    keymaker cert server "$1" --out-dir "$work/certs"
    install_on "$1" "$work/keys/master.key" "$etcd"/{etcd-ca.crt,etcd-client.crt,etcd-client.key}
    keep_environment "$1" PGSEAL_STORE="$PGSEAL_STORE" PGSEAL_MASTER_KEY_FILE=master.key \
        PGSEAL_ETCD_CA=etcd-ca.crt PGSEAL_ETCD_CERTIFICATE=etcd-client.crt \
        PGSEAL_ETCD_PRIVATE_KEY=etcd-client.key
}
