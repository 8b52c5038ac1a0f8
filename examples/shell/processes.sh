# shellcheck shell=bash
# What the scripts start, and that it ends: every process leads a session of its own, is noted in
# $work/run with its log in $work/log, and is ended when the script ends, however that happens.
# Needs terminal.sh, and $work: a directory that nobody else writes to.

# What else is to be undone at the end: functions, called once nothing runs any more.
undo=()

# How long a process may take to answer, and to end when asked to, in seconds.
patience=30

# claim: takes $work for this run. The lock is inherited by all that is started, so it is held as
# long as any of it runs.
claim() {
    if ! { mkdir -p "$work" && chmod 700 "$work"; } 2>/dev/null; then
        refuse "cannot write to $work"
    fi
    exec {lock}>"$work/lock"
    flock --nonblock "$lock"
}

# guard: ends everything as soon as this script is gone, unless it says `keep` before. It reads
# from a pipe that only this script holds open, so that even SIGKILL does not escape it.
guard() {
    exec {lifeline}> >(
        trap '' INT TERM HUP
        read -r word || true
        [[ $word == keep ]] || end_all
    )
    guardian=$!
    trap on_exit EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

on_exit() {
    local status=$?
    trap '' INT TERM HUP
    if ((status > 128)) && [[ -z $reported ]]; then
        progress_ends
        printf '%s: interrupted at "%s"\n' "$program" "$current_step" >&2
    elif ((status > 0)) && [[ -z $reported ]]; then
        progress_ends
        printf '%s: failed at "%s" (logs: %s)\n' "$program" "$current_step" "$work/log" >&2
    fi
    exec {lifeline}>&-
    { wait "$guardian"; } 2>/dev/null || true
}

# keep: lets what runs run on after the end of this script.
keep() {
    echo keep >&"$lifeline"
}

# launch NAME COMMAND...: starts a program in the background. The command is noted, so that it can be started again.
launch() {
    local name=$1
    shift
    mkdir -p "$work/commands"
    printf '%q ' "$@" >"$work/commands/$name"
    setsid -- "$@" </dev/null >>"$work/log/$name.log" 2>&1 {lifeline}>&- &
    echo "$! $(born $!)" >"$work/run/$name"
}

# attempt NAME COMMAND...: runs a program to its end, showing the last line of its log meanwhile.
# Fails if the program does.
attempt() {
    local name=$1 log="$work/log/$1.log" process shown=$SECONDS line last=
    launch "$@"
    process=$!
    while alive "$name"; do
        line=$(tail -n1 "$log" | tr -d '\r')
        [[ $line == "$last" ]] || progress "$line"
        last=$line
        if [[ ! -t 1 ]] && ((SECONDS - shown >= 20)); then
            shown=$SECONDS
            detail "... ${line:0:70}"
        fi
        sleep 0.1
    done
    progress_ends
    rm "$work/run/$name"
    wait "$process"
}

# complete NAME COMMAND...: the same, for a step that has to succeed.
complete() {
    attempt "$@" || fail "$(reason "$work/log/$1.log")"
}

# logged NAME COMMAND...: runs a short command.
logged() {
    local log="$work/log/$1.log"
    "${@:2}" </dev/null >>"$log" 2>&1 || fail "$(reason "$log")"
}

# await NAME COMMAND...: waits until the command succeeds, as long as the process NAME lives.
await() {
    local name=$1 deadline=$((SECONDS + patience))
    shift
    until "$@"; do
        alive "$name" || fail "$name has ended: $(reason "$work/log/$name.log")"
        ((SECONDS < deadline)) || fail "$name is not ready: $(reason "$work/log/$name.log")"
        progress "waiting for $name"
        sleep 0.1
    done
    progress_ends
}

# soon COMMAND...: whether it succeeds within the time that a process has to be ready.
soon() {
    local deadline=$((SECONDS + patience))
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        progress "waiting for: $*"
        sleep 0.1
    done
    progress_ends
}

# outlast NAME TEXT: waits until a process has ended by itself, and shows the text meanwhile.
outlast() {
    while alive "$1"; do
        progress "$2"
        sleep 0.1
    done
    progress_ends
    rm -f "$work/run/$1"
}

# send SIGNAL NAME: signals a process that still runs.
send() {
    local process
    if alive "$2"; then
        read -r process _ <"$work/run/$2"
        kill -s "$1" -- "-$process" 2>/dev/null || true
    fi
}

# slay NAME: kills it, and hears of its end, so that the shell does not tell of it.
slay() {
    local process
    read -r process _ <"$work/run/$1"
    send KILL "$1"
    { wait "$process"; } 2>/dev/null || true
}

# alive NAME: whether it runs. The time of its start tells it from a later process of that number; it
# has none if it ended before that could be noted.
alive() {
    local process start
    [[ -e $work/run/$1 ]] && read -r process start <"$work/run/$1" &&
        [[ -n $start && $(born "$process") == "$start" ]]
}

# listening PORT: whether somebody accepts connections there.
listening() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# born PROCESS: when it was started, in ticks since boot; nothing if it has ended.
born() {
    local stat fields
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
    read -ra fields <<<"${stat##*) }"
    if [[ ${fields[0]} != Z ]]; then
        echo "${fields[19]}" # field 22 of proc(5)
    fi
}

# stop: ends what was left running.
stop() {
    if claim; then
        end_all # what a crash of the machine left
        echo "$program: it was not running"
    else
        end_all
        flock --timeout "$patience" "$lock" || fail "something of it still runs"
        echo "$program: stopped"
    fi
}

# new_place: makes `place`, a directory that other users reach, too. Its path is short, for sockets'
# sake. It is removed at the end.
new_place() {
    place=$(mktemp -d "/tmp/pgseal-$program.XXXXXX")
    echo "$place" >"$work/place"
    chmod 711 "$place"
}

# end_all: ends what runs, and removes what it wrote. Logs stay.
end_all() {
    local names=() name written deadline=$((SECONDS + patience))
    for name in "$work"/run/*; do
        [[ -e $name ]] && names+=("${name##*/}")
    done
    for name in "${names[@]}"; do
        case $name in
        database-*) send QUIT "$name" ;; # its data is thrown away: no need to write it out
        patroni-*) slay "$name" ;;       # it would wait for its store, which ends, too
        *) send TERM "$name" ;;
        esac
    done
    for name in "${names[@]}"; do
        while alive "$name"; do
            ((SECONDS < deadline)) || send KILL "$name"
            sleep 0.05
        done
    done
    for name in "${undo[@]}"; do
        "$name"
    done
    if [[ -e $work/place ]]; then
        written=$(<"$work/place")
        [[ $written == */pgseal-*.?????? ]] && rm -rf -- "$written"
    fi
    rm -rf -- "$work"/{run,commands,keys,ca,certs,place} "$work"/*.toml
}
