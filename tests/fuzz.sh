#!/usr/bin/env bash
# Runs the fuzz targets of fuzz/ on bytes of libFuzzer's making. What they are, and what to do about
# a finding, is in docs/fuzzing.md.
# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

usage() {
    cat <<'END'
Usage: bash tests/fuzz.sh [MINUTES] [TARGET...]
       bash tests/fuzz.sh --short
       bash tests/fuzz.sh --coverage [TARGET...]
       bash tests/fuzz.sh --minimize [TARGET...]
       bash tests/fuzz.sh --again FILE
       bash tests/fuzz.sh --list | --help

Builds the targets and runs each, or those named, for so many minutes (default: 1), as many at once as
there are processors. Begins with the inputs in fuzz/corpus and with what earlier runs have found.

  --short      a second or two of each from fuzz/corpus alone, as tests/run.sh does
  --coverage   run the inputs there are, and report the lines of each parser that they come by
  --minimize   put what is worth keeping of all inputs found into fuzz/corpus
  --again      run one input, such as that of a finding
  --list       the targets, and the files that each is about

Inputs and findings: fuzz/TARGET and fuzz/found in the build directory; logs: fuzz/log.
Exit codes: 0 nothing was found, 1 something was, 2 wrong usage or something is missing.
END
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
work=$target/fuzz
program=fuzz
# Longest input, in bytes: a parser that depends on more is given it in few.
longest=4096

source examples/shell/terminal.sh
source examples/shell/processes.sh
source examples/shell/packages.sh

main() {
    local seconds=60 short=
    case ${1:-} in
    --help | -h) usage && return ;;
    --list) ready explore && PGSEAL_FUZZ=list "$binary" && return ;;
    --again) again "${@:2}" && return ;;
    --coverage) coverage "${@:2}" && return ;;
    --minimize) minimize "${@:2}" && return ;;
    --short)
        seconds=2 short=yes
        shift
        ;;
    -*) refuse "wrong usage: $*; try --help" ;;
    [0-9]*)
        [[ $1 =~ ^[0-9]{1,5}$ ]] || refuse "'$1' is no number of minutes; try --help"
        seconds=$((10#$1 * 60))
        shift
        ;;
    esac
    ready explore
    choose "$@"
    explore "$seconds" "$short"
}

# ready HOW: builds the targets so, and sets `binary`. Of the whole workspace: one package alone has
# dependencies with other features, and builds them anew.
ready() {
    need_basics
    need g++ "libFuzzer is built from C++" command -v c++
    install_missing
    claim || refuse "it runs already; wait for its end"
    mkdir -p "$work/log" "$work/run" "$work/found"
    guard
    rm -f "$work"/log/*
    step "build the targets"
    complete "build-$1" env RUSTC_WORKSPACE_WRAPPER="$PWD/fuzz/instrument/$1" CARGO_TARGET_DIR="$target" \
        cargo build --locked --workspace --bin pgseal-fuzz --features pgseal-fuzz/libfuzzer
    # Cargo puts what is built in either way in one place.
    binary=$work/pgseal-fuzz-$1
    cp "$target/debug/pgseal-fuzz" "$binary"
}

# choose [TARGET...]: sets `targets`, and `parsers` of each; all of them where none is named.
choose() {
    local name files
    declare -gA parsers=()
    targets=()
    while read -r name files; do
        parsers[$name]=$files
        (($#)) || targets+=("$name")
    done < <(PGSEAL_FUZZ=list "$binary" 2>"$work/log/list.log")
    for name in "$@"; do
        [[ -n ${parsers[$name]:-} ]] || refuse "there is no target '$name'; --list lists them"
        targets+=("$name")
    done
}

# explore SECONDS SHORT: runs each target for so long, and shows a table.
explore() {
    local seconds=$1 short=$2 name status=0
    step "run ${#targets[@]} targets, for $seconds s each"
    for name in "${targets[@]}"; do
        until_fewer "$(nproc)"
        progress "$name"
        begin "$name"
    done
    until_fewer 1
    progress_ends
    printf '\n  %-16s %12s %10s %8s   %s\n' target runs "runs/s" inputs result
    for name in "${targets[@]}"; do
        result "$name" || status=1
    done
    printf '\n'
    ((status == 0)) || fail "something was found: docs/fuzzing.md says what to do about it"
}

# until_fewer COUNT: waits until fewer targets run.
until_fewer() {
    while (($(jobs -rp | wc -l) >= $1)); do
        sleep 0.1
    done
}

# begin TARGET: runs one of them for `seconds`; a short run begins with the corpus alone, and keeps nothing.
begin() {
    local inputs=$work/$1 options=()
    [[ -z $short ]] || inputs=$work/short/$1
    [[ -z $short ]] || rm -rf "$inputs"
    mkdir -p "$inputs"
    rm -f "$work/found/$1-"*
    [[ ! -e fuzz/dictionaries/$1 ]] || options+=(-dict="fuzz/dictionaries/$1")
    launch "$1" env PGSEAL_FUZZ="$1" "$binary" "$inputs" "fuzz/corpus/$1" "${options[@]}" \
        -max_total_time="$seconds" -max_len="$longest" -timeout=10 -rss_limit_mb=1024 \
        -artifact_prefix="$work/found/$1-" -print_final_stats=1
}

# result TARGET: its line of the table; false if it has found something.
result() {
    local log=$work/log/$1.log found inputs
    found=$(compgen -G "$work/found/$1-*" | head -n1) || true
    inputs=$(find "fuzz/corpus/$1" "$work/$1" -type f 2>/dev/null | wc -l)
    if [[ -n $found ]] || ! grep -q '^Done ' "$log"; then
        printf '  %-16s %12s %10s %8d   %s\n' "$1" "$(stat_of "$log" number_of_executed_units)" \
            "$(stat_of "$log" average_exec_per_sec)" "$inputs" "FOUND SOMETHING"
        printf '    %s\n' "$(grep -m2 -A1 -E 'panicked at|ERROR: libFuzzer' "$log" | head -n 2 | tr '\n' ' ' || true)"
        printf '    log: %s\n' "$log"
        [[ -z $found ]] || printf '    again: bash tests/fuzz.sh --again %s\n' "$found"
        return 1
    fi
    printf '  %-16s %12s %10s %8d   %s\n' "$1" "$(stat_of "$log" number_of_executed_units)" \
        "$(stat_of "$log" average_exec_per_sec)" "$inputs" "nothing"
}

# stat_of LOG NAME: one of libFuzzer's last words.
stat_of() {
    awk -v name="stat::$2:" '$1 == name { print $2; found = 1 } END { if (!found) print "-" }' "$1"
}

# again FILE: runs an input; the target is its folder's name, or the beginning of its own.
again() {
    [[ $# == 1 && -f $1 ]] || refuse "--again takes a file; try --help"
    local name folder
    ready explore
    choose
    name=$(basename "$1") folder=$(basename "$(dirname "$1")")
    name=${name%%-*}
    [[ -z ${parsers[$folder]:-} ]] || name=$folder
    [[ -n ${parsers[$name]:-} ]] || refuse "whose input is $1? Its folder, or its name up to a '-', says so"
    PGSEAL_FUZZ=$name RUST_BACKTRACE=1 "$binary" "$1"
}

# minimize [TARGET...]: the fewest inputs that come by all branches that those found come by.
minimize() {
    local name fewest
    ready explore
    choose "$@"
    for name in "${targets[@]}"; do
        fewest=$work/fewest
        rm -rf "$fewest"
        mkdir -p "$fewest" "$work/$name"
        PGSEAL_FUZZ=$name "$binary" -set_cover_merge=1 -use_counters=0 -max_len="$longest" "$fewest" "fuzz/corpus/$name" "$work/$name" \
            >"$work/log/$name-minimize.log" 2>&1
        rm -rf "fuzz/corpus/$name"
        mv "$fewest" "fuzz/corpus/$name"
        detail "$name: $(find "fuzz/corpus/$name" -type f | wc -l) inputs, $(du -sb "fuzz/corpus/$name" | cut -f1) bytes"
    done
}

# coverage [TARGET...]: which lines of its parsers the inputs of each target come by.
coverage() {
    local tools name profile
    tools=$(rustc --print sysroot)/lib/rustlib/$(rustc --print host-tuple)/bin
    ready cover
    [[ -x $tools/llvm-cov ]] || complete llvm-tools rustup component add llvm-tools
    choose "$@"
    mkdir -p "$work/coverage"
    printf '\n  %-16s %7s %7s %8s   %s\n' target lines missed covered file
    for name in "${targets[@]}"; do
        profile=$work/coverage/$name
        mkdir -p "$work/$name"
        rm -f "$profile".*
        PGSEAL_FUZZ=$name LLVM_PROFILE_FILE=$profile.profraw "$binary" -runs=0 -max_len="$longest" \
            "fuzz/corpus/$name" "$work/$name" >"$profile.log" 2>&1 ||
            refuse "$name does not hold for the inputs there are (log: $profile.log)"
        "$tools/llvm-profdata" merge -sparse "$profile.profraw" -o "$profile.profdata"
        # shellcheck disable=SC2086 # several paths
        "$tools/llvm-cov" show "$binary" -instr-profile "$profile.profdata" ${parsers[$name]} >"$profile.txt"
        # shellcheck disable=SC2086
        "$tools/llvm-cov" export "$binary" -instr-profile "$profile.profdata" --summary-only --format=text \
            ${parsers[$name]} >"$profile.json"
        python3 - "$name" "$PWD/" "$profile.json" <<'END'
import json, sys
target, root, report = sys.argv[1:]
for file in json.load(open(report))["data"][0]["files"]:
    lines = file["summary"]["lines"]
    print("  %-16s %7d %7d %7.1f%%   %s" % (
        target, lines["count"], lines["count"] - lines["covered"], lines["percent"],
        file["filename"].removeprefix(root)))
END
    done
    printf '\n'
    detail "line by line: $work/coverage/TARGET.txt"
}

main "$@"
