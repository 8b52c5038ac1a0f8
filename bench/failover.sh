#!/usr/bin/env bash
# Builds what is measured and measures it. All of that is `pgseal-bench failover`; this only has it at
# hand.
set -euo pipefail

usage() {
    cat <<'END'
Usage: bash bench/failover.sh [--of server|replica] [--rounds N] [--watch SECONDS] [--limit SECONDS] [--json]

Loses one of two servers under a hundred connects a second, and then one of two replicas behind a
server, and prints what the connects met: through pgseal, which chooses between the two, and through
HAProxy before the same two. Three faults: it is killed, its packets are dropped, it hangs (SIGSTOP).
Progress goes to standard error. It takes about an hour. Run it as root, on a machine that has nothing
else to do.

  --of WHAT        lose servers alone, or replicas alone
  --rounds N       how often each fault is brought about on each way (5)
  --watch SECONDS  how long is watched after each fault (22)
  --limit SECONDS  after how long without an answer a connect has failed (5)
  --json           print JSON, with every round
  --help           print this

Environment:
  PGSEAL_BIN_DIR   directory of the programs and of pgseal-bench; without it they are built
END
}

for argument; do
    case $argument in
    --help | -h) usage && exit ;;
    esac
done
cd "$(dirname "${BASH_SOURCE[0]}")/.."

missing() {
    echo "failover.sh: $1" >&2
    exit 2
}

((EUID == 0)) || missing "it makes network namespaces, which only root can: run it as root"
command -v ip >/dev/null || missing "no ip: apt-get install iproute2"
[[ -x /usr/sbin/haproxy ]] || missing "no haproxy: apt-get install haproxy"

if [[ -z ${PGSEAL_BIN_DIR:-} ]]; then
    cargo build --release --quiet -p pgseal-bench -p pgseal-connector -p pgseal-server -p pgseal-keymaker
    PGSEAL_BIN_DIR=$(realpath "${CARGO_TARGET_DIR:-target}")/release
    export PGSEAL_BIN_DIR
fi
exec "$PGSEAL_BIN_DIR/pgseal-bench" failover "$@"
