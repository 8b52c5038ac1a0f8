# shellcheck shell=bash
# What applications meet that connect all the time while something is lost. Needs fleet.sh, proofs.sh.

# show_loss WHAT PORT LOSE: connects ten times a second to the connector's port, has the function LOSE
# do it, and waits until all is well again. pgseal alone is to fail none of the connects; of those that
# go through HAProxy it only shows what they met.
show_loss() {
    local what=$1 port=$2 lose=$3 connects failed span longest error within
    step "Connect ten times a second, and lose $what, $variant"
    at python-example
    launch connects "${within[@]}" "$python" "$PWD/examples/stands/connects.py" "$port"
    await connects grep -q '^begun' "$work/log/connects.log"
    "$lose"
    while alive connects; do
        progress "$(tail -n1 "$work/log/connects.log")"
        sleep 0.1
    done
    progress_ends
    rm -f "$work/run/connects"
    read -r connects failed span longest error <<<"$(tail -n1 "$work/log/connects.log")"
    [[ $connects =~ ^[0-9]+$ ]] || fail "$(reason "$work/log/connects.log")"
    detail "$failed of $connects connects failed, for $span s; the longest took $longest s"
    ((failed == 0)) || detail "the last of them met: $error"
    note "$what is lost: connects that failed" "$failed of $connects"
    note "$what is lost: for how long" "$span s"
    note "$what is lost: longest connect" "$longest s"
    if [[ $variant == without-haproxy ]]; then
        proof "$what is lost: none fails" 0 "$failed"
    fi
}

# lose_primary: kills it. A second later the replica is promoted, as Patroni would do it.
lose_primary() {
    detail "pgsql-master is killed; a second later pgsql-slave is promoted"
    send KILL database-pgsql-master
    sleep 1
    [[ $sabotage == no-promotion ]] || sql pgsql-slave "SELECT pg_promote()" >/dev/null
}

# lose_server: kills the one before the replica.
lose_server() {
    detail "pgseal-server-s is killed"
    send KILL pgseal-server-s
}
