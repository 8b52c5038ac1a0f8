#!/usr/bin/env bash
# Makes a database's directory, if there is none, and runs PostgreSQL: user postgres, password test.
# Usage: run-database.sh primary PORT CHECK_PORT, or replica PORT CHECK_PORT PRIMARY_HOST PRIMARY_PORT.
set -euo pipefail

role=$1 port=$2 check_port=$3
export PGUSER=postgres PGPASSWORD=test
socket=/tmp

make_primary() {
    initdb --username=postgres --pwfile=<(echo test) --auth=scram-sha-256 --encoding=UTF8 \
        --locale=C.UTF-8 --no-sync --no-instructions
    printf 'host %s all samenet scram-sha-256\n' all replication >>"$PGDATA/pg_hba.conf"
    pg_ctl start --wait --options="-c fsync=off -c listen_addresses='' -c unix_socket_directories=$socket -p $port"
    psql --host="$socket" --port="$port" --dbname=postgres --set=ON_ERROR_STOP=1 \
        --set=password="$(cat /keys/monitor.password)" <<'SQL'
CREATE DATABASE test;
CREATE ROLE pgseal_monitor LOGIN PASSWORD :'password';
SQL
    pg_ctl stop --wait
}

make_replica() {
    until pg_basebackup --pgdata="$PGDATA" --host="$4" --port="$5" --write-recovery-conf --checkpoint=fast; do
        sleep 1
    done
}

if [[ ! -s $PGDATA/PG_VERSION ]]; then
    "make_$role" "$@"
fi
check_database.py "$check_port" "$socket" "$port" &
check=$!
# No child of PostgreSQL's: it takes the end of an unknown one for a crash.
postgres -c port="$port" -c listen_addresses='*' -c unix_socket_directories="$socket" \
    -c max_connections=300 &
database=$!
trap 'kill -INT "$database"; kill "$check"' TERM INT
wait "$database" || wait "$database"
