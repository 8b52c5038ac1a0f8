#!/usr/bin/env bash
# The whole of pgseal on one machine: a primary and its streaming replica, a server before each, a
# connector before each server. Values go in through one chain and come out through the other.
# What each step is made of stands in examples/demo/ and examples/shell/.
# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

usage() {
    cat <<'END'
Usage: bash examples/demo.sh [--keep | --stop | --sabotage | --help]

Builds pgseal, starts a PostgreSQL primary and its replica with a server and a connector before
each, writes through the primary's chain, reads through the replica's, in all zone modes, and ends
with a table of what was proved. It installs what is missing (PostgreSQL, Python's venv, a C
compiler) with apt-get, if it is root or sudo asks for no password.

  (no option)  run, and leave nothing running
  --keep       leave it running, and say what to try
  --stop       end what --keep left running
  --sabotage   read with another zone's tag: that proof must fail
  --help       print this

Environment:
  DEMO_DIR                 keys, configuration and logs (default: .demo)
  DEMO_PORT_BASE           first of the 12 ports to use instead of 5434, 5435, 9393, 9394, ...
  DEMO_PORT_PRIMARY, ...   one of them; a message about a port names its variable
  PGSEAL_POSTGRES_BIN_DIR  PostgreSQL's programs (default: the newest in /usr/lib/postgresql)
  PGSEAL_BUILD             how it is built: release (default) or debug
  CARGO_TARGET_DIR         where cargo builds (default: target)
  NO_COLOR                 no colours

Exit codes: 0 all proved, 1 a proof or a step has failed, 2 wrong usage or something is missing.
END
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(realpath --canonicalize-missing "${DEMO_DIR:-.demo}")
target=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
python=$target/demo-venv/bin/python

program=demo
source examples/shell/terminal.sh
source examples/shell/processes.sh
source examples/shell/packages.sh
source examples/shell/databases.sh
source examples/shell/programs.sh
source examples/shell/proofs.sh
source examples/demo/stand.sh
source examples/demo/proofs.sh
source examples/demo/story.sh

main() {
    case "$#:${1:-}" in
    0: | 1:--keep | 1:--sabotage) ;;
    1:--stop) stop && return ;;
    1:--help | 1:-h) usage && return ;;
    *) refuse "wrong usage: $*; try --help" ;;
    esac

    claim || refuse "it runs already (kept, or in another terminal); bash examples/demo.sh --stop ends it"
    forget_environment
    rm -rf "$work/log"
    mkdir -p "$work/run" "$work/log"
    guard

    prepare
    start_stand
    show_psql
    show_without_zones
    show_with_zones "${1:-}"
    show_refusals
    show_nothing_in_clear

    local status=0
    report || status=1
    case ${1:-} in
    --keep) keep && say_what_to_try ;;
    --sabotage) say_what_sabotage_did ;;
    esac
    reported=yes
    exit "$status"
}

prepare() {
    step "Look for what is needed"
    choose_ports
    need_basics
    install_missing
    find_postgres || refuse "no PostgreSQL is to be found; set PGSEAL_POSTGRES_BIN_DIR"
    detail "$("$postgres/postgres" --version), $(python3 --version), $(cargo --version)"
    build_all
}

start_stand() {
    step "Start a primary and its streaming replica"
    make_databases
    detail "primary ${port[primary]}, replica ${port[replica]}; user postgres, password test, database test"

    step "Make keys and certificates"
    make_keys

    step "Start a server before each database, a connector before each server"
    start_server primary
    start_server replica
    start_connector primary app primary
    start_connector replica app replica
    start_connector other other replica
    detail "application > connector ${port[connector_primary]} > server ${port[server_primary]} > primary ${port[primary]}"
    detail "application > connector ${port[connector_replica]} > server ${port[server_replica]} > replica ${port[replica]}"
}

say_what_to_try() {
    cat <<END

It is left running, in zone mode mixed. To try:

  psql "postgres://postgres:test@localhost:${port[connector_primary]}/test?sslmode=disable"

  export EXAMPLE_DB_PASSWORD=test
  # the primary's chain
  export EXAMPLE_PORT=${port[connector_primary]} EXAMPLE_API=http://127.0.0.1:${port[api_primary]}
  ${python#"$PWD/"} examples/python/example_without_zone.py --data="some data #3"
  ${programs#"$PWD/"}/example_with_zone --data="some data"
  # the replica's chain
  export EXAMPLE_PORT=${port[connector_replica]} EXAMPLE_API=http://127.0.0.1:${port[api_replica]}
  ${python#"$PWD/"} examples/python/example_without_zone.py --print
  ${programs#"$PWD/"}/example_with_zone --print --zone_id=$zone_a

  # another zone mode, for one server
  sed -i 's/^zone_mode.*/zone_mode = "off"/' ${work#"$PWD/"}/server-replica.toml
  kill -HUP $(cut -d' ' -f1 "$work/run/server-replica")

  # past pgseal, straight at the databases: ports ${port[primary]} and ${port[replica]}
  # logs and configuration: ${work#"$PWD/"}

To end it: bash examples/demo.sh --stop
END
}

say_what_sabotage_did() {
    if failed "$opens_with_its_tag"; then
        printf '  Sabotage: "%s" failed, as it should: the tag was another zone'"'"'s.\n' "$opens_with_its_tag"
    else
        printf '  Sabotage: "%s" passed, and should not have: the tag was another zone'"'"'s.\n' "$opens_with_its_tag"
    fi
}

main "$@"
