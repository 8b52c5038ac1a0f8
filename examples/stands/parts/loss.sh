# shellcheck shell=bash
# What applications meet that connect all the time while something is lost. Needs fleet.sh, proofs.sh.

# show_loss WHAT LOSE HOST:PORT [HOST:PORT]: connects ten times a second to each, has the function LOSE
# do it, and waits until all is well again. What connects meet is shown; pgseal alone, which is at the
# first of them in the variant without HAProxy, has to fail none.
show_loss() {
    local what=$1 lose=$2 way
    local connects failed span longest silence error session
    shift 2
    step "Connect ten times a second, and lose $what, $variant"
    begin_connects "$@"
    "$lose"
    for way; do
        outlast "connects-$way" "$what is lost; connects go on to $way"
        tell_connects "$what is lost: connects to $way that failed" "$way"
    done
    connects_met "$1"
    if [[ $variant == without-haproxy ]]; then
        proof "$what is lost: none fails" 0 "$failed"
    fi
}

# begin_connects HOST:PORT...: has an application connect there all the time, and waits until it does. It will be
# told `signals` times, or once.
begin_connects() {
    local way within
    at python-example
    for way; do
        rm -f "$work/log/connects-$way.log"
        launch "connects-$way" "${within[@]}" "$python" "$PWD/examples/stands/connects.py" \
            "${way%:*}" "${way#*:}" "${signals:-1}"
    done
    for way; do
        await "connects-$way" grep -q '^begun' "$work/log/connects-$way.log"
    done
}

# tell_connects NAME WAY: shows what connects have met, in the table too.
tell_connects() {
    connects_met "$2"
    detail "$2: $failed of $connects connects failed; the longest took $longest s, no answer for $silence ms"
    if ((failed)); then
        detail "    the last of them, after $span s: $error"
        note "$1" "$failed of $connects, for $span s"
    else
        note "$1" "0 of $connects, longest $longest s"
    fi
    detail "    a session from before: $session"
}

# connects_met WAY: what they have met, in variables of the caller's.
connects_met() {
    local log=$work/log/connects-$1.log
    session=$(sed -n 's/^session //p' "$log")
    read -r connects failed span longest silence error <<<"$(tail -n1 "$log")"
    [[ $connects =~ ^[0-9]+$ ]] || fail "$(reason "$log")"
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
    slay "$1"
    tell_connecting
}

tell_connecting() {
    local name
    for name in "$work"/run/connects-*; do
        send USR1 "${name##*/}"
    done
}
