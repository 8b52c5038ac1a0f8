# shellcheck shell=bash
# What is done to programs, hosts and their network, and how it is healed. Each kind has a function that begins it and
# one that ends it, called with its target. Needs three_nodes.sh, and operate (as an operator does).

server_of() { echo "pgseal-${1#pg-}"; }

# postgres_of HOST: the database's processes, the first of them first.
postgres_of() {
    local first
    first=$(head -n1 "$place/$1/data/postmaster.pid" 2>/dev/null) || return 0
    echo "$first"
    pgrep -P "$first" || true
}

# signal SIGNAL: to the processes that are read, as far as there are any.
signal() {
    xargs --no-run-if-empty kill -s "$1" 2>/dev/null || true
}

# end_gently NAME: asks it to end, and waits; in the end it is killed.
end_gently() {
    local deadline=$((SECONDS + patience))
    send TERM "$1"
    while alive "$1"; do
        ((SECONDS < deadline)) || slay "$1"
        sleep 0.05
    done
}

# begin_server HOST: starts it, and does not wait.
begin_server() {
    local server
    server=$(server_of "$1")
    launch_server "$server" --tls-certificate "$server.crt" --tls-private-key "$server.key"
}

begin_haproxy() { start haproxy haproxy /usr/sbin/haproxy -db -f haproxy.cfg; }

kill_postgres() { postgres_of "$1" | head -n1 | signal KILL; }
heal_kill_postgres() { :; } # Patroni starts it again
stop_postgres() { postgres_of "$1" | signal STOP; }
heal_stop_postgres() { postgres_of "$1" | signal CONT; }
restart_postgres() { order "$1" restart cluster "$1" --force; }
heal_restart_postgres() { :; }

kill_patroni() { slay "patroni-$1"; }
heal_kill_patroni() { start_node "$1"; }
stop_patroni() { send STOP "patroni-$1"; }
heal_stop_patroni() { send CONT "patroni-$1"; }
restart_patroni() { end_gently "patroni-$1"; }
heal_restart_patroni() { start_node "$1"; }

kill_server() { slay "$(server_of "$1")"; }
heal_kill_server() { begin_server "$1"; }
stop_server() { send STOP "$(server_of "$1")"; }
heal_stop_server() { send CONT "$(server_of "$1")"; }
restart_server() { end_gently "$(server_of "$1")"; }
heal_restart_server() { begin_server "$1"; }

kill_host() { lose_host "$1"; }
heal_kill_host() {
    start_node "$1"
    begin_server "$1"
}

kill_etcd() { slay "$1"; }
heal_kill_etcd() { start_member "$1" "${etcd[@]}"; }
stop_etcd() { send STOP "$1"; }
heal_stop_etcd() { send CONT "$1"; }
restart_etcd() { end_gently "$1"; }
heal_restart_etcd() { start_member "$1" "${etcd[@]}"; }

kill_connector() { slay "$1"; }
heal_kill_connector() { launch_connector "$1"; }
stop_connector() { send STOP "$1"; }
heal_stop_connector() { send CONT "$1"; }
restart_connector() { end_gently "$1"; }
heal_restart_connector() { launch_connector "$1"; }

kill_haproxy() { slay haproxy; }
heal_kill_haproxy() { begin_haproxy; }
stop_haproxy() { send STOP haproxy; }
heal_stop_haproxy() { send CONT haproxy; }
restart_haproxy() { end_gently haproxy; }
heal_restart_haproxy() { begin_haproxy; }

# link_of HOST: the end of its cable that is in the bridge.
link_of() {
    local address
    address=$(address_of "$1")
    echo "${network}v${address##*.}"
}

cut_host() { logged network ip link set "$(link_of "$1")" down; }
heal_cut_host() { logged network ip link set "$(link_of "$1")" up; }
cut_etcd() { cut_host "$1"; }
heal_cut_etcd() { heal_cut_host "$1"; }

# cut_pair HOST+HOST: neither sends the other anything any more.
cut_pair() { between "$1" add; }
heal_cut_pair() { between "$1" del; }

between() {
    local one=${1%+*} other=${1#*+}
    logged network ip -n "$network-$one" route "$2" blackhole "$(address_of "$other")"
    logged network ip -n "$network-$other" route "$2" blackhole "$(address_of "$one")"
}

# slow_link HOST: one megabit a second in both directions, with a queue of 0.4 seconds behind which packets are lost.
slow_link() {
    local slow=(tbf rate 1mbit burst 32kbit latency 400ms)
    logged network tc qdisc add dev "$(link_of "$1")" root "${slow[@]}"
    logged network tc -n "$network-$1" qdisc add dev eth0 root "${slow[@]}"
}

heal_slow_link() {
    logged network tc qdisc del dev "$(link_of "$1")" root
    logged network tc -n "$network-$1" qdisc del dev eth0 root
}

switchover() { order "${nodes[0]}" switchover --force; }
heal_switchover() { :; }

# Zones' values are sealed while zone mode is off; clients' open in both.
zone_mode() { operate setting set zone_mode off; }
heal_zone_mode() { operate setting set zone_mode mixed; }

grant() { operate grant remove --zone lent-zone --client app; }
heal_grant() { operate grant add --zone lent-zone --client app; }

# wake_all: what is stopped goes on, so that it can be ended.
wake_all() {
    local network namespace
    [[ -e $work/network ]] || return 0
    network=$(<"$work/network")
    for namespace in /etc/netns/"$network"-*; do
        ip netns pids "${namespace##*/}" 2>/dev/null | signal CONT
    done
}

undo=(wake_all "${undo[@]}")
