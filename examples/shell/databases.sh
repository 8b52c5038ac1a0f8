# shellcheck shell=bash
# A PostgreSQL primary and its streaming replica, user postgres, password test. Whoever calls sets
# `as_owner`, what a command runs behind: as which user, and where. Needs processes.sh, packages.sh's
# $postgres, and its $place.

as_owner=()

# unprivileged: sets `as_owner` to the user postgres, where this is root.
unprivileged() {
    as_owner=()
    if ((EUID == 0)); then
        as_owner=(env HOME="$place" setpriv --reuid=postgres --regid=postgres --init-groups --)
    fi
}

# initialise DATA: makes a primary's data directory. Who connects has to know the password.
initialise() {
    echo test >"$place/password"
    chmod 644 "$place/password"
    complete initdb "${as_owner[@]}" "$postgres/initdb" --pgdata="$1" \
        --username=postgres --pwfile="$place/password" --auth=scram-sha-256 \
        --encoding=UTF8 --locale=C.UTF-8 --no-sync --no-instructions
}

# replicate DATA HOST PORT: makes the data directory of that primary's replica.
replicate() {
    complete basebackup "${as_owner[@]}" env PGPASSWORD=test "$postgres/pg_basebackup" \
        --pgdata="$1" --host="$2" --port="$3" --username=postgres \
        --write-recovery-conf --checkpoint=fast --no-sync
}

# start_database NAME DATA PORT ADDRESSES SOCKETS [OPTION...]: starts it as the process database-NAME.
start_database() {
    launch "database-$1" "${as_owner[@]}" "$postgres/postgres" -D "$2" -c port="$3" \
        -c listen_addresses="$4" -c unix_socket_directories="$5" -c cluster_name="$1" \
        -c fsync=off -c dynamic_shared_memory_type=mmap "${@:6}"
    await "database-$1" "$postgres/pg_isready" -q -h "$5" -p "$3"
}

# psql_at HOST PORT QUERY [OPTION...]: asks a database, or whatever speaks as one.
psql_at() {
    local host=$1 port=$2 query=$3
    shift 3
    PGPASSWORD=test PGCONNECT_TIMEOUT=$patience timeout "$patience" "$postgres/psql" \
        --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --username=postgres \
        --dbname=test --host="$host" --port="$port" --command="$query" "$@"
}
