# shellcheck shell=bash
# Faults made on purpose, each of which one proof has to notice, and no other. Needs disturb.sh, whole.sh.

declare -A sabotages=(
    [asynchronous]="no accepted write is lost, no refused one is there"
    [two-primaries]="one primary at a time takes writes"
    [past-pgseal]="what was sealed opens to what was written"
    [unsealed]="databases hold it sealed"
    [granted]="nothing opens without a grant"
    [halves]="balances hold in every snapshot"
    [stays]="no session stays on a server that is lost"
    [hangs]="every application's statement ends"
    [leak]="nothing is left behind by sessions that have ended"
)

prove_sabotaged_chaos() {
    local fails=${sabotages[$sabotage]} name others=()
    column=$variant columns=("$variant")
    [[ $sabotage != stays ]] || export PGSEAL_CHECKS_FALL=1000
    start_chaos
    step "Sabotage: $sabotage"
    know_roles
    happened burst sabotage - -
    case $sabotage in
    asynchronous) lose_what_was_accepted ;;
    two-primaries) promote_by_force ;;
    stays) stop_a_server ;;
    *) soon load_goes_on ;;
    esac
    await_whole sabotage
    end_chaos
    report || status=1
    for name in "${proofs[@]}"; do
        [[ $name == "$fails" ]] || ! failed "$name" || others+=("$name")
    done
    if failed "$fails" && ((${#others[@]} == 0)); then
        printf '  Sabotage %s: "%s" failed, as it should.\n' "$sabotage" "$fails"
    elif failed "$fails"; then
        printf '  Sabotage %s: more has failed than it should.\n' "$sabotage"
    else
        printf '  Sabotage %s: "%s" passed, and should not have.\n' "$sabotage" "$fails"
    fi
}

# lose_what_was_accepted: replicas are cut off from the leader, which goes on without them, and is lost.
lose_what_was_accepted() {
    local before=${roles[leader]} replica
    order "$before" edit-config --force --set synchronous_mode=false
    soon waits_for_nobody || fail "the leader goes on waiting"
    for replica in standby other; do
        cut_pair "$before+${roles[$replica]}"
    done
    soon load_goes_on || fail "the leader takes no writes"
    soon load_goes_on || fail "the leader takes no writes"
    befall kill_host "$before" leader
    soon other_leads "$before" || fail "nobody leads"
    # Not before: what was on its way would be sent all the same, for a host's network outlives its programs here.
    for replica in standby other; do
        heal_cut_pair "$before+${roles[$replica]}"
    done
    order "${roles[other]}" edit-config --force --set synchronous_mode=true
    befall heal_kill_host "$before" leader
}

waits_for_nobody() {
    ! has_sync_standby && [[ -z $(sql "${roles[leader]}" "SHOW synchronous_standby_names") ]]
}

# promote_by_force: a replica, which Patroni lets be for a while. The server beside it is away, so that only who goes
# past pgseal writes there.
promote_by_force() {
    local node=${roles[other]}
    befall kill_server "$node" other
    order "$node" pause --wait
    sql "$node" "SELECT pg_promote()" --dbname=postgres >/dev/null
    soon probed "$node" || fail "$node takes no writes"
    soon load_goes_on || fail "the leader takes no writes"
    order "$node" resume --wait
    # It has what nobody else has; a new copy is sooner there than it is rewound.
    order "$node" reinit cluster "$node" --force --wait
    befall heal_kill_server "$node" other
}

probed() {
    [[ $(sql "$1" "SELECT count(*) > 0 FROM probes WHERE way = 'probe-$1:5432'") == t ]]
}

# stop_a_server: the leader's, for as long as it takes to see that its sessions stay.
stop_a_server() {
    local node=${roles[leader]} until=$((SECONDS + 12))
    befall stop_server "$node" leader
    while ((SECONDS < until)); do
        progress "$node's server is stopped"
        sleep 0.1
    done
    befall heal_stop_server "$node" leader
}
