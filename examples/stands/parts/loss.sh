# shellcheck shell=bash
# What applications meet that connect all the time while something is lost. Needs fleet.sh, proofs.sh.

# show_loss WHAT LOSE HOST:PORT [HOST:PORT]: connects ten times a second to each, has the function LOSE
# do it, and waits until all is well again. What connects meet is shown; pgseal alone, which is at the
# first of them in the variant without HAProxy, has to fail none.
show_loss() {
    local what=$1 lose=$2 way within failed
    shift 2
    step "Connect ten times a second, and lose $what, $variant"
    at python-example
    for way; do
        launch "connects-$way" "${within[@]}" "$python" "$PWD/examples/stands/connects.py" \
            "${way%:*}" "${way#*:}"
    done
    for way; do
        await "connects-$way" grep -q '^begun' "$work/log/connects-$way.log"
    done
    "$lose"
    for way; do
        outlast "connects-$way" "$what is lost; connects go on to $way"
        tell_connects "$what is lost: connects to $way that failed" "$way"
    done
    failed=$(tail -n1 "$work/log/connects-$1.log" | cut -d' ' -f2)
    if [[ $variant == without-haproxy ]]; then
        proof "$what is lost: none fails" 0 "$failed"
    fi
}

# tell_connects NAME WAY: shows what connects have met, in the table too.
tell_connects() {
    local connects failed span longest error log=$work/log/connects-$2.log
    read -r connects failed span longest error <<<"$(tail -n1 "$log")"
    [[ $connects =~ ^[0-9]+$ ]] || fail "$(reason "$log")"
    detail "$2: $failed of $connects connects failed; the longest took $longest s"
    if ((failed)); then
        detail "    the last of them, after $span s: $error"
        note "$1" "$failed of $connects, for $span s"
    else
        note "$1" "0 of $connects, longest $longest s"
    fi
}

# lose_primary: kills it. A second later the replica is promoted, as Patroni would do it.
lose_primary() {
    detail "pgsql-master is killed; a second later pgsql-slave is promoted"
    kill_now database-pgsql-master
    sleep 1
    [[ $sabotage == no-promotion ]] || sql pgsql-slave "SELECT pg_promote()" >/dev/null
}

# lose_server: kills the one before the replica.
lose_server() {
    detail "pgseal-server-s is killed"
    kill_now pgseal-server-s
}

# kill_now NAME: kills it, and tells those that connect.
kill_now() {
    local name
    slay "$1"
    for name in "$work"/run/connects-*; do
        send USR1 "${name##*/}"
    done
}
