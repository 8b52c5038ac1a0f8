# shellcheck shell=bash
# How stands ask: as the example applications do, as psql, and past pgseal. Needs network.sh, databases.sh
# and proofs.sh.

# application HOST EXAMPLE OPTION...: runs an example application on python-example, shows its command
# and what it prints, and leaves that in `output`.
application() {
    local example=$1 within
    shift
    show_command "exec python-example python $example.py $(as_typed "$@")"
    at python-example
    output=$("${within[@]}" timeout "$patience" "$python" "$example.py" "$@" 2>&1) ||
        output+=$'\n'"(ended with exit code $?)"
    detail "$output"
}

# query PORT SQL: asks a connector as psql on python-example does, and leaves the answer in `output`.
query() {
    show_command "exec python-example psql --host=127.0.0.1 --port=$1 --command=\"$2\""
    output=$(call python-example psql_at 127.0.0.1 "$1" "$2" 2>&1) ||
        output+=$'\n'"(ended with exit code $?)"
    detail "$(sed -E 's/(\\x[0-9a-f]{60})[0-9a-f]+/\1.../' <<<"$output")"
}

# database_at HOST PORT: the database that answers there, by its directory, and what it is.
database_at() {
    local answer
    answer=$(call python-example psql_at "$1" "$2" \
        "SELECT split_part(current_setting('data_directory'), '/', -2) || ', ' ||
            CASE WHEN pg_is_in_recovery() THEN 'replica' ELSE 'primary' END" 2>&1) ||
        answer="${answer##*$'\n'}"
    detail "$(printf '%-24s %s' "$1:$2" "$answer")"
    output=$answer
}

# stored HOST TABLE: what the column `data` of its first row holds, in hex.
stored() {
    sql "$1" "SELECT encode(data, 'hex') FROM $2 WHERE id = 1"
}
