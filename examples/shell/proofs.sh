# shellcheck shell=bash
# How scripts prove: a proof compares what came with what had to come. A table at the end shows all
# of them, with a column for each way in which they were tried. Needs terminal.sh,
# $python and $postgres.

# The columns; whoever tries several ways names them, and sets `column` to each in turn.
columns=('')
column=''

# What applications run behind: as which user, and where.
as_application=()

proofs=()
declare -A cells=() differences=()
proved=0 tried=0

# proof NAME WANTED GOT: notes whether they are the same.
proof() {
    local result=PASS
    if [[ $2 != "$3" ]]; then
        result=FAIL
        differences[$column/$1]="wanted: ${2//$'\n'/$'\n'        }"$'\n'"got:    ${3//$'\n'/$'\n'        }"
    fi
    [[ $result == FAIL ]] || proved=$((proved + 1))
    tried=$((tried + 1))
    note "$1" "$result"
    detail "$(verdict "$result")  $1"
}

# note NAME TEXT: puts a text into the table, proved or not.
note() {
    local name
    for name in "${proofs[@]}"; do
        [[ $name != "$1" ]] || break
    done
    [[ ${name:-} == "$1" ]] || proofs+=("$1")
    cells[$column/$1]=$2
}

# failed NAME: whether a proof has failed in some column.
failed() {
    local name
    for name in "${columns[@]}"; do
        [[ ${cells[$name/$1]:-} != FAIL ]] || return 0
    done
    return 1
}

# report: the table. Fails if a proof has failed.
report() {
    local name title texts widths=(0)
    for name in "${proofs[@]}"; do
        ((widths[0] >= ${#name})) || widths[0]=${#name}
    done
    for title in "${columns[@]}"; do
        widths+=("$(widest "$title")")
    done
    printf '\n'
    ((${#columns[@]} == 1)) || row "" "${columns[@]}"
    for name in "${proofs[@]}"; do
        texts=()
        for title in "${columns[@]}"; do
            texts+=("${cells[$title/$name]:-}")
        done
        row "$name" "${texts[@]}"
        for title in "${columns[@]}"; do
            [[ -z ${differences[$title/$name]:-} ]] ||
                detail "${title:+$title: }${differences[$title/$name]}"
        done
    done
    printf '\n  %d of %d proved, in %d seconds.\n' "$proved" "$tried" "$SECONDS"
    ((proved == tried))
}

# widest COLUMN: how wide it is.
widest() {
    local name width=${#1} text
    for name in "${proofs[@]}"; do
        text=${cells[$1/$name]:-}
        ((width >= ${#text})) || width=${#text}
    done
    echo "$width"
}

# row TEXT...: a line of the table, as wide as `widths` says.
row() {
    local i=0 text line=
    for text; do
        line+="  $(verdict "$text")$(printf '%*s' $((widths[i] - ${#text})) '')"
        i=$((i + 1))
    done
    printf '%s\n' "${line%"${line##*[! ]}"}"
}

# prove_psql ADDRESS: SQL as ever, through a connector.
prove_psql() {
    local made listed
    local create="CREATE DATABASE \"TEST\" WITH OWNER=\"postgres\" TEMPLATE=template0 ENCODING='UTF-8';"
    show_command "psql $1"
    detail "postgres=# $create"
    made=$(psql_script "$1" <<<"$create")
    detail "$made"
    detail "postgres=# \\l"
    listed=$(psql_script "$1" <<<"\\l")
    detail "$(grep -E '^ *Name|TEST' <<<"$listed" || printf '%s' "$listed")"
    listed=$(sed -n 's/^ *\(TEST\) *| *\(postgres\) *| *\(UTF8\) .*/\1 \2 \3/p' <<<"$listed")
    proof "psql through the connector: CREATE DATABASE, and \\l lists it" \
        "$(lines "CREATE DATABASE" "TEST postgres UTF8")" "$(lines "$made" "$listed")"
}

psql_script() {
    "${as_application[@]}" timeout "$patience" "$postgres/psql" --no-psqlrc "$1" 2>&1 || true
}

# as_typed OPTION...: a command's options as one would type them.
as_typed() {
    local option typed=
    for option; do
        [[ $option != *" "* ]] || option="${option%%=*}=\"${option#*=}\""
        typed+=" $option"
    done
    printf '%s' "${typed# }"
}

# lines LINE...: the lines as one text.
lines() { (IFS=$'\n' && printf '%s' "$*"); }

# line NUMBER: a line of `output`, the example's head counted.
line() { sed -n "$1p" <<<"$output"; }

# without_zone ID DATA RAW_DATA and with_zone ID ZONE DATA RAW_DATA: a line as the examples print it.
without_zone() { printf '%-3s - %-20s - %s' "$@"; }
with_zone() { printf '%-3s - %s - %s - %s' "$@"; }

# still_sealed VALUE: how the examples show a value that the server has not opened.
still_sealed() { printf '(sealed, %d bytes)' $((${#1} + 80)); }

# shape HEX: the first four bytes and the length of a stored value.
shape() { printf '%s... %d bytes' "${1:0:8}" $((${#1} / 2)); }

# hex VALUE: its bytes in hex.
hex() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'; }

# random: 16 characters that stand nowhere else.
random() { head -c 8 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

# files_with VALUE DIRECTORY...: the files that hold a value as it is or in hex.
files_with() {
    local value=$1
    shift
    grep --recursive --text --files-with-matches --fixed-strings --ignore-case \
        --regexp="$value" --regexp="$(hex "$value")" "$@" 2>/dev/null || true
}

# seal API VALUE ZONE: two envelopes of a value in hex, one for the client, one for the zone.
seal() {
    "${as_application[@]}" "$python" - "$@" <<'END_OF_PROGRAM'
import sys

import pgseal

api, value, zone = sys.argv[1:]
connector = pgseal.Connector(api)
for recipient in (connector.client(), connector.zone(zone)):
    print(pgseal.Sealer(recipient).seal(value.encode()).hex())
END_OF_PROGRAM
}

