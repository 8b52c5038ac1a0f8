#!/usr/bin/env bash
# PostgreSQL's own test suites, on a direct connection and through connector and server: whatever
# comes out must be the same, byte by byte. No part of tests/run.sh: it fetches PostgreSQL's source.
# shellcheck source-path=SCRIPTDIR/../..
set -euo pipefail

usage() {
    cat <<'END'
Usage: bash tests/suites/postgres.sh [SUITE...] [--help]

Fetches the source of the PostgreSQL that is installed (Debian's package, deb-src), builds its test
programs, and runs its suites against that PostgreSQL: directly and through connector and server,
by TCP and by unix socket, each on a new cluster. Prints a table of what is the same.

  regress    SQL, with psql: src/test/regress, parallel_schedule
  isolation  sessions beside each other: src/test/isolation
  pipeline   libpq's pipeline mode, with its traces: src/test/modules/libpq_pipeline

Without SUITE all of them. It takes about 20 minutes and half a GB below the build directory, most of
it PostgreSQL's source, which is kept for the next time.

Environment:
  DEMO_PORT_BASE           first of the ports to use, as in examples/demo.sh
  PGSEAL_PROGRAMS          a directory with our programs (default: they are built, in release mode)
  PGSEAL_POSTGRES_BIN_DIR  PostgreSQL's programs (default: the newest in /usr/lib/postgresql)
  CARGO_TARGET_DIR         where cargo builds (default: target)

Exit codes: 0 all the same, 1 something differs or a step has failed, 2 wrong usage or something is
missing. Outputs of all runs: suites/results in the build directory; logs: suites/log.
END
}

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
target=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
work=$target/suites
programs=${PGSEAL_PROGRAMS:-$target/release}
program=suites

source examples/shell/terminal.sh
source examples/shell/processes.sh
source examples/shell/packages.sh
source examples/shell/databases.sh
source examples/shell/programs.sh
source examples/demo/stand.sh

own_variables+=(PGSEAL_PROGRAMS)

# Ways to the same database: directly, and through the chain.
ways=(direct-tcp chain-tcp direct-socket chain-socket)
suites=()
table=()
differences=0

main() {
    local suite way
    for suite; do
        case $suite in
        regress | isolation | pipeline) suites+=("$suite") ;;
        --help | -h) usage && return ;;
        *) refuse "wrong usage: $suite; try --help" ;;
        esac
    done
    ((${#suites[@]})) || suites=(regress isolation pipeline)
    claim || refuse "it runs already; wait for its end"
    forget_environment
    rm -rf "$work"/{log,results}
    mkdir -p "$work"/{run,log,results}
    guard

    prepare
    build_suites
    start_chain
    for suite in "${suites[@]}"; do
        for way in "${ways[@]}"; do
            run "$suite" "$way"
        done
        compare "$suite" direct-tcp chain-tcp
        compare "$suite" direct-socket chain-socket
    done
    printf '\n'
    printf '  %s\n' "${table[@]}"
    printf '\n'
    reported=yes
    ((differences == 0))
}

prepare() {
    step "look for what is needed"
    need_basics
    need dpkg-dev "PostgreSQL's source is unpacked" command -v dpkg-source
    install_missing
    find_postgres || refuse "no PostgreSQL is to be found; set PGSEAL_POSTGRES_BIN_DIR"
    detail "$("$postgres/postgres" --version)"
    [[ -n ${PGSEAL_PROGRAMS:-} ]] || complete build cargo build --release --locked \
        --target-dir "$target" --package pgseal-server --package pgseal-connector \
        --package pgseal-keymaker
}

# build_suites: the test programs of the PostgreSQL that is installed, in $source.
build_suites() {
    local version part
    step "fetch and build PostgreSQL's test programs"
    version=$("$postgres/postgres" --version | sed -n 's/.*(Debian \(.*\))$/\1/p')
    [[ $version ]] || refuse "this is not Debian's PostgreSQL, whose source would be fetched"
    source=$work/source-$version
    if [[ ! -e $source/built ]]; then
        rm -rf "$work"/source-*
        mkdir -p "$source"
        fetch "postgresql-${version%%.*}" "$version"
        (cd "$source" && logged unpack dpkg-source --no-check --extract ./*.dsc tree)
        complete configure env --chdir="$source/tree" ./configure --without-readline --without-zlib
        complete make make -C "$source/tree/src/backend" generated-headers
        for part in port common interfaces/libpq test/regress test/isolation \
            test/modules/libpq_pipeline; do
            complete make make -j "$(nproc)" -C "$source/tree/src/$part" all
        done
        touch "$source/built"
    fi
    detail "$source"
}

# fetch PACKAGE VERSION: Debian's source package, by lists of our own: the system's stay as they are.
fetch() {
    local lists=$source/apt codename options
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    mkdir -p "$lists/lists/partial" "$lists/cache/archives/partial"
    cat >"$lists/sources.list" <<END
deb-src http://deb.debian.org/debian $codename main
deb-src http://deb.debian.org/debian $codename-updates main
deb-src http://deb.debian.org/debian-security $codename-security main
END
    options=(-o "Dir::Etc::sourcelist=$lists/sources.list" -o Dir::Etc::sourceparts=-
        -o "Dir::State::lists=$lists/lists" -o "Dir::Cache=$lists/cache" -o APT::Sandbox::User=root)
    complete fetch apt-get -q "${options[@]}" update
    (cd "$source" && logged fetch apt-get -q "${options[@]}" source --download-only "$1=$2")
    rm -rf "$lists"
}

# start_chain: keys, a server and a connector; and what all clusters are copied from.
start_chain() {
    step "make keys, start server and connector"
    new_place
    databases=$place/databases
    local user
    user=$(id --user --name)
    ((EUID)) || user=postgres
    unprivileged
    mkdir -p "$databases"/{direct,chain}
    cp -r "$source/tree/src/test/"{regress,isolation,modules/libpq_pipeline} "$databases"
    # Suites write beside their inputs.
    ((EUID)) || chown -R postgres: "$databases"
    complete initdb "${as_owner[@]}" "$postgres/initdb" --pgdata="$databases/template" \
        --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync --no-instructions
    choose_ports
    make_keys
    launch_cluster
    start_server primary
    PGSEAL_LISTEN="127.0.0.1:${port[connector_primary]},$databases/chain/.s.PGSQL.${port[primary]}" \
        PGSEAL_ALLOW_USERS=$user start_connector primary app primary
}

# launch_cluster: a new one, in the place of the one before.
launch_cluster() {
    send QUIT database-suites
    while alive database-suites; do
        sleep 0.1
    done
    rm -rf "$databases/data"
    cp -a "$databases/template" "$databases/data"
    launch database-suites "${as_owner[@]}" "$postgres/postgres" -D "$databases/data" \
        -c port="${port[primary]}" -c listen_addresses=127.0.0.1 -c fsync=off \
        -c unix_socket_directories="$databases/direct" -c dynamic_shared_memory_type=mmap \
        -c max_prepared_transactions=10 -c log_min_messages=fatal
    await database-suites "$postgres/pg_isready" -q -h "$databases/direct" -p "${port[primary]}"
}

# run SUITE WAY: leaves what came out in results/SUITE/WAY.
run() {
    local results=$work/results/$1/$2
    step "$1, $2"
    launch_cluster
    mkdir -p "$results"
    case $2 in
    direct-tcp) host=127.0.0.1 number=${port[primary]} ;;
    chain-tcp) host=127.0.0.1 number=${port[connector_primary]} ;;
    *-socket) host=$databases/${2%-socket} number=${port[primary]} ;;
    esac
    "run_$1" "$results" "$1-$2"
}

run_regress() {
    run_schedule regress pg_regress parallel_schedule --dlpath=. --max-concurrent-tests=20 "$@"
}

run_isolation() {
    run_schedule isolation pg_isolation_regress isolation_schedule "$@"
}

# run_schedule DIRECTORY PROGRAM SCHEDULE OPTION... RESULTS LOG: what each test printed, and the
# runner's verdict on it, in RESULTS.
run_schedule() {
    local home=$databases/$1 runner=$2 schedule=$3 results=${*: -2:1} log=${*: -1} options
    options=("${@:4:$#-5}")
    rm -rf "$home"/{results,regression.*}
    # It fails where a test does; whether that is so on both ways is what we ask.
    attempt "$log" "${as_owner[@]}" env --chdir="$home" "./$runner" --inputdir=. --outputdir=. \
        --bindir="$postgres" --host="$host" --port="$number" --user=postgres \
        --schedule="$schedule" "${options[@]}" || true
    cp "$home"/results/*.out "$results" || fail "$(reason "$work/log/$log.log")"
    sed -n -E 's/^(test| ) +([a-z0-9_-]+) +\.\.\. +(ok|FAILED|failed \(ignored\)).*/\2 \3/p' \
        "$work/log/$log.log" | sort >"$results/verdicts"
    detail "$(wc -l <"$results/verdicts") tests, $(grep -c ' ok$' "$results/verdicts") as PostgreSQL expects"
}

# run_pipeline RESULTS LOG: a test's output, its exit code and its trace, in RESULTS. The trace is kept
# as two: which message comes between which of the other direction is chance. How much uniqviol sends
# is chance too, so of it only the verdict counts.
run_pipeline() {
    local program=$databases/libpq_pipeline/libpq_pipeline name status trace=$databases/chain/trace
    for name in $("$program" tests); do
        status=0
        "${as_owner[@]}" timeout 300 "$program" -r 700 -t "$trace" "$name" \
            "host=$host port=$number user=postgres dbname=postgres" >"$1/$name.out" 2>&1 || status=$?
        grep '^F' "$trace" >"$1/$name.sent" || true
        grep '^B' "$trace" >"$1/$name.received" || true
        [[ $name != uniqviol ]] || rm "$1/$name".{out,sent,received}
        echo "$name $( ((status)) && echo "FAILED ($status)" || echo ok)" >>"$1/verdicts"
    done
    detail "$(wc -l <"$1/verdicts") tests, $(grep -c ' ok$' "$1/verdicts") as PostgreSQL expects"
}

# compare SUITE WAY WAY: a line of the table, and one for each test that differs.
compare() {
    local ours=$work/results/$1/$3 theirs=$work/results/$1/$2 file different=() count=0
    for file in "$theirs"/*; do
        count=$((count + 1))
        cmp -s "$file" "$ours/${file##*/}" || different+=("${file##*/}")
    done
    table+=("$(printf '%-10s %-28s %4d tests, %4d outputs: %s' "$1" "$2 = $3" \
        "$(wc -l <"$theirs/verdicts")" "$count" \
        "$( ((${#different[@]})) && echo "${#different[@]} differ" || echo "all the same")")")
    for file in "${different[@]}"; do
        differences=$((differences + 1))
        table+=("           $file: diff $theirs/$file $ours/$file")
    done
}

main "$@"
