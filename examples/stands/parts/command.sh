# shellcheck shell=bash
# A stand's command line. The stand sets `program`, `stand` (its directory) and `sabotages` (what may
# be sabotaged, and which proof has to fail then), and has these functions: usage, needs (what is to be
# installed), start_stand, lose (what it proves while something is lost), say_what_to_try; and those that
# `story` names, which prove all else, in order. Story.sh has many of these for stands of a primary and its
# replica.

# Sabotages of HAProxy, which has to be there.
of_haproxy=(checks-lie)

# main COMMAND...
main() {
    case "$#:${1:-}" in
    0:) run prove_all ;;
    1:up) variant=${left_running:-${variants[0]}} && run leave_running ;;
    2:up)
        [[ " ${variants[*]} " == *" $2 "* ]] || refuse "up $2: it knows ${variants[*]}"
        variant=$2 && run leave_running
        ;;
    1:down) be_root && stop ;;
    *:exec) (($# > 2)) || refuse "exec needs a host and a command; try --help" && execute "${@:2}" ;;
    2:kill | 2:stop | 2:start) change "$@" ;;
    2:--sabotage)
        [[ -n ${sabotages[$2]:-} ]] || refuse "--sabotage knows: ${!sabotages[*]}"
        sabotage=$2 && run prove_sabotaged
        ;;
    1:--help | 1:-h) usage ;;
    *) refuse "wrong usage: $*; try --help" ;;
    esac
}

be_root() {
    ((EUID == 0)) || refuse "its hosts are network namespaces, which only root can make: run it as root"
}

# run FUNCTION: takes the stand for itself, and ends all that runs when the function does.
run() {
    be_root
    claim || refuse "it runs already (up, or in another terminal); bash examples/stands/$program.sh down ends it"
    forget_environment
    end_all # what a crash of the machine left
    rm -rf "$work/log"
    mkdir -p "$work/run" "$work/log"
    guard
    prepare
    "$1"
    reported=yes
    exit "$status"
}

status=0

prepare() {
    step "Look for what is needed"
    need_basics
    need haproxy "the balancer (a service of its own is left alone)" test -x /usr/sbin/haproxy
    need iproute2 "hosts, in network namespaces" command -v ip
    need curl "to look at the web page, and at what a connector tells" command -v curl
    need openssl "certificates of the web page and of etcd" command -v openssl
    needs
    install_missing
    find_postgres || refuse "no PostgreSQL is to be found; set PGSEAL_POSTGRES_BIN_DIR"
    detail "$("$postgres/postgres" --version), $(/usr/sbin/haproxy -v | head -n1)"
    build_all
}

# prove_all: the whole story in each variant, side by side.
prove_all() {
    columns=("${variants[@]}")
    for variant in "${columns[@]}"; do
        prove
        lose
        if [[ $variant != "${columns[-1]}" ]]; then
            end_variant
        fi
    done
    report || status=1
}

# prove: starts this variant, and proves all of it but what needs a loss.
prove() {
    column=$variant
    start_stand
    tell_story
}

# tell_story: all of it; or, sabotaged, up to where that has shown.
tell_story() {
    local part
    for part in "${story[@]}"; do
        "$part"
        ! has_shown || break
    done
}

# has_shown: whether the sabotage has made its proof fail.
has_shown() {
    [[ -n $sabotage ]] && failed "${sabotages[$sabotage]}"
}

# prove_sabotaged: the proof that has to fail fails.
prove_sabotaged() {
    local fails=${sabotages[$sabotage]}
    variant=${variants[-1]}
    [[ " ${of_haproxy[*]} " != *" $sabotage "* ]] || variant=${variants[0]}
    columns=("$variant")
    prove
    [[ $fails != *"is lost"* ]] || lose
    report || status=1
    if failed "$fails"; then
        printf '  Sabotage %s: "%s" failed, as it should.\n' "$sabotage" "$fails"
    else
        printf '  Sabotage %s: "%s" passed, and should not have.\n' "$sabotage" "$fails"
    fi
}

leave_running() {
    start_stand
    keep
    say_what_to_try
}

# end_variant: ends what runs, so that the other variant can begin.
end_variant() {
    step "End $variant"
    mkdir "$work/log/$variant"
    mv "$work"/log/*.log "$work/log/$variant"
    end_all
    mkdir -p "$work/run"
}

# change HOW NAME: kills, stops or starts one of the programs of the stand that was left running.
change() {
    local how=$1 name=$2
    be_root
    [[ -e $work/network ]] || refuse "it is not up: bash examples/stands/$program.sh up"
    [[ -e $work/run/$name ]] ||
        refuse "nothing is called $name; there are: $(cd "$work/run" && printf '%s ' *)"
    case $how in
    start)
        ! alive "$name" || refuse "$name runs already"
        exec {lifeline}</dev/null
        eval "launch \"\$name\" $(<"$work/commands/$name")" # as `launch` has quoted it
        ;;
    *)
        alive "$name" || refuse "$name does not run"
        send "$([[ $how == kill ]] && echo KILL || echo TERM)" "$name"
        while alive "$name"; do
            sleep 0.05
        done
        ;;
    esac
}

# execute HOST COMMAND...: runs a command on a host of the stand that was left running.
execute() {
    local within host=$1
    shift
    be_root
    [[ -e $work/network && -e $work/place ]] || refuse "it is not up: bash examples/stands/$program.sh up"
    [[ -e $work/hosts/$host.host ]] ||
        refuse "no host $host; there are: $(cd "$work/hosts" && printf '%s ' *.host | sed 's/\.host / /g')"
    find_postgres || refuse "no PostgreSQL is to be found"
    place=$(<"$work/place")
    at "$host"
    exec "${within[@]}" "$@"
}
