#!/usr/bin/env bash
# Builds what is measured and measures it beside its peers. All of that is `pgseal-bench compare`; this only
# has it, and them, at hand.
# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

usage() {
    cat <<'END'
Usage: bash bench/run.sh [--quick] [--only TEXT] [--rounds N] [--slice SECONDS] [--json]

Puts the same loads on one PostgreSQL by several ways, in slices taken in turns: straight, through
HAProxy, through a pair of HAProxy and a pair of stunnel with TLS 1.3 and certificates on both sides,
through PgBouncer, and through pgseal. Prints the processor time of each way's proxies, rates, latency
at half load and memory of idle sessions: medians, with the least and the most. The last line has
pgseal's figures as ratios of each other way's: LOAD/WHAT/WAY=RATIO. Progress goes to standard error.
It takes about twenty minutes, on a machine that has nothing else to do.

  --quick          each load once, for a second: two to three minutes, and figures that say little
  --only TEXT      loads whose names contain this, and no others
  --rounds N       how often each load is put on each way (3)
  --slice SECONDS  how long each time (3)
  --json           print JSON, with every slice
  --help           print this

Environment:
  PGSEAL_BIN_DIR   directory of the programs and of pgseal-bench; without it they are built

What is missing of PostgreSQL, HAProxy, stunnel and PgBouncer it installs with apt-get, as root.
END
}

for argument; do
    case $argument in
    --help | -h) usage && exit ;;
    --quick | --json | --only* | --rounds* | --slice*) ;;
    -*) echo "run.sh: there is no option $argument; try --help" >&2 && exit 2 ;;
    esac
done
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=run.sh
target=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
work=$target/bench

source examples/shell/terminal.sh
source examples/shell/processes.sh
source examples/shell/packages.sh
PGSEAL_BUILD=release
source examples/shell/programs.sh

# have_all: has all at hand, and sets `binaries`. Standard output is for figures alone.
have_all() {
    need_basics
    claim || refuse "it runs already; wait for its end"
    mkdir -p "$work/log" "$work/run"
    guard
    need haproxy "a peer" test -x /usr/sbin/haproxy
    need stunnel4 "a peer" test -x /usr/bin/stunnel
    need pgbouncer "a peer" test -x /usr/sbin/pgbouncer
    install_missing
    binaries=${PGSEAL_BIN_DIR:-$target/release}
    [[ -z ${PGSEAL_BIN_DIR:-} ]] || return 0
    step "build pgseal, in release mode"
    complete build cargo build --locked "${build[@]}"
    # By itself: what it needs adds nothing to what is measured.
    complete build-bench cargo build --locked --release --package=pgseal-bench
}

have_all >&2
export PGSEAL_BIN_DIR=$binaries
exec "$binaries/pgseal-bench" compare "$@"
