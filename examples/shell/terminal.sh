# shellcheck shell=bash
# What scripts write: step lines with the seconds so far, details below them, and
# the one line with which they fail.

# The name that stands before a failure; whoever reads this file sets it before.
program=${program:?}
current_step="start"
reported=

bold='' dim='' green='' red='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
    bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
fi

# step TEXT: says what begins now.
step() {
    current_step=$1
    printf '%s[%4ds]%s %s%s%s\n' "$dim" "$SECONDS" "$plain" "$bold" "$1" "$plain"
}

# detail TEXT: says something below the step, line by line.
detail() {
    local line
    while IFS= read -r line; do
        printf '        %s\n' "$line"
    done <<<"$1"
}

# show_command TEXT: a command as one would type it.
show_command() {
    detail "$dim\$ $1$plain"
}

# progress TEXT: shows a line that the next one overwrites. A pipe gets none.
progress() {
    [[ -t 1 ]] || return 0
    local width=$((${COLUMNS:-80} - 10))
    printf '\r\e[K        %s%s%s' "$dim" "${1:0:width}" "$plain"
}

# progress_ends: takes the last progress line away.
progress_ends() {
    if [[ -t 1 ]]; then
        printf '\r\e[K'
    fi
}

# verdict TEXT: PASS and FAIL in their colours.
verdict() {
    case $1 in
    PASS) printf '%s%s%s' "$green" "$1" "$plain" ;;
    FAIL) printf '%s%s%s' "$red" "$1" "$plain" ;;
    *) printf '%s' "$1" ;;
    esac
}

# fail REASON [EXIT_CODE]: ends the script with one line. Not for use in a subshell.
fail() {
    reported=yes
    progress_ends
    printf '%s: failed at "%s": %s\n' "$program" "$current_step" "$1" >&2
    exit "${2:-1}"
}

# refuse REASON: ends the script before it has done anything, with exit code 2.
refuse() {
    reported=yes
    printf '%s: %s\n' "$program" "$1" >&2
    exit 2
}

# reason LOG: the line of a log that says best why something ended.
reason() {
    local line
    line=$(grep -m1 -E '^error|FATAL|panicked' "$1" || tail -n1 "$1") 2>/dev/null
    printf '%s (log: %s)' "${line:-it said nothing}" "$1"
}
