# shellcheck shell=bash
# What stands under Patroni prove alike. Needs patroni.sh, writes.sh, asking.sh; of the stand, `rw` and `ro`, the
# options of an example application that writes, and of one that reads, and come_back HOST, which starts all
# that runs there again.

opens="what was written opens"
sealed="every node holds it sealed"
another_leads="the leader is lost: another node leads"
comes_back="the leader is lost: it comes back as a replica, by pg_rewind"

# tell_patroni PATH: what Patroni's REST API answers, as one would ask it.
tell_patroni() {
    show_command "exec ${nodes[0]} curl -s http://localhost:8008$1 | python3 -m json.tool"
    detail "$(patroni_tells "${nodes[0]}" "$1" | python3 -m json.tool --compact | sed 's/},/},\n /g')"
}

# show_sealing: the example application's row, written and read, and looked at past pgseal.
show_sealing() {
    local table=test_example_without_zone data="some data #1" node written found=() wanted=()
    step "Write a sealed value, and read it, $variant"
    if [[ $sabotage == unsealed ]]; then
        query 9494 "CREATE TABLE $table (id serial, data bytea, raw_data text)"
        query 9494 "INSERT INTO $table (data, raw_data) VALUES ('$data', '$data')"
        output="insert data: $data"
    else
        application example_without_zone "${rw[@]}" --data="$data"
    fi
    written=$output
    replayed
    node=$(replicas | head -n1)
    [[ $sabotage != past-pgseal ]] || ro=(--host="$node" --port=5432)
    application example_without_zone "${ro[@]}" --print
    proof "$opens" \
        "$(lines "insert data: $data" "$(without_zone id data raw_data)" "$(without_zone 1 "$data" "$data")")" \
        "$(lines "$written" "$output")"
    application example_without_zone --host="$node" --port=5432 --print
    for node in "${nodes[@]}"; do
        wanted+=("f5706773... 92 bytes")
        found+=("$(shape "$(stored "$node" $table)")")
    done
    proof "$sealed" "$(lines "${wanted[@]}")" "$(lines "${found[@]}")"
}

# lose: the leader's host, with all that runs on it, while writers write. It comes back. What was accepted and
# lost is left in `lost`.
lose() {
    local before after='' log rewound
    step "Lose the leader while writers write, $variant"
    before=$(leader)
    log=$work/log/patroni-$before.log
    [[ $sabotage != paused ]] || order "$before" pause --wait
    show_writes "the leader is lost" lose_leader
    proof "$another_leads" "another" "${after:+another}"
    [[ -n $after ]] || return 0
    tell_lost

    step "It comes back, $variant"
    if [[ $sabotage != stays-away ]]; then
        come_back "$before"
        soon whole || true
    fi
    order "$after" list
    rewound=$(grep -o 'pg_rewind exit code=.*' "$log" || true)
    proof "$comes_back" "replica, pg_rewind exit code=0" \
        "$(streams "$before" && echo replica), ${rewound##*$'\n'}"
    [[ $sabotage != stays-away ]] || return 0
    replayed
    proof "the leader is lost: back again, it has what was written meanwhile" \
        "$(written_on "$after")" "$(written_on "$before")"
}

lose_leader() {
    detail "$before is lost: all that runs there is killed"
    lose_host "$before"
    if soon other_leads "$before"; then
        after=$(leader)
        detail "$after leads"
    fi
}

# written_on HOST: all that writers wrote, in a word.
written_on() {
    sql "$1" "SELECT count(*), md5(string_agg(way || number || data::text, '' ORDER BY way, number)) FROM writes"
}
