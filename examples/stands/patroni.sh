#!/usr/bin/env bash
# Three nodes under Patroni, with a server of pgseal's beside each: behind HAProxy, and without it. See
# examples/stands/README.md.
# shellcheck source-path=SCRIPTDIR/../..
set -euo pipefail

usage() {
    cat <<'EOF'
Usage: bash examples/stands/patroni.sh [COMMAND]

Three PostgreSQL nodes that Patroni runs, with three members of etcd, and a pgseal-server beside each node;
every host is a network namespace with a name, a user and a directory. Debian's PostgreSQL, Patroni, etcd and
HAProxy, no containers.

  pg-1:5432 ── pgseal-1:9393 ─┐                               ┌─ pgseal-connector-rw:9494 ─┐
  pg-2:5432 ── pgseal-2:9393 ─┼─ haproxy:5000 RW, :5001 RO ───┤                            ├─ python-example
  pg-3:5432 ── pgseal-3:9393 ─┘  [or nothing]                 └─ pgseal-connector-ro:9495 ─┘
  (Patroni at :8008, checks at :9090; etcd-1, etcd-2, etcd-3)

  (no command)         run it with HAProxy and without; prove what both do, side by side: a switchover and a
                       lost leader under writes; leave nothing running
  up [VARIANT]         start it and leave it running: with-haproxy (as it comes), without-haproxy
  exec HOST COMMAND... run a command there: exec pg-1 patronictl -c patroni.yaml list
  kill|stop|start NAME kill, end or start one of its programs; without a right name it tells all
  down                 end what `up` left running
  --sabotage NAME      make one proof fail, which shows that it can:
                         past-pgseal   what RO reads is read straight from a replica
                         unsealed      the application forgets to seal
                         checks-lie    HAProxy asks for a replica where the leader is to be, and the other way
                         slow-watch    servers ask Patroni every ten seconds
                         paused        Patroni promotes nobody when the leader is lost
                         stays-away    nobody starts the lost host again
  --help               print this

Environment:
  STAND_DIR                keys, state and logs (default: .stands/patroni)
  PGSEAL_POSTGRES_BIN_DIR  PostgreSQL's programs (default: the newest in /usr/lib/postgresql)
  PGSEAL_BUILD             how it is built: release (default) or debug
  CARGO_TARGET_DIR         where cargo builds (default: target)
  NO_COLOR                 no colours

It needs root, for the namespaces; what is missing it installs with apt-get.
Exit codes: 0 all proved, 1 a proof or a step has failed, 2 wrong usage or something is missing.
EOF
}

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
program=patroni
source examples/stands/parts/all.sh
source examples/stands/parts/etcd.sh
source examples/stands/parts/patroni.sh
source examples/stands/parts/three_nodes.sh
source examples/stands/parts/writes.sh
source examples/stands/parts/failover.sh

declare -A sabotages=(
    [past-pgseal]=$opens
    [unsealed]=$sealed
    [checks-lie]="RW leads to the leader, RO to a replica"
    [slow-watch]="switchover: pgseal adds $allowance ms at most"
    [paused]=$another_leads
    [stays-away]=$comes_back
)

# What applications on python-example say to write, and to read.
rw=(--host=pgseal-connector-rw)
ro=(--host=pgseal-connector-ro --port=9495)
reads_at=9495

story=(show_patroni show_ways show_sealing show_switchover)

# show_patroni: what Patroni tells of itself, by the command and by its REST API.
show_patroni() {
    step "What Patroni tells, $variant"
    order pg-1 list
    tell_patroni /patroni
    tell_patroni /cluster
    proof "Patroni: one leader, two replicas" "$(lines "leader running" "replica running" "replica running")" \
        "$(members | awk '{ print $2, $3 }' | sort)"
}

show_ways() {
    local writes
    step "Which database answers, $variant"
    database_at 127.0.0.1 9494
    writes=$output
    database_at 127.0.0.1 9495
    proof "${sabotages[checks-lie]}" "$(lines "$(leader), primary" "replica")" "$(lines "$writes" "${output#*, }")"
}

# show_switchover: as planned, while writers write. Who goes on with the node that he knows is turned away.
show_switchover() {
    local before lost
    step "A switchover while writers write, $variant"
    before=$(leader)
    show_writes switchover switch_over
    proof "switchover: no accepted write is lost" 0 "$lost"
    tell_patroni /history
    proof "switchover: Patroni's history has it" "$(leader)" "$(last_promoted)"
    output=$(sql "$before" "INSERT INTO writes VALUES ('$before')" 2>&1) || true
    detail "$before: $output"
    proof "switchover: the old leader takes no writes" \
        "ERROR:  cannot execute INSERT in a read-only transaction" "$output"
}

switch_over() {
    order "$before" switchover --force
    await "patroni-$before" other_leads "$before"
    await "patroni-$before" whole
}

# last_promoted: who became leader last, by Patroni's history.
last_promoted() {
    patroni_tells "$(leader)" /history | python3 -c 'import json, sys
history = json.load(sys.stdin)
print(history[-1][4] if history and len(history[-1]) > 4 else "nobody")'
}

# tell_lost: replication is asynchronous here.
tell_lost() {
    note "the leader is lost: accepted writes lost with it" "$lost"
}

say_what_to_try() {
    local try="bash examples/stands/patroni.sh"
    cat <<EOF

It is left running, $variant. To try:

  $try exec python-example psql 'postgres://postgres:test@localhost:9494/test?sslmode=disable'
  $try exec python-example python example_without_zone.py --data="some data #1"
  $try exec python-example python example_without_zone.py --host=pgseal-connector-ro --port=9495 --print
  $try exec pg-1 patronictl -c patroni.yaml list
  $try exec pg-1 patronictl -c patroni.yaml switchover --force
  $try exec pg-1 curl -s http://localhost:8008/cluster
  $try exec python-example curl -s http://127.0.0.1:9191/v1/servers

  # past pgseal: sealed
  $try exec pg-3 psql -c 'TABLE test_example_without_zone'

From this machine the hosts are $net.*: ${work#"$PWD/"}/hosts/names. Logs: ${work#"$PWD/"}/log.
To end it: $try down
EOF
}

main "$@"
