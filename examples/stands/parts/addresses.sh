# shellcheck shell=bash
# Addresses that keepalived moves between two balancers, hosts with an HAProxy each; and what is met when one
# moves. Needs fleet.sh, loss.sh, pair.sh. Of the stand: `balancers`; `addresses`, by name; `owner`, who has
# each while all is well; `last_byte`, that of each, here and in keepalived.conf; `asked_at`, where an application
# comes to it that knows nothing else.

# For so long no answer may come when an address moves, in milliseconds.
pause=1000

# Where applications come to both.
through_pgseal=127.0.0.1:9494

# name_addresses: they have names as hosts have.
name_addresses() {
    local address
    for address in "${addresses[@]}"; do
        echo "$net.${last_byte[$address]} $address" >>"$work/hosts/names"
    done
}

# start_balancers: waits until both know which database is what, and each address is with its owner.
start_balancers() {
    local host
    for host in "${balancers[@]}"; do
        install_on "$(haproxy_on "$host")" "$stand/haproxy.cfg"
        if [[ $sabotage == slow-checks ]]; then
            sed -i 's/inter 300ms fastinter 200ms/inter 30s downinter 200ms/' "$place/$(haproxy_on "$host")/haproxy.cfg"
        fi
        start_haproxy_on "$host"
        await "$(haproxy_on "$host")" knows_databases "$host"
        configure_keepalived "$host"
        start_keepalived_on "$host"
    done
    await_addresses
}

# await_addresses: until each is with its owner.
await_addresses() {
    local address settled=is_held_by
    [[ $sabotage != split ]] || settled=holds
    for address in "${addresses[@]}"; do
        await "$(keepalived_on "${owner[$address]}")" "$settled" "${owner[$address]}" "$address"
    done
}

# settle: the same, once both balancers know who is well behind them. The first to know has all addresses until the
# other does, too, and what connects by then is lost when they move back.
settle() {
    local host
    for host in "${balancers[@]}"; do
        [[ $sabotage == no-track ]] || await "$(keepalived_on "$host")" is_content "$host"
    done
    await_addresses
}

is_content() {
    [[ $(grep -o 'VRRP_Script(balances) [a-z]*' "$work/log/$(keepalived_on "$1").log" | tail -n1) == *succeeded ]]
}

# What runs on each balancer, by name. keepalived is root's, as is the host; HAProxy a user's of its own.
haproxy_on() { echo "haproxy-${1##*-}"; }
keepalived_on() { echo "keepalived-${1##*-}"; }

start_haproxy_on() {
    start "$(haproxy_on "$1")" "$(haproxy_on "$1")" /usr/sbin/haproxy -db -f haproxy.cfg
}

knows_databases() {
    [[ $(serve 8404 master "$1") == pgsql-master && $(serve 8404 slave "$1") == pgsql-slave ]]
}

# configure_keepalived BALANCER: with addresses of this network, and what it runs from its directory here.
configure_keepalived() {
    local edits=()
    case $sabotage in
    no-track) edits=(-e '/track_script/,/}/d') ;;
    no-preempt) edits=(-e '/instance pgseal-vip/,/state/s/state BACKUP/&\n    nopreempt/') ;;
    slow-adverts) edits=(-e 's/advert_int .*/advert_int 0.5/') ;;
    split) edits=(-e "s/virtual_router_id ./&${1##*-}/") ;;
    esac
    install_on "$1" "$stand/keepalived.conf"
    install --mode=700 "$stand/check_haproxy.sh" "$place/$1/"
    sed -i -e "s/192\.168\.99\./$net./" -e "s|/etc/keepalived/|$place/$1/|" "${edits[@]}" \
        "$place/$1/keepalived.conf"
}

start_keepalived_on() {
    start "$1" "$(keepalived_on "$1")" /usr/sbin/keepalived --vrrp --dont-fork --log-console --log-detail \
        --no-syslog --config-id="$1" --use-file=keepalived.conf --pid=keepalived.pid --vrrp_pid=vrrp.pid
}

# holds BALANCER ADDRESS: whether it has it; is_held_by: and the other has not.
holds() {
    [[ " $(holders "$2") " == *" $1 "* ]]
}

is_held_by() {
    [[ $(holders "$2") == "$1" ]]
}

# holders ADDRESS: who has it, by the hosts themselves.
holders() {
    local host found=()
    for host in "${balancers[@]}"; do
        ! ip -n "$network-$host" -4 -oneline address show dev eth0 | grep -qF " $(address_of "$1")/" ||
            found+=("$host")
    done
    echo "${found[*]:-nobody}"
}

# show_holders: where the addresses are.
show_holders() {
    local address wanted=() found=()
    for address in "${addresses[@]}"; do
        wanted+=("$address: ${owner[$address]}")
        found+=("$address: $(holders "$address")")
        detail "$(printf '%-24s %s, %s' "$address" "$(address_of "$address")" "$(holders "$address")")"
    done
    proof "each address is on its owner alone" "$(lines "${wanted[@]}")" "$(lines "${found[@]}")"
}

# show_moves: each way in which an owner is lost, and that it gets its address back; unless a sabotage shows later.
show_moves() {
    local address
    [[ $variant == with-haproxy ]] || return 0
    if [[ -n $sabotage && ${sabotages[$sabotage]} == *"is lost"* ]]; then
        return 0
    fi
    for address in "${addresses[@]}"; do
        show_move "$address" "keepalived is stopped" stop_keepalived "keepalived runs again" start_keepalived_on
        show_move "$address" "HAProxy is stopped" stop_haproxy "HAProxy runs again" start_haproxy_on
        show_move "$address" "its host is cut off" cut_off "its host is back" join_again
    done
}

stop_keepalived() { send TERM "$(keepalived_on "$1")"; }
stop_haproxy() { send TERM "$(haproxy_on "$1")"; }
cut_off() { ip link set "$(cable_of "$1")" down; }
join_again() { ip link set "$(cable_of "$1")" up; }

# cable_of HOST: the bridge's end of what leads there.
cable_of() {
    local address
    address=$(address_of "$1")
    echo "${network}v${address##*.}"
}

# show_move ADDRESS LOST LOSE MENDED MEND: its owner is lost by one function, and mended by another; both take it.
show_move() {
    local address=$1 host=${owner[$1]} other
    ! has_shown || return 0
    other=${balancers[*]/$host/}
    move "$address" "$2" "$3" "${other// /}"
    has_shown || move "$address" "$4" "$5" "$host"
}

# move ADDRESS WHAT DO HOST: has the function do it to the address' owner, while an application connects all the
# time, and asks on in a session from before; the address has to come to that host. Before databases, that is
# an application which knows nothing of pgseal; what others meet through a server, which has to find out anew
# which database is what, is shown and not judged.
move() {
    local address=$1 what="$1, $2" do=$3 host=$4 held way ways=("${asked_at[$1]}")
    local connects failed span longest silence error session
    step "$what: what connects meet, $variant"
    [[ ${ways[0]} == "$through_pgseal" ]] || ways+=("$through_pgseal")
    signals=2 begin_connects "${ways[@]}"
    tell_connecting
    "$do" "${owner[$address]}"
    soon is_held_by "$host" "$address" || true
    tell_connecting
    for way in "${ways[@]}"; do
        outlast "connects-$way" "connects go on"
    done
    held=$(holders "$address")
    detail "$address is with $held"
    tell_silence "${ways[0]}"
    ((silence > pause)) || held+=", within $pause ms"
    proof "$what: it is with $host within $pause ms" "$host, within $pause ms" "$held"
    note "$what: no answer for; a session from before" "$silence ms; ${session%%:*}"
    if [[ -n ${ways[1]:-} ]]; then
        tell_silence "${ways[1]}"
        note "$what: the same through pgseal" "$silence ms; ${session%%:*}"
    fi
}

# tell_silence WAY: shows what connects there have met, and leaves it in variables of the caller's.
tell_silence() {
    connects_met "$1"
    detail "$1: no answer for $silence ms; $failed of $connects connects failed, the longest took $longest s"
    [[ -z $error ]] || detail "    the last of them, after $span s: $error"
    detail "    a session from before: $session"
}
