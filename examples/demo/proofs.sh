# shellcheck shell=bash
# How the demo shows and proves: a proof compares what came with what had to come.
# Needs terminal.sh and stand.sh.

proofs=() verdicts=() differences=()

# proof NAME WANTED GOT: notes whether they are the same.
proof() {
    local result=PASS difference=
    if [[ $2 != "$3" ]]; then
        result=FAIL
        difference="wanted: ${2//$'\n'/$'\n'        }"$'\n'"got:    ${3//$'\n'/$'\n'        }"
    fi
    proofs+=("$1") verdicts+=("$result") differences+=("$difference")
    detail "$(verdict "$result")  $1"
}

# report: the table of all proofs. Fails if one of them has failed.
report() {
    local i failed=0 width=0
    for i in "${proofs[@]}"; do
        ((width >= ${#i})) || width=${#i}
    done
    printf '\n'
    for i in "${!proofs[@]}"; do
        printf '  %-*s  %s\n' "$width" "${proofs[i]}" "$(verdict "${verdicts[i]}")"
        if [[ ${verdicts[i]} == FAIL ]]; then
            failed=$((failed + 1))
            detail "${differences[i]}"
        fi
    done
    printf '\n  %d of %d proved, in %d seconds.\n' \
        $((${#proofs[@]} - failed)) ${#proofs[@]} "$SECONDS"
    ((failed == 0))
}

# application LANGUAGE primary|replica EXAMPLE OPTION...: runs an example application against a
# connector, shows its command and what it prints, and leaves that in `output`.
application() {
    local language=$1 node=$2 example=$3 shown command option
    shift 3
    case $language in
    python) command=("$python" "examples/python/$example.py") shown="python $example.py" ;;
    rust) command=("$programs/$example") shown=$example ;;
    esac
    for option; do
        [[ $option != *" "* ]] || option="${option%%=*}=\"${option#*=}\""
        shown+=" $option"
    done
    show_command "EXAMPLE_PORT=${port[connector_$node]} $shown"
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

# shape LISTENER TABLE ID: the first four bytes and the length of what a column `data` holds.
shape() {
    local data
    data=$(stored "$@")
    printf '%s... %d bytes' "${data:0:8}" $((${#data} / 2))
}

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

# without_zone ID DATA RAW_DATA and with_zone ID ZONE DATA RAW_DATA: a line as the examples print it.
without_zone() { printf '%-3s - %-20s - %s' "$@"; }
with_zone() { printf '%-3s - %s - %s - %s' "$@"; }

# still_sealed VALUE: how the examples show a value that the server has not opened.
still_sealed() { printf '(sealed, %d bytes)' $((${#1} + 80)); }

# row NUMBER: a line of `output`, the example's head counted.
row() { sed -n "$1p" <<<"$output"; }

# lines LINE...: the lines as one text.
lines() { (IFS=$'\n' && printf '%s' "$*"); }

# hex VALUE: its bytes in hex.
hex() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'; }

# random: 16 characters that stand nowhere else.
random() { head -c 8 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

# seal VALUE ZONE: two envelopes of a value in hex, one for client app, one for the zone.
seal() {
    "$python" - "http://127.0.0.1:${port[api_primary]}" "$@" <<'END'
import sys

import pgseal

api, value, zone = sys.argv[1:]
connector = pgseal.Connector(api)
for recipient in (connector.client(), connector.zone(zone)):
    print(pgseal.Sealer(recipient).seal(value.encode()).hex())
END
}

# files_with VALUE DIRECTORY...: the files that hold a value as it is or in hex.
files_with() {
    local value=$1
    shift
    grep --recursive --text --files-with-matches --fixed-strings --ignore-case \
        --regexp="$value" --regexp="$(hex "$value")" "$@" 2>/dev/null || true
}
