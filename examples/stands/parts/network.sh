# shellcheck shell=bash
# Hosts on this machine: a network namespace each, on a bridge of their own, with names that resolve
# on all of them; each with a user and a directory. What was made is noted in $work, so that it can be
# found, and taken away, by whoever comes later. Needs processes.sh, and new_place's $place.

undo=(remove_network)

# The first of the users that hosts have; they need no names.
first_user=61500

# make_network: a bridge for hosts to come. `network` names it, and is what their names begin with.
make_network() {
    local number
    network=pgst$(random)
    network=${network:0:10}
    for ((number = RANDOM % 512; ; number = (number + 1) % 512)); do
        net=198.$((18 + number / 256)).$((number % 256)) # for benchmarks (RFC 2544): nobody routes it
        [[ $(ip -4 route show) == *"$net."* ]] || break
    done
    mkdir -p "$work/hosts" /etc/netns
    echo "$network" >"$work/network"
    echo "127.0.0.1 localhost" >"$work/hosts/names"
    logged network ip link add "$network" type bridge
    logged network ip addr add "$net.1/24" dev "$network"
    logged network ip link set "$network" up
    hosts=() residents=()
}

# add_host NAME USER [ALIAS...]: a host with a network of its own, and programs that run as this user.
# Aliases are names that others who live on it go by, each with a user of its own.
add_host() {
    local host=$1 user=$2 alias number=$((${#hosts[@]} + 2)) namespace=$network-$1
    shift 2
    mkdir -p "/etc/netns/$namespace"
    touch "/etc/netns/$namespace/hosts"
    {
        ip netns add "$namespace" &&
            ip link add "${network}v$number" type veth peer name eth0 netns "$namespace" &&
            ip link set "${network}v$number" master "$network" up &&
            ip -n "$namespace" addr add "$net.$number/24" dev eth0 &&
            ip -n "$namespace" link set eth0 up &&
            ip -n "$namespace" link set lo up
    } >>"$work/log/network.log" 2>&1 ||
        fail "this machine does not let network namespaces be made: $(reason "$work/log/network.log")"
    hosts+=("$host")
    echo "$net.$number $host $*" >>"$work/hosts/names"
    add_resident "$host" "$user" "$namespace"
    for alias; do
        add_resident "$alias" $((first_user + 100 + ${#residents[@]})) "$namespace"
    done
}

# add_resident NAME USER NAMESPACE: who lives there, in a directory that nobody else reads; that of
# applications is where the examples are.
add_resident() {
    local directory=$place/$1
    residents+=("$1")
    mkdir -m 700 "$directory"
    chown "$2:$(group_of "$2")" "$directory"
    [[ $1 != python-example ]] || directory=$PWD/examples/python
    printf 'environment=() user=%q namespace=%q directory=%q\n' "$2" "$3" "$directory" \
        >"$work/hosts/$1.host"
}

# keep_environment HOST VARIABLE=VALUE...: what operators' commands there find in their environment.
keep_environment() {
    printf 'environment+=(%s)\n' "$(printf '%q ' "${@:2}")" >>"$work/hosts/$1.host"
}

group_of() {
    id -g "$1" 2>/dev/null || echo "$1"
}

# names_resolve: tells every host all names; of an application's own connectors, the loopback.
names_resolve() {
    local host
    for host in "${hosts[@]}"; do
        sed "s/^[0-9.]* \($host\) /127.0.0.1 \1 /" "$work/hosts/names" \
            >"/etc/netns/$network-$host/hosts"
    done
}

# address_of HOST: by what it is reached from this machine, too.
address_of() {
    awk -v host="$1" '$2 == host { print $1 }' "$work/hosts/names"
}

# on HOST: sets `within` to what a program runs behind, to run on that host, as its user, in its
# directory.
on() {
    local user namespace directory environment
    # shellcheck source=/dev/null
    source "$work/hosts/$1.host"
    within=(ip netns exec "$namespace" env --chdir="$directory" HOME="$directory")
    case $user in
    root) ;;
    postgres) within+=(setpriv --reuid="$user" --regid="$user" --init-groups --) ;;
    *) within+=(setpriv --reuid="$user" --regid="$user" --clear-groups --) ;;
    esac
}

# at HOST: the same for an operator's commands: with programs, passwords and keys at hand.
at() {
    local user namespace directory environment
    # shellcheck source=/dev/null
    source "$work/hosts/$1.host"
    on "$1"
    within+=(env PATH="$place/bin:$(dirname "$python"):$postgres:$PATH" PGHOST=127.0.0.1
        PGUSER=postgres PGPASSWORD=test PGDATABASE=test EXAMPLE_DB_PASSWORD=test "${environment[@]}")
}

# start HOST NAME COMMAND...: starts a program on a host.
start() {
    local within
    on "$1"
    launch "$2" "${within[@]}" "${@:3}"
}

# call HOST FUNCTION ARGUMENT...: has a function of this script run on a host.
call() {
    local within
    at "$1"
    "${within[@]}" env postgres="$postgres" patience="$patience" \
        bash -c "$(declare -f "$2")"'; "$@"' - "${@:2}"
}

# answers HOST PORT PATH: whether a host gives itself a good answer.
answers() {
    call "$1" http "$2" "$3" >/dev/null
}

# install_on HOST FILE: copies a file to a host, for its user alone.
install_on() {
    local user namespace directory environment
    # shellcheck source=/dev/null
    source "$work/hosts/$1.host"
    install --mode=600 --owner="$user" --group="$(group_of "$user")" "${@:2}" "$directory/"
}

# remove_network: takes away what make_network and add_host made, and ends what still runs there.
remove_network() {
    local network namespace process
    [[ -e $work/network ]] || return 0
    network=$(<"$work/network")
    for namespace in /etc/netns/"$network"-*; do
        [[ -e $namespace ]] || continue
        namespace=${namespace##*/}
        for process in $(ip netns pids "$namespace" 2>/dev/null); do
            kill -KILL "$process" 2>/dev/null || true
        done
        ip netns del "$namespace" 2>/dev/null || true
        rm -rf "/etc/netns/${namespace:?}"
    done
    ip link del "$network" 2>/dev/null || true
    rmdir --ignore-fail-on-non-empty /etc/netns 2>/dev/null || true
    rm -rf "$work/hosts" "$work/network"
}
