#!/usr/bin/env bash
# Two balancers that keep two addresses between them by keepalived: one before two servers of pgseal's, one before
# their databases; and the same without balancers. See examples/stands/README.md.
# shellcheck source-path=SCRIPTDIR/../..
set -euo pipefail

usage() {
    cat <<'EOT'
Usage: bash examples/stands/vip.sh [COMMAND]

Two hosts with a pgseal-server and a PostgreSQL each, a primary and its replica; before them two balancers, hosts with
HAProxy and keepalived each. A virtual address is before the servers, and one before the databases: when its owner
is lost, the other balancer has it. Every host is a network namespace with a name, a user and a directory.
Debian's PostgreSQL, HAProxy, keepalived and etcd, no containers.

  pgsql-master:5434 ─┐                          ┌─ pgseal-server-1 ─┐                          ┌─ pgseal-connector-rw:9494
                     ├─ pgsql-vip:5432 RW       ┤   :9393 RW        ├─ pgseal-vip:9393 RW      ┤  (for python-example)
  pgsql-slave:5435 ──┘           :5433 RO       └─ pgseal-server-2 ─┘            :9394 RO      └─ pgseal-connector-ro:9495
                     balancer-2, or else -1         :9394 RO        balancer-1, or else -2
                     [or nothing]                                   [or nothing]

  (no command)         run it with balancers and without; prove what both do, side by side: keepalived stopped,
                       HAProxy stopped, a balancer cut off, a server killed; leave nothing running
  up [VARIANT]         start it and leave it running: with-haproxy (as it comes), without-haproxy
  exec HOST COMMAND... run a command there: exec python-example python ../stands/who_answers.py
  kill|stop|start NAME kill, end or start one of its programs; without a right name it tells all
  down                 end what `up` left running
  --sabotage NAME      make one proof fail, which shows that it can:
                         past-pgseal   what RO reads is read straight from the replica
                         unsealed      the application forgets to seal
                         split         the balancers do not hear each other
                         no-track      keepalived does not look at HAProxy
                         no-preempt    who has taken an address over keeps it
                         slow-adverts  keepalived speaks twice a second, and no more
                         slow-checks   HAProxy asks servers every thirty seconds
                         no-spare      connectors know one server each
  --help               print this

Environment:
  STAND_DIR                keys, state and logs (default: .stands/vip)
  PGSEAL_POSTGRES_BIN_DIR  PostgreSQL's programs (default: the newest in /usr/lib/postgresql)
  PGSEAL_BUILD             how it is built: release (default) or debug
  CARGO_TARGET_DIR         where cargo builds (default: target)
  NO_COLOR                 no colours

It needs root, for the namespaces; what is missing it installs with apt-get.
Exit codes: 0 all proved, 1 a proof or a step has failed, 2 wrong usage or something is missing.
EOT
}

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
program=vip
source examples/stands/parts/all.sh
source examples/stands/parts/etcd.sh
source examples/stands/parts/pair.sh
source examples/stands/parts/story.sh
source examples/stands/parts/loss.sh
source examples/stands/parts/addresses.sh

# How soon a server that was killed has to be out of HAProxy, and no connect fails any more, in milliseconds.
out_within=2000

declare -A sabotages=(
    [past-pgseal]=$opens_through_ro
    [unsealed]=$sealed_in_databases
    [split]="each address is on its owner alone"
    [no-track]="pgseal-vip, HAProxy is stopped: it is with balancer-2 within $pause ms"
    [no-preempt]="pgseal-vip, keepalived runs again: it is with balancer-1 within $pause ms"
    [slow-adverts]="pgseal-vip, its host is cut off: it is with balancer-2 within $pause ms"
    [slow-checks]="a server is lost: out of HAProxy within $out_within ms, and none fails after"
    [no-spare]="a server is lost: none fails"
)
of_haproxy=(split no-track no-preempt slow-adverts slow-checks)

# What applications on python-example say to write, and to read.
rw=(--host=pgseal-connector-rw)
ro=(--host=pgseal-connector-ro --port=9495)
servers=(pgseal-server-1 pgseal-server-2)
balancers=(balancer-1 balancer-2)
addresses=(pgseal-vip pgsql-vip)
declare -A owner=([pgseal-vip]=balancer-1 [pgsql-vip]=balancer-2)
declare -A last_byte=([pgseal-vip]=10 [pgsql-vip]=20)
declare -A asked_at=([pgseal-vip]=$through_pgseal [pgsql-vip]=pgsql-vip:5432)

story=(show_ways show_who_answers show_without_zones show_refused_write show_moves)

needs() {
    need etcd-server "the store of both servers (a service of its own is left alone)" test -x /usr/bin/etcd
    need keepalived "moves addresses (its service begins to run when somebody configures it)" \
        test -x /usr/sbin/keepalived
}

start_stand() {
    local server
    step "Start two servers and two databases, $variant"
    begin_stand
    add_host pgsql-master postgres pgseal-server-1
    add_host pgsql-slave postgres pgseal-server-2
    add_host etcd $((first_user + 1))
    add_host balancer-1 root haproxy-1
    add_host balancer-2 root haproxy-2
    add_host python-example root pgseal-connector-rw pgseal-connector-ro
    name_addresses
    names_resolve
    start_databases
    detail "pgsql-master:5434, pgsql-slave:5435; user postgres, password test, database test"
    start_etcd etcd
    make_keys
    if [[ $variant == with-haproxy ]]; then
        start_checks
        start_balancers
        detail "pgseal-vip:9393 RW, :9394 RO, pgsql-vip:5432 RW, :5433 RO, http://pgseal-vip:8404/ to look at"
    fi
    for server in "${servers[@]}"; do
        start_server "$server" 9090 --tls-certificate "$server.crt" --tls-private-key "$server.key"
    done
    if [[ $variant == with-haproxy ]]; then
        await "${servers[0]}" balance "${servers[@]}"
        settle
    fi
    detail "pgseal-server-1, pgseal-server-2: one on each database's host, at 9393 RW and 9394 RO; one store in etcd"
    start_connector pgseal-connector-rw 9191
    start_connector pgseal-connector-ro 9192
    detail "pgseal-connector-rw:9494, pgseal-connector-ro:9495; stats pages at 9191, 9192 on python-example"
}

# make_keys: a store in etcd, to which every server has a certificate and a master key of its own.
make_keys() {
    local server
    new_store_in_etcd etcd
    for server in "${servers[@]}"; do
        admit_server "$server"
    done
    leave_store
}

# balance SERVER...: whether HAProxy on both balancers has these, and no others, to write and to read.
balance() {
    local host
    for host in "${balancers[@]}"; do
        [[ $(serve 8404 'servers-to-(write|read)' "$host") == "$(printf '%s\n' "$@" "$@" | sort | paste -sd ' ')" ]] ||
            return 1
    done
}

show_particulars() {
    [[ $variant == without-haproxy ]] || show_holders
}

# show_who_answers: each server in turn, with the database that the port is for.
show_who_answers() {
    local port api within told wanted=() found=()
    step "Which server and which database answer, $variant"
    for port in 9494 9495; do
        api=$((port - 303))
        show_command "exec python-example python ../stands/who_answers.py --port=$port --api=$api --times=6 --every=0"
        at python-example
        told=$("${within[@]}" "$python" ../stands/who_answers.py --port="$port" --api="$api" --times=6 --every=0 2>&1) || true
        detail "$told"
        found+=("$(sort -u <<<"$told")")
    done
    for database in pgsql-master pgsql-slave; do
        for server in "${servers[@]}"; do
            wanted+=("{\"database\": \"$database\", \"server\": \"$server\"}")
        done
    done
    proof "both servers answer in turn, from the database of that port" "$(lines "${wanted[@]}")" "$(lines "${found[@]}")"
}

# lose: a server is killed. Its host, with a database on it, stays.
lose() {
    local out connects failed span longest silence error session met
    show_loss "a server" kill_server 127.0.0.1:9494
    [[ $variant == with-haproxy ]] || return 0
    connects_met 127.0.0.1:9494
    met="out within $out_within ms, none failed after"
    ((out <= out_within)) || met="out after $out ms"
    awk -v span="$span" -v bound="$out_within" 'BEGIN { exit span * 1000 > bound }' || met="connects failed for $span s"
    proof "${sabotages[slow-checks]}" "out within $out_within ms, none failed after" "$met"
    note "a server is lost: out of HAProxy after; a session from before" "$out ms; ${session%%:*}"
}

# kill_server: leaves in `out` when HAProxy on both balancers has taken it out, in milliseconds.
kill_server() {
    local killed
    detail "pgseal-server-2 is killed"
    killed=$(date +%s%3N)
    kill_now pgseal-server-2
    [[ $variant == without-haproxy ]] || soon balance pgseal-server-1 || true
    out=$(($(date +%s%3N) - killed))
}

say_what_to_try() {
    local try="bash examples/stands/vip.sh"
    cat <<EOT

It is left running, $variant. To try:

  $try exec python-example psql 'postgres://postgres:test@localhost:9494/test?sslmode=disable'
  $try exec python-example python example_without_zone.py --data="some data #1"
  $try exec python-example python example_without_zone.py --host=pgseal-connector-ro --port=9495 --print

  # which server and which database answer, every two seconds
  $try exec python-example python ../stands/who_answers.py
EOT
    [[ $variant == without-haproxy ]] || cat <<EOT

  # who has the addresses; keepalived is stopped (docs/operations.md says how it is started again)
  $try exec balancer-1 ip -brief address show eth0
  $try exec balancer-1 sh -c 'kill \$(cat keepalived.pid)'

  http://$(address_of pgseal-vip):8404/    HAProxy's page, of whoever has the address
EOT
    cat <<EOT

From this machine the hosts are $net.*: ${work#"$PWD/"}/hosts/names. Logs: ${work#"$PWD/"}/log.
To end it: $try down
EOT
}

main "$@"
