# shellcheck shell=bash
# How the demo asks and shows what it proves. Needs terminal.sh, proofs.sh and stand.sh.

# application LANGUAGE primary|replica EXAMPLE OPTION...: runs an example application against a
# connector, shows its command and what it prints, and leaves that in `output`.
application() {
    local language=$1 node=$2 example=$3 shown command
    shift 3
    case $language in
    python) command=("$python" "examples/python/$example.py") shown="python $example.py" ;;
    rust) command=("$programs/$example") shown=$example ;;
    esac
    show_command "EXAMPLE_PORT=${port[connector_$node]} $shown $(as_typed "$@")"
    output=$(
        export EXAMPLE_PORT=${port[connector_$node]} EXAMPLE_DB_PASSWORD=test
        export EXAMPLE_API=http://127.0.0.1:${port[api_$node]}
        timeout "$patience" "${command[@]}" "$@" 2>&1
    ) || output+=$'\n'"(ended with exit code $?)"
    detail "$output"
}

# query LISTENER SQL: asks with psql, shows what comes back, and leaves it in `output`.
query() {
    show_command "psql --port=${port[$1]} --command=\"$2\""
    output=$(sql "$1" "$2" 2>&1) || output+=$'\n'"(ended with exit code $?)"
    detail "$(sed -E 's/(\\x[0-9a-f]{60})[0-9a-f]+/\1.../' <<<"$output")"
}

# stored LISTENER TABLE ID: what a column `data` holds, in hex.
stored() { sql "$1" "SELECT encode(data, 'hex') FROM $2 WHERE id = $3"; }

# stored_shape LISTENER TABLE ID: its first four bytes and its length.
stored_shape() { shape "$(stored "$@")"; }

# show_stored TABLE ID APPLICATION_GETS: what lies in both databases, beside what comes out.
show_stored() {
    local node data
    for node in primary replica; do
        data=$(stored "$node" "$1" "$2")
        detail "$(printf '%-24s %s...  %d bytes' \
            "stored, $node (${port[$node]})" "${data:0:32}" $((${#data} / 2)))"
    done
    detail "$(printf '%-24s %s' "the application gets" "$3")"
}
