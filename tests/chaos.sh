#!/usr/bin/env bash
# Disturbs the stand of three nodes under Patroni at random while applications write and read, and judges what they
# met. See docs/balancing.md, "Chaos".
# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

usage() {
    cat <<'EOF'
Usage: bash tests/chaos.sh MINUTES [--seed N] [--variant VARIANT]
       bash tests/chaos.sh --sabotage NAME
       bash tests/chaos.sh --help

Starts the stand of examples/stands/patroni.sh with Patroni's synchronous mode on. Applications write and read through
pgseal for so many minutes, while programs are killed, stopped and restarted, hosts cut off and links made slow, the
leader switched, and zone mode and a grant changed. After each burst all has to be whole again. Then all that
was written is read, and judged.

  --seed N           repeat this schedule (default: one that is drawn, and printed)
  --variant VARIANT  without-haproxy (as it comes), with-haproxy
  --sabotage NAME    no disturbances but one that makes one proof fail, which shows that it can:
                         asynchronous   the leader waits for nobody, and is lost with what it has accepted
                         two-primaries  a replica is promoted by force
                         past-pgseal    readers read straight from a node
                         unsealed       writers forget to seal
                         granted        who must not open a zone's values is granted them
                         halves         money is moved in two transactions
                         stays          a connector never takes a server for down, and one is stopped
                         hangs          somebody holds what others wait for, and does not let go
                         leak           applications leave their sessions open
  --help             print this

Environment:
  STAND_DIR                keys, state, logs, the journal and the plot (default: .stands/chaos)
  PGSEAL_POSTGRES_BIN_DIR  PostgreSQL's programs (default: the newest in /usr/lib/postgresql)
  PGSEAL_BUILD             how it is built: release (default) or debug
  CARGO_TARGET_DIR         where cargo builds (default: target)
  NO_COLOR                 no colours

It needs root, for the namespaces; what is missing it installs with apt-get.
Exit codes: 0 all proved, 1 a proof or a step has failed, 2 wrong usage or something is missing.
EOF
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=chaos
source examples/stands/parts/all.sh
stand=examples/stands/patroni
source examples/stands/parts/etcd.sh
source examples/stands/parts/patroni.sh
source examples/stands/parts/three_nodes.sh
source tests/chaos/operator.sh
source tests/chaos/disturb.sh
source tests/chaos/whole.sh
source tests/chaos/sabotage.sh

minutes='' seed=$((RANDOM * 32768 + RANDOM))
variant=without-haproxy

# How long all may take to be whole again after a burst, in seconds.
recovery=120
# After how long of that somebody looks at Patroni, and how often he has had to help.
look=40 helped=0 restarted=0

main_of_chaos() {
    while (($#)); do
        case $1 in
        --help | -h) usage && return ;;
        --seed) seed=${2:-} ;;
        --variant) variant=${2:-} ;;
        --sabotage) sabotage=${2:-} ;;
        [0-9]*) minutes=$1 && set -- "" "$@" ;;
        *) refuse "wrong usage: $*; try --help" ;;
        esac
        shift $(($# > 1 ? 2 : 1))
    done
    [[ $seed =~ ^[0-9]{1,18}$ ]] || refuse "'$seed' is no seed; try --help"
    [[ $variant == with-haproxy || $variant == without-haproxy ]] ||
        refuse "--variant is with-haproxy or without-haproxy"
    if [[ -n $sabotage ]]; then
        [[ -n ${sabotages[$sabotage]:-} && -z $minutes ]] || refuse "--sabotage knows: ${!sabotages[*]}"
        run prove_sabotaged_chaos
    fi
    [[ $minutes =~ ^[0-9]{1,4}$ ]] || refuse "say for how many minutes; try --help"
    run prove_chaos
}

prove_chaos() {
    column=$variant columns=("$variant")
    start_chaos
    step "$minutes minutes, seed $seed, $variant"
    disturb $((10#$minutes * 60))
    end_chaos
    report || status=1
    printf '  Repeat its schedule by --seed %s. Plot: %s\n' "$seed" "$work/chaos.svg"
}

# start_chaos: the stand, zones, and applications; a short load before, so that all has been used once.
start_chaos() {
    speak_old_etcd
    start_stand
    step "Patroni's synchronous mode, zones, and a first load"
    order pg-1 edit-config --force --set synchronous_mode=true --set maximum_lag_on_failover=16777216
    await patroni-pg-1 has_sync_standby
    make_zones
    rm -f "$work"/{journal.jsonl,events.tsv,chaos.svg}
    sabotage='' start_load
    soon load_goes_on || fail "nothing is written: $(reason "$work/log/load.log")"
    sabotage='' end_load
    take_stock before
    rm -f "$work/journal.jsonl"
    start_load
    soon is_whole || fail "it is not whole: $missing_for_whole"
}

start_load() {
    local within
    at python-example
    launch load "${within[@]}" PYTHONPATH="$PWD/tests/chaos" "$python" "$PWD/tests/chaos/workload.py" \
        --sabotage="$sabotage" "$work/public" "$work/journal.jsonl" "${nodes[@]/%/:5432}"
    await load grep -q '^[0-9]' "$work/log/load.log"
}

# end_load: each application ends what it is at, and all that is there is read.
end_load() {
    local ended=ended
    send TERM load
    until [[ $(tail -n1 "$work/log/load.log") == "$ended" ]]; do
        alive load || fail "$(reason "$work/log/load.log")"
        progress "all that was written is read"
        sleep 0.1
    done
    progress_ends
    [[ $sabotage == leak ]] || outlast load "applications end"
}

# disturb SECONDS: bursts until then.
disturb() {
    local until=$((SECONDS + $1)) burst=1 number begins lasts kind target one
    local -a schedule disturbances=()
    # None is over in a second.
    mapfile -t schedule < <("$python" tests/chaos/schedule.py "$seed" "$variant" "$1")
    for one in "${schedule[@]}"; do
        IFS=$'\t' read -r number begins lasts kind target <<<"$one"
        if ((number != burst)); then
            run_burst "$burst" "${disturbances[@]}"
            ((SECONDS < until)) || break
            burst=$number disturbances=()
        fi
        disturbances+=("$begins $lasts ${kind// /_} $target")
    done
}

# run_burst NUMBER DISTURBANCE...: begins and heals each at its time, in milliseconds from now, and waits until all is
# whole. Who leads, and who is waited for, is asked once at its beginning.
run_burst() {
    local number=$1 one begins lasts kind target role at now began order=()
    know_roles
    for one in "${@:2}"; do
        read -r begins lasts kind role <<<"$one"
        target=$(resolve "$role")
        step "burst $number: ${kind//_/ }, $role ($target), after $begins s for $lasts s"
        begins=$(milliseconds "$begins")
        order+=("$begins $kind $target $role" "$((begins + $(milliseconds "$lasts"))) heal_$kind $target $role")
    done
    mapfile -t order < <(printf '%s\n' "${order[@]}" | sort -n)
    began=$(clock)
    happened burst "$number" - -
    for one in "${order[@]}"; do
        read -r at kind target role <<<"$one"
        while now=$(($(clock) - began)) && ((now < at)); do
            progress "$(tail -n1 "$work/log/load.log" | awk '{ print $1 " writes, " $2 " reads" }')"
            sleep "0.$(printf '%03d' $((at - now < 200 ? at - now : 200)))"
        done
        befall "$kind" "$target" "$role"
    done
    await_whole "$number"
}

# befall KIND TARGET ROLE: does it, and writes down when.
befall() {
    happened begin "$@"
    "$1" "$2"
    happened end "$@"
}

# await_whole NUMBER: within the time that it may take. What is Patroni's alone is helped once; what is pgseal's has to come
# about by itself.
await_whole() {
    local began=$SECONDS is_helped='' took
    until is_whole; do
        took=$((SECONDS - began))
        ((took < recovery)) ||
            fail "burst $1: not whole again after $recovery s: $missing_for_whole; repeat by --seed $seed"
        progress "not whole yet: $missing_for_whole"
        start_again
        if [[ -z $is_helped && $missing_for_whole == *Patroni* ]] && ((took >= look)); then
            help_patroni
            is_helped=yes
        fi
        sleep 0.2
    done
    progress_ends
    happened whole "$1" - -
    detail "whole again after $((SECONDS - began)) s; $(tail -n1 "$work/log/load.log" | awk '{ print $1 " writes, " $2 " reads" }')"
}

clock() { echo "${EPOCHREALTIME/[.,]/}" | cut -c1-13; }

milliseconds() { awk -v seconds="$1" 'BEGIN { printf "%d", seconds * 1000 }'; }

# happened WHAT KIND TARGET ROLE: a line for the judge.
happened() { printf '%s\t%s\t%s\t%s\t%s\n' "$EPOCHREALTIME" "$@" >>"$work/events.tsv"; }

# end_chaos: ends the load, and has it judged.
end_chaos() {
    local what name wanted got
    step "Read all that was written, and judge"
    note "times that Patroni had to be helped" "$helped"
    note "times that a program ended at its start, and was started again" "$restarted"
    end_load
    soon sessions_ended || true
    take_stock after
    complete judge "$python" tests/chaos/judge.py "$variant" "$work"
    while IFS=$'\t' read -r what name wanted got; do
        case $what in
        proof) proof "$name" "$wanted" "$got" ;;
        note) note "$name" "$wanted" ;;
        esac
    done <"$work/verdicts.tsv"
}

main_of_chaos "$@"
