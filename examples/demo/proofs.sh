# shellcheck shell=bash
# What the demo shows, and what it proves with it: each proof compares what came with what had to
# come. Needs stand.sh.

proofs=() verdicts=() differences=()

# proof NAME WANTED GOT: notes whether they are the same.
proof() {
    local result=PASS difference=
    if [[ $2 != "$3" ]]; then
        result=FAIL
        difference=$(printf 'wanted:\n%s\ngot:\n%s' "$2" "$3")
    fi
    proofs+=("$1") verdicts+=("$result") differences+=("$difference")
    detail "$(verdict "$result")  $1"
}

# report: the table of all proofs. Fails if one of them has failed.
report() {
    local i failed=0
    printf '\n'
    for i in "${!proofs[@]}"; do
        printf '  %-72s %s\n' "${proofs[i]}" "$(verdict "${verdicts[i]}")"
        if [[ ${verdicts[i]} == FAIL ]]; then
            failed=$((failed + 1))
            detail "${differences[i]}"
        fi
    done
    printf '\n  %d of %d proved, in %d s.\n' \
        $((${#proofs[@]} - failed)) ${#proofs[@]} "$SECONDS"
    ((failed == 0))
}

# application LANGUAGE primary|replica EXAMPLE OPTION...: runs an example application against a
# connector, shows its command and what it prints, and leaves that in `output`.
application() {
    local language=$1 node=$2 example=$3 shown command
    shift 3
    case $language in
    python) command=("$python" "examples/python/$example.py") shown="python $example.py" ;;
    rust) command=("$programs/$example") shown=$example ;;
    esac
    show_command "EXAMPLE_PORT=${port[connector_$node]} $shown ${*@Q}"
    output=$(
        export EXAMPLE_PORT=${port[connector_$node]} EXAMPLE_DB_PASSWORD=test
        export EXAMPLE_API=http://127.0.0.1:${port[api_$node]}
        timeout "$patience" "${command[@]}" "$@" 2>&1
    ) || output+=$'\n'"(ended with exit code $?)"
    detail "$output"
}

# show_command TEXT
show_command() { detail "$dim\$ $1$plain"; }

# without_zone ID DATA RAW_DATA and with_zone ID ZONE DATA RAW_DATA: a line as the examples print it.
without_zone() { printf '%-3s - %-20s - %s' "$@"; }
with_zone() { printf '%-3s - %s - %s - %s' "$@"; }

# still_sealed VALUE: how the examples show a value that the server has not opened.
still_sealed() { printf '(sealed, %d bytes)' $((${#1} + 80)); }

# lines LINE...: the lines as one text.
lines() { (IFS=$'\n' && printf '%s' "$*"); }

# hex VALUE: as psql shows a bytea.
hex() { printf '\\x%s' "$(printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n')"; }

# stored LISTENER TABLE ID: what a column `data` holds, in hex.
stored() { sql "$1" "SELECT encode(data, 'hex') FROM $2 WHERE id = $3"; }

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

# shape LISTENER TABLE ID: the first four bytes and the length of what a column `data` holds.
shape() {
    local data
    data=$(stored "$@")
    printf '%s %d' "${data:0:8}" $((${#data} / 2))
}
