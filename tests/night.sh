#!/usr/bin/env bash
# Runs the commands that docs/operations.md gives for each stand, on that stand.
# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

usage() {
    cat <<'END'
Usage: bash tests/night.sh [STAND...]
       bash tests/night.sh --list | --help

For each stand that docs/operations.md has commands for, or those named: starts it, runs these commands in their order,
as an operator would who follows the page, and ends it. A command that fails is tried again for half a minute, since
what was done before may take its time; then the run has failed.

  --list   the stands, and how many commands there are for each
  --help   print this

Environment: PGSEAL_BUILD and others, as bash examples/stands/one-server.sh --help tells.
It needs root. Exit codes: 0 all commands did what they should, 1 one did not, 2 wrong usage or something is missing.
END
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=night
page=docs/operations.md
source examples/shell/terminal.sh

# How long a command is tried, in seconds.
patience=30

# The stand that runs now.
up=''

# on_exit: ends it, however this ends.
on_exit() {
    local status=$?
    [[ -z $up ]] || bash "examples/stands/$up.sh" down >/dev/null 2>&1 || true
    if ((status)) && [[ -z $reported ]]; then
        printf '%s: interrupted at "%s"\n' "$program" "$current_step" >&2
    fi
}

main() {
    local stand known
    mapfile -t known < <(sed -n 's/^```sh stand=\([a-z-]*\)$/\1/p' "$page" | awk '!seen[$0]++')
    case ${1:-} in
    --help | -h) usage && return ;;
    --list)
        for stand in "${known[@]}"; do
            printf '%-12s %d\n' "$stand" "$(commands_for "$stand" | wc -l)"
        done
        return
        ;;
    -*) refuse "wrong usage: $*; try --help" ;;
    esac
    for stand; do
        [[ " ${known[*]} " == *" $stand "* ]] || refuse "$page has no commands for '$stand'; there are: ${known[*]}"
    done
    trap on_exit EXIT
    ((EUID == 0)) || refuse "stands need root"
    for stand in "${@:-${known[@]}}"; do
        try_page "$stand"
    done
}

# commands_for STAND: the commands that the page gives for it, a line each.
commands_for() {
    awk -v fence="\`\`\`sh stand=$1" '$0 == fence { inside = 1; next } /^```/ { inside = 0 }
        inside && NF && !/^ *#/' "$page"
}

# try_page STAND
try_page() {
    local command commands log
    mapfile -t commands < <(commands_for "$1")
    log=$(mktemp -d)
    export STAND_DIR=$log/stand
    up=$1
    step "Start the stand $1"
    bash "examples/stands/$1.sh" up >"$log/up" 2>&1 || fail "$(tail -n 3 "$log/up")"
    step "Run ${#commands[@]} commands of $page"
    for command in "${commands[@]}"; do
        detail "\$ $command"
        try_command "$1" "$command" "$log/command" || fail "$1: $command: $(tail -n 3 "$log/command")"
    done
    bash "examples/stands/$1.sh" down >/dev/null
    up=''
    rm -rf "$log"
}

# try_command STAND COMMAND LOG: runs it until it succeeds, for as long as one has patience.
try_command() {
    local deadline=$((SECONDS + patience))
    until timeout 60 bash -c "stand() { bash examples/stands/$1.sh \"\$@\"; }; set -o pipefail; $2" >"$3" 2>&1 </dev/null; do
        ((SECONDS < deadline)) || return 1
        sleep 0.5
    done
}

main "$@"
