# shellcheck shell=bash
# What writers meet while the leader is replaced: those that write through pgseal, and those that write to
# all nodes at once, and so see how long the promotion itself takes. Needs patroni.sh, proofs.sh; of the stand
# `reads_at`, the connector's port to read what was written.

# What pgseal may add to the time in which the databases themselves take no writes, in milliseconds.
allowance=200

# show_writes WHAT CHANGE: has writers write while the function CHANGE has another node lead, and tells how
# long no write was accepted. What was accepted and is not there is left in `lost`. HAProxy's part is shown and
# not judged.
show_writes() {
    local what=$1 change=$2 name within promotion excess
    local accepted failed outage unopened met
    sql "$(leader)" "SET client_min_messages = warning; DROP TABLE IF EXISTS writes;
        CREATE TABLE writes (way text, number int, data bytea)"
    replayed
    at python-example
    rm -f "$work"/log/writes-*.log
    launch writes-direct "${within[@]}" "$python" "$PWD/examples/stands/writes.py" "${nodes[@]/%/:5432}"
    launch writes-pgseal "${within[@]}" "$python" "$PWD/examples/stands/writes.py" \
        --sealed "127.0.0.1:$reads_at" 127.0.0.1:9494
    for name in writes-direct writes-pgseal; do
        await "$name" grep -q '^begun' "$work/log/$name.log"
    done
    "$change"
    for name in writes-direct writes-pgseal; do
        send USR1 "$name"
    done
    for name in writes-direct writes-pgseal; do
        outlast "$name" "writes go on"
    done
    writes_met direct
    promotion=$outage
    detail "asking the nodes themselves: no write accepted for $promotion ms, $accepted before and after"
    note "$what: no write for, asking the nodes themselves" "$promotion ms"
    writes_met pgseal
    detail "through pgseal:              no write accepted for $outage ms, $accepted before and after"
    [[ -z $met ]] || detail "    attempts that failed: $failed; the last: $met"
    note "$what: no write for, through pgseal" "$outage ms"
    excess="at most $allowance ms"
    ((outage - promotion <= allowance)) || excess="$((outage - promotion)) ms"
    if [[ $variant == without-haproxy ]]; then
        proof "$what: pgseal adds $allowance ms at most" "at most $allowance ms" "$excess"
    else
        note "$what: pgseal adds $allowance ms at most" "not judged"
    fi
    proof "$what: all that is there opens" 0 "$unopened"
}

# writes_met NAME: what these writers have met, in variables of the caller's.
writes_met() {
    local log=$work/log/writes-$1.log
    read -r accepted failed outage lost unopened met <<<"$(tail -n1 "$log")"
    [[ $accepted =~ ^[0-9]+$ ]] || fail "$(reason "$log")"
}
