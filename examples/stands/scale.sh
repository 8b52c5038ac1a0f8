#!/usr/bin/env bash
# One, two and four servers before one database, under load; see examples/stands/README.md.
# shellcheck source-path=SCRIPTDIR/../..
set -euo pipefail

usage() {
    cat <<'EOF'
Usage: bash examples/stands/scale.sh [COMMAND]

One, two and four servers before one PostgreSQL, and as many applications, each with a connector beside it that
knows all servers. Every host is a network namespace with a name, a user and a directory; no containers.

  pgsql:5432 ─┬─ pgseal-1:9393 ─┬─ pgseal-connector-1:9494 ── app-1 (pgbench)
              ├─ pgseal-2:9393 ─┼─ pgseal-connector-2:9494 ── app-2
              └─ ...            └─ ...
  (checks at :9090; the servers' store: etcd)

  (no command)         run it with 1, 2 and 4 servers: sixteen sessions of pgbench read and write sealed
                       columns, first in peace, then while a server is killed; prove what holds, show
                       throughput, latency and CPU side by side, and draw them; leave nothing running
  up [VARIANT]         start it and leave it running: 1-server, 2-servers (as it comes), 4-servers
  exec HOST COMMAND... run a command there: exec app-1 psql --host=127.0.0.1 --port=9494
  kill|stop|start NAME kill, end or start one of its programs; without a right name it tells all
  down                 end what `up` left running
  --sabotage NAME      make one proof fail, which shows that it can:
                         past-pgseal   applications connect to the database itself
                         unsealed      the application forgets to seal
                         one-known     connectors know one of the servers
                         two-die       another server is killed, too
  --help               print this

Environment:
  STAND_DIR                keys, state, logs and plot (default: .stands/scale)
  SCALE_SECONDS            how long each measurement lasts (default: 12)
  PGSEAL_POSTGRES_BIN_DIR  PostgreSQL's programs (default: the newest in /usr/lib/postgresql)
  PGSEAL_BUILD             how it is built: release (default) or debug; figures of debug builds say nothing
  CARGO_TARGET_DIR         where cargo builds (default: target)
  NO_COLOR                 no colours

It needs root, for the namespaces; what is missing it installs with apt-get.
Exit codes: 0 all proved, 1 a proof or a step has failed, 2 wrong usage or something is missing.
EOF
}

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
program=scale
source examples/stands/parts/all.sh
source examples/stands/parts/etcd.sh
source examples/stands/scale/load.sh

variants=(1-server 2-servers 4-servers)
left_running=2-servers

own_values="every value opens, and is its own row's"
all_sealed="the database holds every value sealed"
spreads="each server gets as many sessions"
only_its_own="a server is lost: its sessions end, and no others"

declare -A sabotages=(
    [past-pgseal]=$own_values
    [unsealed]=$all_sealed
    [one-known]=$spreads
    [two-die]=$only_its_own
)

declare -A database_port=([pgsql]=5432)
story=(show_load)
seconds=${SCALE_SECONDS:-12}
# Sessions of all applications together.
workers=16

needs() {
    [[ $seconds =~ ^[0-9]{1,4}$ && $seconds -ge 6 ]] || refuse "SCALE_SECONDS is a number from 6 on, not '$seconds'"
    need etcd-server "the servers' store (a service of its own is left alone)" test -x /usr/bin/etcd
}

start_stand() {
    local i within as_owner
    count=${variant%-*}
    servers=(pgseal-1 pgseal-2 pgseal-3 pgseal-4)
    connectors=(pgseal-connector-1 pgseal-connector-2 pgseal-connector-3 pgseal-connector-4)
    apps=(app-1 app-2 app-3 app-4)
    servers=("${servers[@]:0:count}") connectors=("${connectors[@]:0:count}") apps=("${apps[@]:0:count}")
    step "Start $count of pgseal-server, and as many connectors"
    begin_stand
    add_host pgsql postgres
    add_host etcd $((first_user + 1))
    for i in "${!servers[@]}"; do
        add_host "${servers[i]}" $((first_user + 2 + i))
        add_host "${apps[i]}" root "${connectors[i]}"
    done
    names_resolve

    on pgsql
    as_owner=("${within[@]}")
    initialise "$place/pgsql/data"
    echo "host all all samenet scram-sha-256" >>"$place/pgsql/data/pg_hba.conf"
    start_database pgsql "$place/pgsql/data" 5432 '*' "$place/pgsql"
    sql pgsql "CREATE DATABASE test" --dbname=postgres
    detail "pgsql:5432; user postgres, password test, database test"

    start_etcd etcd
    new_store_in_etcd etcd
    for i in "${servers[@]}"; do
        admit_server "$i"
    done
    leave_store
    for i in "${servers[@]}"; do
        start_server "$i" 9090 --tls-certificate "$i.crt" --tls-private-key "$i.key"
    done
    for i in "${connectors[@]}"; do
        start_connector "$i" 9191 --servers "$(known | paste -sd ,)"
    done
    detail "${servers[*]}: at 9393, and for checks at 9090"
    detail "${connectors[*]}: at 9494, stats pages at 9191, each on its application's host"
    fill
    for i in "${!connectors[@]}"; do
        await "${connectors[i]}" has_all "$i"
    done
}

# known: the servers that connectors know. Sabotaged, it is one.
known() {
    if [[ $sabotage == one-known ]]; then
        echo "${servers[0]}:9393"
    else
        printf '%s:9393\n' "${servers[@]}"
    fi
}

# fill: the table, with values that are sealed where the application is. Sabotaged, some are not.
fill() {
    local within options=()
    [[ $sabotage != unsealed ]] || options=(--in-clear)
    at app-1
    envelope=$("${within[@]}" timeout "$patience" "$python" "$PWD/$stand/people.py" 127.0.0.1:9494 "${options[@]}" \
        2>"$work/log/people.log") || fail "$(reason "$work/log/people.log")"
}

show_load() {
    local load
    step "Load in peace, $variant"
    measure calm
    tell_figures
    proof "no transaction fails" "0 lost, 0 refused" "$lost lost, $refused refused"
    proof "$own_values" 0 "$wrong"
    proof "$spreads" evenly "$spread"
    proof "$all_sealed" 1000 \
        "$(sql pgsql "SELECT count(*) FROM people, LATERAL (VALUES (card), (code)) AS sealed (it) WHERE it LIKE 'pgs1.%'")"
    proof "what was written under load opens" noted \
        "$(call app-1 psql_at 127.0.0.1 9494 "SELECT DISTINCT note FROM people" 2>&1)"
}

# lose: the same load, and the last server is killed under it. Where it is the only one, it is started again.
lose() {
    local load held
    step "The same, and a server is lost, $variant"
    measure lossy lose_server
    note "a server is lost: transactions/s before, after" "$(figure before), $(figure after)"
    note "a server is lost: longest pause of a worker, s" "$(figure pause)"
    note "a server is lost: connects that failed" "$refused"
    proof "$only_its_own" "$held" "$lost"
    if ((count > 1)); then
        proof "a server is lost: no connect fails" 0 "$refused"
    else
        proof "the only server is started again: work goes on" yes "$([[ $(figure last) != 0.0 ]] && echo yes)"
    fi
    proof "a server is lost: still every value is its own row's" 0 "$wrong"
    draw
}

lose_server() {
    local server=${servers[-1]}
    held=$(sessions_of "$server")
    detail "$server, with $held sessions, is killed"
    slay "$server"
    if [[ $sabotage == two-die ]]; then
        slay "${servers[0]}"
    fi
    if ((count == 1)); then
        start_server "$server" 9090 --tls-certificate "$server.crt" --tls-private-key "$server.key"
        detail "$server is started again"
    fi
}

say_what_to_try() {
    local try="bash examples/stands/scale.sh"
    cat <<EOF

It is left running, $variant. To try:

  $try exec app-1 psql 'postgres://postgres:test@localhost:9494/test?sslmode=disable' -c 'TABLE people LIMIT 3'
  $try exec app-1 curl -s http://127.0.0.1:9191/v1/servers
  $try exec pgseal-1 curl -s http://127.0.0.1:9090/metrics

  # past pgseal: sealed
  $try exec pgsql psql -c 'TABLE people LIMIT 3'

From this machine the hosts are $net.*: ${work#"$PWD/"}/hosts/names. Logs: ${work#"$PWD/"}/log.
To end it: $try down
EOF
}

main "$@"
