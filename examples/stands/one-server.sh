#!/usr/bin/env bash
# One server before two databases: behind HAProxy, and without it. See examples/stands/README.md.
# shellcheck source-path=SCRIPTDIR/../..
set -euo pipefail

usage() {
    cat <<'EOF'
Usage: bash examples/stands/one-server.sh [COMMAND]

One pgseal-server before a primary and its replica; each on a host of its own, which is a network
namespace with a name, a user and a directory. Debian's PostgreSQL and HAProxy, no containers.

  pgsql-master:5434 ─┐                         ┌─ :5432 RW ─┐                   ┌─ :9494 RW ─┐
                     ├─ [haproxy, or nothing] ─┤            ├─ pgseal-server ───┤            ├─ python-example
  pgsql-slave:5435  ─┘                         └─ :5433 RO ─┘  :9393 :9394      └─ :9495 RO ─┘
                                                                                pgseal-connector

  (no command)         run it with HAProxy and without; prove what both do, side by side; lose the
                       primary under connects; leave nothing running
  up [VARIANT]         start it and leave it running: with-haproxy (as it comes), without-haproxy
  exec HOST COMMAND... run a command there: exec python-example psql -p 9494
  kill|stop|start NAME kill, end or start one of its programs; without a right name it tells all
  down                 end what `up` left running
  --sabotage NAME      make one proof fail, which shows that it can:
                         wrong-tag     a zone's value is read with another zone's tag
                         past-pgseal   what RO reads is read straight from the replica
                         unsealed      the application forgets to seal
                         viewer        the page's account may look, and change nothing
                         checks-lie    HAProxy hears of each database what the other one is
                         no-promotion  the primary is lost, and no replica becomes one
  --help               print this

Environment:
  STAND_DIR                keys, state and logs (default: .stands/one-server)
  PGSEAL_POSTGRES_BIN_DIR  PostgreSQL's programs (default: the newest in /usr/lib/postgresql)
  PGSEAL_BUILD             how it is built: release (default) or debug
  CARGO_TARGET_DIR         where cargo builds (default: target)
  NO_COLOR                 no colours

It needs root, for the namespaces; what is missing it installs with apt-get.
Exit codes: 0 all proved, 1 a proof or a step has failed, 2 wrong usage or something is missing.
EOF
}

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
program=one-server
source examples/stands/parts/all.sh
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
    [checks-lie]="haproxy:5432 leads to the primary, haproxy:5433 to the replica"
    [no-promotion]="the primary is lost: none fails"
)

# What applications on python-example say to write, and to read.
rw=()
ro=(--host=pgseal-connector --port=9495)
servers=(pgseal-server)
connectors=(pgseal-connector)
sessions_at=(pgseal-server:9393 pgseal-server:9394)

needs() {
    :
}

start_stand() {
    step "Start one server and two databases, $variant"
    begin_stand
    add_host pgsql-master postgres
    add_host pgsql-slave postgres
    add_host haproxy $((first_user + 1))
    add_host pgseal-server $((first_user + 2))
    add_host pgseal-webconfig $((first_user + 3))
    add_host python-example root pgseal-connector
    names_resolve
    start_databases
    detail "pgsql-master:5434, pgsql-slave:5435; user postgres, password test, database test"

    make_keys
    if [[ $variant == with-haproxy ]]; then
        start_checks
        start_haproxy pgsql-master pgsql-slave
        detail "haproxy:5432 RW, haproxy:5433 RO, http://haproxy:8404/ to look at"
    fi
    start_server pgseal-server 9090
    start_connector pgseal-connector 9191
    detail "pgseal-connector:9494 RW, :9495 RO; its stats page http://127.0.0.1:9191/ on python-example"
    start_page
}

# make_keys: a store that is the server's alone.
make_keys() {
    as_keymaker=()
    new_store "$work/keys/store.db"
    keymaker cert admin webconfig --out-dir "$work/certs"
    hand_over_store pgseal-server
}

# show_particulars: where HAProxy leads to by itself.
show_particulars() {
    local writes
    [[ $variant == with-haproxy ]] || return 0
    database_at haproxy 5432
    writes=$output
    database_at haproxy 5433
    proof "${sabotages[checks-lie]}" \
        "$(lines "pgsql-master, primary" "pgsql-slave, replica")" "$(lines "$writes" "$output")"
}

lose() {
    local ways=(127.0.0.1:9494)
    [[ $variant == without-haproxy ]] || ways+=(haproxy:5432)
    show_loss "the primary" lose_primary "${ways[@]}"
}

say_what_to_try() {
    local try="bash examples/stands/one-server.sh"
    cat <<EOF

It is left running, $variant. The web page, as user test with password test:

  $(page_address)    its CA: ${work#"$PWD/"}/keys/page/page-ca.crt
  https://localhost:8000/    from elsewhere, after: ssh -L 8000:$(address_of pgseal-webconfig):8000 $HOSTNAME

To try:

  $try exec python-example psql 'postgres://postgres:test@localhost:9494/postgres?sslmode=disable'
  $try exec python-example python example_without_zone.py --data="some data #1"
  $try exec python-example python example_without_zone.py --port=9495 --print
  $try exec python-example python example_with_zone.py --data="some data"    # zone mode on: in the page
  $try exec python-example curl -s http://127.0.0.1:9191/v1/sessions

  # past pgseal: sealed
  $try exec pgsql-slave psql -p 5435 -c 'TABLE test_example_without_zone'

From this machine the hosts are $net.*: ${work#"$PWD/"}/hosts/names. Logs: ${work#"$PWD/"}/log.
To end it: $try down
EOF
}

main "$@"
