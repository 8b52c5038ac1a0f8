#!/usr/bin/env bash
# One server of pgseal's before two nodes under Patroni with ZooKeeper: behind HAProxy, and without it. See
# examples/stands/README.md.
# shellcheck source-path=SCRIPTDIR/../..
set -euo pipefail

usage() {
    cat <<'EOF'
Usage: bash examples/stands/zookeeper.sh [COMMAND]

One pgseal-server before two PostgreSQL nodes that Patroni runs, with ZooKeeper and synchronous replication;
each on a host of its own, which is a network namespace with a name, a user and a directory. Debian's
PostgreSQL, Patroni, ZooKeeper and HAProxy, no containers.

  pg-master:5432 ─┐
                  ├─ haproxy:5432 ─── pgseal-server:9393 ─── pgseal-connector:9494 ─── python-example
  pg-slave:5432  ─┘  [or nothing]
  (Patroni at :8008; zoo:2181)

  (no command)         run it with HAProxy and without; prove what both do, side by side: the leader stopped
                       and started again, and then lost under writes; leave nothing running
  up [VARIANT]         start it and leave it running: with-haproxy (as it comes), without-haproxy
  exec HOST COMMAND... run a command there: exec pg-master patronictl -c patroni.yaml list
  kill|stop|start NAME kill, end or start one of its programs; without a right name it tells all
  down                 end what `up` left running
  --sabotage NAME      make one proof fail, which shows that it can:
                         past-pgseal   what is read is read straight from the replica
                         unsealed      the application forgets to seal
                         checks-lie    HAProxy asks /patroni, which every node answers
                         asynchronous  the leader waits for no replica
                         paused        Patroni promotes nobody when the leader is lost
                         stays-away    nobody starts the lost host again
  --help               print this

Environment:
  STAND_DIR                keys, state and logs (default: .stands/zookeeper)
  PGSEAL_POSTGRES_BIN_DIR  PostgreSQL's programs (default: the newest in /usr/lib/postgresql)
  PGSEAL_BUILD             how it is built: release (default) or debug
  CARGO_TARGET_DIR         where cargo builds (default: target)
  NO_COLOR                 no colours

It needs root, for the namespaces; what is missing it installs with apt-get.
Exit codes: 0 all proved, 1 a proof or a step has failed, 2 wrong usage or something is missing.
EOF
}

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
program=zookeeper
source examples/stands/parts/all.sh
source examples/stands/parts/patroni.sh
source examples/stands/parts/writes.sh
source examples/stands/parts/failover.sh

declare -A sabotages=(
    [past-pgseal]=$opens
    [unsealed]=$sealed
    [checks-lie]="haproxy:5432 leads to the leader alone"
    [asynchronous]="Patroni: one leader, one synchronous replica"
    [paused]=$another_leads
    [stays-away]=$comes_back
)

nodes=(pg-master pg-slave)
declare -A database_port=([pg-master]=5432 [pg-slave]=5432)

# What applications on python-example say to write, and to read: the same.
rw=()
ro=()
reads_at=9494

story=(show_patroni show_ways show_sealing show_stop)

needs() {
    need patroni "runs the databases (a service of its own is left alone)" test -x /usr/bin/patroni
    need zookeeper "Patroni's store (it brings no service)" test -e /usr/share/java/zookeeper.jar
    need python3-kazoo "by which Patroni speaks with ZooKeeper" /usr/bin/python3 -c 'import kazoo'
}

start_stand() {
    step "Start two nodes under Patroni, $variant"
    begin_stand
    add_host pg-master postgres
    add_host pg-slave postgres
    add_host zoo $((first_user + 1))
    add_host haproxy $((first_user + 2))
    add_host pgseal-server $((first_user + 3))
    add_host python-example root pgseal-connector
    names_resolve
    install --directory --mode=700 --owner=postgres --group=postgres "$place/wal_archive"

    start_zookeeper
    start_nodes
    await patroni-pg-master synchronous
    detail "pg-master, pg-slave: PostgreSQL at 5432, Patroni at 8008; user postgres, password test, database test"
    if [[ $variant == with-haproxy ]]; then
        start_haproxy
        detail "haproxy:5432, http://haproxy:7007/ to look at"
    fi
    as_keymaker=()
    new_store "$work/keys/store.db"
    hand_over_store pgseal-server
    start_server pgseal-server 9090
    start_connector pgseal-connector 9191
    detail "pgseal-connector:9494; its stats page http://127.0.0.1:9191/ on python-example"
}

start_zookeeper() {
    install_on zoo "$stand/zoo.cfg"
    start zoo zoo java -Xmx64m -cp /usr/share/java/zookeeper.jar \
        org.apache.zookeeper.server.quorum.QuorumPeerMain zoo.cfg
    local within
    on zoo
    await zoo "${within[@]}" bash -c '{ exec 3<>/dev/tcp/127.0.0.1/2181; } 2>/dev/null'
}

# start_haproxy: waits until it knows who leads. Sabotaged, it takes every node for the leader.
start_haproxy() {
    install_on haproxy "$stand/haproxy.cfg"
    if [[ $sabotage == checks-lie ]]; then
        sed -i 's|GET /primary|GET /patroni|' "$place/haproxy/haproxy.cfg"
    fi
    start haproxy haproxy /usr/sbin/haproxy -db -f haproxy.cfg
    if [[ $sabotage == checks-lie ]]; then
        await haproxy leads_to "${nodes[@]}"
    else
        await haproxy leads_to "$(leader)"
    fi
}

# leads_to HOST...: whether HAProxy sends sessions to these, and nowhere else.
leads_to() {
    local names=("${@//-/_}")
    names=("${names[@]/#/postgresql_}")
    [[ $(serve 7007 postgres) == "${names[*]/%/_5432}" ]]
}

show_patroni() {
    step "What Patroni tells, $variant"
    if [[ $sabotage == asynchronous ]]; then
        order pg-master edit-config --force --set synchronous_mode=false
        soon asynchronous || true
    fi
    order pg-master list
    tell_patroni /cluster
    proof "${sabotages[asynchronous]}" "$(lines "leader running" "sync_standby running")" \
        "$(members | awk '{ print $2, $3 }' | sort)"
}

asynchronous() {
    ! synchronous
}

# synchronous: whether the leader waits for the replica; before that nobody is promoted in its place.
synchronous() {
    [[ $(members) == *sync_standby* ]]
}

# show_ways: where sessions come to; HAProxy would be told by /patroni that every node leads.
show_ways() {
    local node told=()
    step "Which database answers, $variant"
    for node in "${nodes[@]}"; do
        told+=("$node: $(checked "$node" /patroni) $(checked "$node" /primary)")
    done
    proof "Patroni answers /patroni with 200 on both nodes, /primary on the leader alone" \
        "$(lines "$(leader): 200 200" "$(replicas): 200 503")" "$(lines "${told[@]}")"
    if [[ $variant == with-haproxy ]]; then
        proof "${sabotages[checks-lie]}" "postgresql_$(leader | tr - _)_5432" "$(serve 7007 postgres)"
    fi
    database_at 127.0.0.1 9494
    proof "sessions lead to the leader" "$(leader), primary" "$output"
}

# checked HOST PATH: the code that Patroni there answers.
checked() {
    local within
    on "$1"
    "${within[@]}" curl --silent --output /dev/null --write-out '%{http_code}' "http://localhost:8008$2"
}

# show_stop: the leader is stopped in good order, a row is written meanwhile, and it is started again.
show_stop() {
    local before row
    step "Stop the leader, and start it again, $variant"
    before=$(leader)
    detail "$before: Patroni is told to end, and ends its database"
    send TERM "patroni-$before"
    outlast "patroni-$before" "waiting for its end"
    await "patroni-$(other "$before")" other_leads "$before"
    order "$(other "$before")" list
    [[ $variant == without-haproxy ]] || await haproxy leads_to "$(leader)"
    application example_without_zone --data="some data #2"
    proof "the leader is stopped: writes go on" "insert data: some data #2" "$output"
    start_node "$before"
    await "patroni-$before" whole
    await "patroni-$before" synchronous
    replayed
    row=$(sql "$before" "SELECT raw_data FROM test_example_without_zone WHERE id > 1")
    proof "the leader is stopped: started again, it has the row" \
        "some data #2, replica" "$row, $(streams "$before" && echo replica)"
}

# other HOST: the other node.
other() {
    printf '%s\n' "${nodes[@]}" | grep -vx "$1"
}

# tell_lost: replication is synchronous here.
tell_lost() {
    proof "the leader is lost: no accepted write is lost with it" 0 "$lost"
}

come_back() {
    start_node "$1"
}

say_what_to_try() {
    local try="bash examples/stands/zookeeper.sh"
    cat <<EOF

It is left running, $variant. To try:

  $try exec python-example psql 'postgres://postgres:test@localhost:9494/test?sslmode=disable'
  $try exec python-example python example_without_zone.py --data="some data #1"
  $try exec python-example python example_without_zone.py --print
  $try exec pg-master patronictl -c patroni.yaml list
  $try exec pg-master patronictl -c patroni.yaml switchover --force
  $try exec pg-master curl -s http://localhost:8008/cluster

  # past pgseal: sealed
  $try exec pg-slave psql -c 'TABLE test_example_without_zone'

From this machine the hosts are $net.*: ${work#"$PWD/"}/hosts/names. Logs: ${work#"$PWD/"}/log.
To end it: $try down
EOF
}

main "$@"
