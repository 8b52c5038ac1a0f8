# shellcheck shell=bash
# Load on all applications at once, and what it took. Of the stand it needs `seconds`, `workers`, `servers`,
# `connectors`, `apps`, `count` and `envelope`; needs fleet.sh.

# measure NAME [FUNCTION]: has workers work, and calls the function at half time. Leaves how many sessions were
# `lost`, connects `refused` and values `wrong`, and how they were `spread`; the rest is in the directory `load`.
measure() {
    local app within cpu values begun address=127.0.0.1:9494
    load=$work/load/$variant-$1
    rm -rf "$load"
    mkdir -p "$load"
    [[ $sabotage != past-pgseal ]] || address=pgsql:5432
    cpu=$(processor_time) values=$(values_opened) begun=$(sessions_begun)
    date +%s.%N >"$load/begun"
    for app in "${apps[@]}"; do
        at "$app"
        mkdir "$load/$app"
        launch "workers-$1-$app" "${within[@]}" "$python" "$PWD/$stand/workers.py" "$seconds" $((workers / count)) \
            "$address" "$load/$app" --protocol=prepared --define="envelope=$envelope" \
            --file="$PWD/$stand/read.sql@8" --file="$PWD/$stand/write.sql@2" test
    done
    for app in "${apps[@]}"; do
        await "workers-$1-$app" grep -q '^half' "$work/log/workers-$1-$app.log"
    done
    date +%s.%N >"$load/half"
    spread=$(spread_of "$begun" "$(sessions_begun)")
    [[ -z ${2:-} ]] || "$2"
    for app in "${apps[@]}"; do
        outlast "workers-$1-$app" "$workers sessions of pgbench work"
        tail -n1 "$work/log/workers-$1-$app.log" >"$load/$app.json"
    done
    paste -d ' ' <(echo "$cpu") <(processor_time) >"$load/cpu"
    echo "$values $(values_opened)" >"$load/values"
    complete "figures-$variant-$1" "$python" "$stand/figures.py" tell "$load"
    lost=$(figure lost) refused=$(figure refused) wrong=$(figure wrong)
    if ((lost + refused + wrong)); then
        detail "$wrong values wrong, $lost sessions lost, $refused connects refused; the last: $(figure met)"
    fi
}

# figure NAME: one of the figures of the last load.
figure() {
    awk -v name="$1 " 'index($0, name) == 1 { print substr($0, length(name) + 1) }' "$load/figures"
}

tell_figures() {
    local name
    for name in "transactions/s" "latency, ms: mean" "latency, ms: 95 %" "latency, ms: 99 %" "values opened" \
        "CPU of servers, µs a value" "CPU of servers, µs a transaction" "CPU of connectors, µs a transaction" \
        "CPU of PostgreSQL, µs a transaction"; do
        detail "$(printf '%-40s %s' "$name" "$(figure "$name")")"
        note "$name" "$(figure "$name")"
    done
}

# processor_time: of servers, connectors and database, in ticks since their start; a line each.
processor_time() {
    local name process ticks=0 line
    for name in servers connectors; do
        local -n members=$name
        ticks=0
        for line in "${members[@]}"; do
            read -r process _ <"$work/run/$line"
            ticks=$((ticks + $(ticks_of "$process")))
        done
        echo "$name $ticks"
    done
    ticks=0
    for process in $(ip netns pids "$network-pgsql"); do
        ticks=$((ticks + $(ticks_of "$process")))
    done
    echo "database $ticks"
}

# ticks_of PROCESS: what it has used, with its children that have ended.
ticks_of() {
    local stat fields
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || { echo 0 && return; }
    read -ra fields <<<"${stat##*) }"
    echo $((fields[11] + fields[12] + fields[13] + fields[14])) # fields 14 to 17 of proc(5)
}

# values_opened: by all servers.
values_opened() {
    local server
    for server in "${servers[@]}"; do
        call "$server" http 9090 /metrics
    done | awk '/^pgseal_server_values_opened_total/ { sum += $2 } END { print sum + 0 }'
}

# sessions_of SERVER: how many it has.
sessions_of() {
    call "$1" http 9090 /metrics | awk '$1 == "pgseal_server_sessions" { print $2 }'
}

# sessions_begun: how many each server has had.
sessions_begun() {
    local server
    for server in "${servers[@]}"; do
        call "$server" http 9090 /metrics | awk '$1 == "pgseal_server_sessions_started_total" { print $2 }'
    done
}

# spread_of BEFORE AFTER: whether servers got as many of the sessions between. Each connector takes them in turn, so
# that one of its may be over on each; pgbench has two for each worker, one after the other.
spread_of() {
    paste -d ' ' <(echo "$1") <(echo "$2") | awk -v over="$count" '{ got = $2 - $1 }
        NR == 1 || got < least { least = got }
        got > most { most = got }
        END { print (most - least <= over ? "evenly" : "from " least " to " most) }'
}

# has_all NUMBER: whether all servers of that connector get their full share of sessions by now: slow start takes a second.
has_all() {
    call "${apps[$1]}" http 9191 /v1/servers | "$python" -c 'import json, sys
servers = json.load(sys.stdin)["servers"]
sys.exit(not all(one["state"] in ("up", "unchecked") and one["state_for_ms"] >= 1000 for one in servers))'
}

# draw: all that was measured so far, as a plot.
draw() {
    complete plot "$python" "$stand/figures.py" draw "$work/load" "$work/scale.svg"
    detail "drawn: ${work#"$PWD/"}/scale.svg"
}
