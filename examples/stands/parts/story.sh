# shellcheck shell=bash
# What the stands of a primary and its replica prove, in order, and in each variant. Needs fleet.sh and
# asking.sh, and where a stand does not have a story of its own page.sh and sessions.sh; of the stand, `rw` and
# `ro`, the options of an example application that writes, and of one that reads, and show_particulars, which
# proves what it alone does.

leads_there="RW leads to the primary, RO to the replica"
opens_through_ro="what was written through RW opens through RO"
sealed_in_databases="both databases hold it sealed"
switched_in_page="zone mode is switched on in the page"
opens_with_its_tag="zone mode on: a zone's value opens beside its tag"

story=(show_page show_ways show_psql show_without_zones show_with_zones show_refused_write show_sessions
    show_nothing_in_clear)

show_ways() {
    local writes
    step "Which database answers, $variant"
    show_particulars
    database_at 127.0.0.1 9494
    writes=$output
    database_at 127.0.0.1 9495
    proof "$leads_there" \
        "$(lines "pgsql-master, primary" "pgsql-slave, replica")" "$(lines "$writes" "$output")"
}

show_psql() {
    local within
    step "SQL as ever, $variant"
    at python-example
    as_application=("${within[@]}")
    prove_psql "postgres://postgres:test@localhost:9494/postgres?sslmode=disable"
}

show_without_zones() {
    local table=test_example_without_zone data="some data #1" head written
    head=$(without_zone id data raw_data)
    step "Without zones: write through RW, read through RO, $variant"
    if [[ $sabotage == unsealed ]]; then
        query 9494 "CREATE TABLE $table (id serial, data bytea, raw_data text)"
        query 9494 "INSERT INTO $table (data, raw_data) VALUES ('$data', '$data')"
        output="insert data: $data"
    else
        application example_without_zone "${rw[@]}" --data="$data"
    fi
    written=$output
    replayed
    [[ $sabotage != past-pgseal ]] || ro=(--host=pgsql-slave --port=5435)
    application example_without_zone "${ro[@]}" --print
    proof "$opens_through_ro" \
        "$(lines "insert data: $data" "$head" "$(without_zone 1 "$data" "$data")")" \
        "$(lines "$written" "$output")"

    detail "stored: $(stored pgsql-master $table | cut -c1-60)..."
    proof "$sealed_in_databases" "$(lines "f5706773... 92 bytes" "f5706773... 92 bytes")" \
        "$(lines "$(shape "$(stored pgsql-master $table)")" "$(shape "$(stored pgsql-slave $table)")")"
    application example_without_zone --host=pgsql-slave --port=5435 --print
    proof "past pgseal it stays sealed" "$(without_zone 1 "$(still_sealed "$data")" "$data")" "$(line 2)"
}

show_with_zones() {
    local data="some data" sealed tag
    sealed=$(still_sealed "$data")
    step "With zones, the zone mode switched while all runs, $variant"
    application example_with_zone "${rw[@]}" --data="$data"
    zone=$(sed -n 's/^zone: //p' <<<"$output")
    replayed
    application example_with_zone "${ro[@]}" --print --zone_id="$zone"
    proof "zone mode off: a zone's value stays sealed" "$(with_zone 1 "$zone" "$sealed" "$data")" "$(line 3)"

    switch_in_page on "$switched_in_page"
    [[ $output == *" on." ]] || return 0
    application example_with_zone "${rw[@]}" --data="$data"
    zone=$(sed -n 's/^zone: //p' <<<"$output")
    replayed
    tag=$zone
    if [[ $sabotage == wrong-tag ]]; then
        tag=$(call python-example http 9191 /getNewZone | sed -n 's/.*"id":"\([^"]*\)".*/\1/p')
    fi
    application example_with_zone "${ro[@]}" --print --zone_id="$tag"
    proof "$opens_with_its_tag" "$(with_zone 2 "$zone" "$data" "$data")" "$(line 4)"
    application example_with_zone "${rw[@]}" --print --zone_id="$tag"
    proof "$opens_with_its_tag, through RW too" "$(with_zone 2 "$zone" "$data" "$data")" "$(line 4)"
    application example_without_zone "${ro[@]}" --print
    proof "zone mode on: a client's value stays sealed" \
        "$(without_zone 1 "$(still_sealed "some data #1")" "some data #1")" "$(line 2)"

    switch_in_page off "zone mode is switched off in the page"
    application example_without_zone "${rw[@]}" --data="some data #2"
    replayed
    application example_without_zone "${ro[@]}" --print
    proof "zone mode off again: a client's values open" \
        "$(lines "$(without_zone 1 "some data #1" "some data #1")" "$(without_zone 2 "some data #2" "some data #2")")" \
        "$(lines "$(line 2)" "$(line 3)")"

    set_zone_mode mixed
    application example_with_zone "${ro[@]}" --print --zone_id="$zone"
    proof "zone mode mixed: a zone's value opens" "$(with_zone 2 "$zone" "$data" "$data")" "$(line 4)"
    application example_without_zone "${ro[@]}" --print
    proof "zone mode mixed: a client's value opens" \
        "$(without_zone 1 "some data #1" "some data #1")" "$(line 2)"
}

show_refused_write() {
    step "A write through RO, $variant"
    application example_without_zone "${ro[@]}" --data="some data #3"
    proof "a write through RO is refused by the replica" \
        "example_without_zone.py: this is a read-only replica; write through the primary's connector" \
        "$(line 1)"
}

# show_nothing_in_clear: looks for a value that was stored sealed only, and for one in clear.
show_nothing_in_clear() {
    local secret clear envelopes host found=()
    secret=secret-$(random) clear=clear-$(random)
    step "Look for a marked value in all that databases and programs have written, $variant"
    envelopes=$(seal http://127.0.0.1:9191 "$secret" "$zone")
    output=$(call python-example psql_at 127.0.0.1 9494 "CREATE TABLE marked (zone_id text, data bytea, clear text);
        INSERT INTO marked SELECT '$zone', decode(envelope, 'hex'), '$clear'
        FROM unnest(string_to_array('$envelopes', E'\n')) AS envelope" 2>&1) || detail "$output"
    sql pgsql-master CHECKPOINT
    replayed
    sql pgsql-slave CHECKPOINT
    output=$(call python-example psql_at 127.0.0.1 9495 "SELECT zone_id, data FROM marked" 2>&1) || true
    proof "a marked value, sealed to client and to zone, opens through RO" \
        "$(lines "$zone|\\x$(hex "$secret")" "$zone|\\x$(hex "$secret")")" "$output"
    proof "its plaintext is nowhere in databases' files, WAL and logs" "" \
        "$(files_with "$secret" "$place"/pgsql-*/data "$work/log")"
    for host in pgsql-master pgsql-slave; do
        [[ -z $(files_with "$clear" "$place/$host/data/base") ]] || found+=("$host")
    done
    proof "what was stored in clear beside it is found there" "pgsql-master pgsql-slave" "${found[*]}"
}
