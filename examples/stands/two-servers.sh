#!/usr/bin/env bash
# Two servers, each before a database: behind HAProxy, and without it. See examples/stands/README.md.
# shellcheck source-path=SCRIPTDIR/../..
set -euo pipefail

usage() {
    cat <<'EOF'
Usage: bash examples/stands/two-servers.sh [COMMAND]

A pgseal-server before a primary and another before its replica, which share a store in etcd; each on a
host of its own, which is a network namespace with a name, a user and a directory. Debian's PostgreSQL,
HAProxy and etcd, no containers.

  pgsql-master:5434 ── pgseal-server-m:9393 ─┐                           ┌─ pgseal-connector-rw:9494 ─┐
                       (checks at :9001)     ├─ haproxy:9393 RW, 9394 RO ┤                            ├─ python-example
                       (checks at :9002)     │  [or nothing]             │                            │
  pgsql-slave:5435 ─── pgseal-server-s:9393 ─┘                           └─ pgseal-connector-ro:9495 ─┘
                       (store of both: etcd)

  (no command)         run it with HAProxy and without; prove what both do, side by side; lose a
                       server under connects; leave nothing running
  up [VARIANT]         start it and leave it running: with-haproxy (as it comes), without-haproxy
  exec HOST COMMAND... run a command there: exec python-example psql -p 9494
  kill|stop|start NAME kill, end or start one of its programs; without a right name it tells all
  down                 end what `up` left running
  --sabotage NAME      make one proof fail, which shows that it can:
                         wrong-tag     a zone's value is read with another zone's tag
                         past-pgseal   what RO reads is read straight from the replica
                         unsealed      the application forgets to seal
                         viewer        the page's account may look, and change nothing
                         checks-lie    HAProxy hears of each server what the other one is
                         no-spare      connectors know one server each
  --help               print this

Environment:
  STAND_DIR                keys, state and logs (default: .stands/two-servers)
  PGSEAL_POSTGRES_BIN_DIR  PostgreSQL's programs (default: the newest in /usr/lib/postgresql)
  PGSEAL_BUILD             how it is built: release (default) or debug
  CARGO_TARGET_DIR         where cargo builds (default: target)
  NO_COLOR                 no colours

It needs root, for the namespaces; what is missing it installs with apt-get.
Exit codes: 0 all proved, 1 a proof or a step has failed, 2 wrong usage or something is missing.
EOF
}

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
program=two-servers
source examples/stands/parts/all.sh
source examples/stands/parts/etcd.sh
source examples/stands/parts/pair.sh
source examples/stands/parts/page.sh
source examples/stands/parts/story.sh
source examples/stands/parts/sessions.sh
source examples/stands/parts/loss.sh

declare -A sabotages=(
    [wrong-tag]=$opens_with_its_tag
    [past-pgseal]=$opens_through_ro
    [unsealed]=$sealed_in_databases
    [viewer]=$switched_in_page
    [checks-lie]=$leads_there
    [no-spare]="a server is lost: none fails"
)

# What applications on python-example say to write, and to read.
rw=(--host=pgseal-connector-rw)
ro=(--host=pgseal-connector-ro --port=9495)
servers=(pgseal-server-m pgseal-server-s)
connectors=(pgseal-connector-rw pgseal-connector-ro)

needs() {
    need etcd-server "the store of both servers (a service of its own is left alone)" test -x /usr/bin/etcd
}

start_stand() {
    step "Start two servers and two databases, $variant"
    begin_stand
    add_host pgsql-master postgres
    add_host pgsql-slave postgres
    add_host etcd $((first_user + 1))
    add_host haproxy $((first_user + 2))
    add_host pgseal-server-m $((first_user + 3))
    add_host pgseal-server-s $((first_user + 4))
    add_host pgseal-webconfig $((first_user + 5))
    add_host python-example root pgseal-connector-rw pgseal-connector-ro
    names_resolve
    start_databases
    detail "pgsql-master:5434, pgsql-slave:5435; user postgres, password test, database test"

    start_etcd etcd
    make_keys
    start_server pgseal-server-m 9001
    start_server pgseal-server-s 9002
    detail "pgseal-server-m:9393, pgseal-server-s:9393; users of their own, one store in etcd"
    if [[ $variant == with-haproxy ]]; then
        start_haproxy pgseal-server-m pgseal-server-s
        sessions_at=(haproxy:9393 haproxy:9394)
        detail "haproxy:9393 RW, haproxy:9394 RO, http://haproxy:8404/ to look at"
    else
        sessions_at=(pgseal-server-m:9393 pgseal-server-s:9393)
    fi
    start_connector pgseal-connector-rw 9191
    start_connector pgseal-connector-ro 9192
    detail "pgseal-connector-rw:9494, pgseal-connector-ro:9495; stats pages at 9191, 9192 on python-example"
    start_page
}

# make_keys: a store in etcd, to which every server has a certificate and a master key of its own.
make_keys() {
    local server
    new_store_in_etcd etcd
    keymaker cert admin webconfig --out-dir "$work/certs"
    for server in "${servers[@]}"; do
        admit_server "$server"
    done
    leave_store
}

# show_particulars: the servers share a store, and no file.
show_particulars() {
    local server other within users=() read=()
    for server in "${servers[@]}"; do
        on "$server"
        users+=("$("${within[@]}" id -u)")
        for other in "${servers[@]}"; do
            if "${within[@]}" cat "$place/$other/master.key" >/dev/null 2>&1; then
                read+=("$server reads $other's")
            fi
        done
        detail "$(printf '%-24s user %s, %s' "$server" "${users[-1]}" "$place/$server")"
    done
    proof "servers are users of their own, and read no file of each other's" \
        "$(lines "pgseal-server-m reads pgseal-server-m's" "pgseal-server-s reads pgseal-server-s's" different)" \
        "$(lines "${read[@]}" "$([[ ${users[0]} == "${users[1]}" ]] || echo different)")"
}

lose() {
    show_loss "a server" lose_server 127.0.0.1:9495
}

say_what_to_try() {
    local try="bash examples/stands/two-servers.sh"
    cat <<EOF

It is left running, $variant. The web page, as user test with password test:

  $(page_address)    its CA: ${work#"$PWD/"}/keys/page/page-ca.crt
  https://localhost:8000/    from elsewhere, after: ssh -L 8000:$(address_of pgseal-webconfig):8000 $HOSTNAME

To try:

  $try exec python-example psql 'postgres://postgres:test@localhost:9494/postgres?sslmode=disable'
  $try exec python-example python example_without_zone.py --data="some data #1"
  $try exec python-example python example_without_zone.py --host=pgseal-connector-ro --port=9495 --print
  $try exec python-example python example_with_zone.py --data="some data"    # zone mode on: in the page
  $try exec python-example curl -s http://127.0.0.1:9192/v1/sessions

  # past pgseal: sealed
  $try exec pgsql-slave psql -p 5435 -c 'TABLE test_example_without_zone'

From this machine the hosts are $net.*: ${work#"$PWD/"}/hosts/names. Logs: ${work#"$PWD/"}/log.
To end it: $try down
EOF
}

main "$@"
