# shellcheck shell=bash
# What the demo shows on its stand, in order. Needs stand.sh and proofs.sh.

# The proof that --sabotage makes fail.
opens_with_its_tag="zone mode on: Python's value opens beside its zone's tag"

# The zones of the example with zones: Python's value is sealed to a, Rust's to b.
zone_a='' zone_b=''

show_psql() {
    step "psql through the connector"
    prove_psql "postgres://postgres:test@localhost:${port[connector_primary]}/postgres?sslmode=disable"
}

show_without_zones() {
    local table=test_example_without_zone data="some data #1" second="some data #2" head written
    head=$(without_zone id data raw_data)

    step "Without zones: write through the primary's chain, read through the replica's"
    application python primary example_without_zone --data="$data"
    written=$output
    replayed
    application python replica example_without_zone --print
    proof "without zones: Python's value opens through the replica" \
        "$(lines "insert data: $data" "$head" "$(without_zone 1 "$data" "$data")")" \
        "$(lines "$written" "$output")"

    show_stored $table 1 "$data"
    proof "both databases hold an envelope of it" \
        "$(lines "f5706773... 92 bytes" "f5706773... 92 bytes")" \
        "$(lines "$(stored_shape primary $table 1)" "$(stored_shape replica $table 1)")"

    application rust primary example_without_zone --data="$second"
    written=$output
    replayed
    application rust replica example_without_zone --print
    proof "without zones: Rust's value and Python's open for Rust" \
        "$(lines "insert data: $second" "$head" "$(without_zone 1 "$data" "$data")" \
            "$(without_zone 2 "$second" "$second")")" \
        "$(lines "$written" "$output")"
}

# show_with_zones [--sabotage]
show_with_zones() {
    local table=test_example_with_zone data="some data" head sealed tag
    head=$(with_zone id zone data raw_data)
    sealed=$(still_sealed "$data")

    step "With zones, zone mode off"
    application python primary example_with_zone --data="$data"
    zone_a=$(sed -n 's/^zone: //p' <<<"$output")
    replayed
    application python replica example_with_zone --print --zone_id="$zone_a"
    proof "zone mode off: a zone's value stays sealed" \
        "$(with_zone 1 "$zone_a" "$sealed" "$data")" "$(line 3)"

    step "With zones, zone mode on"
    set_zone_mode on
    tag=$zone_a
    [[ ${1:-} != --sabotage ]] || tag=$(another_zone)
    application python replica example_with_zone --print --zone_id="$tag"
    proof "$opens_with_its_tag" \
        "$(lines "use zone_id:  $tag" "$head" "$(with_zone 1 "$zone_a" "$data" "$data")")" "$output"
    show_stored $table 1 "$(line 3 | sed 's/^1 *- [^ ]* - \(.*\) - .*/\1/')"

    application rust primary example_with_zone --data="$data"
    zone_b=$(sed -n 's/^zone: //p' <<<"$output")
    replayed
    application rust replica example_with_zone --print --zone_id="$zone_b"
    proof "zone mode on: Rust's value opens beside its zone's tag" \
        "$(with_zone 2 "$zone_b" "$data" "$data")" "$(line 4)"
    proof "zone mode on: a value stays sealed beside another zone's tag" \
        "$(with_zone 1 "$zone_a" "$sealed" "$data")" "$(line 3)"
    query connector_replica "SELECT data FROM $table WHERE id = 1"
    proof "zone mode on: a value stays sealed without a tag" "\\x$(stored replica $table 1)" "$output"
    application python replica example_without_zone --print
    proof "zone mode on: a client's value stays sealed" \
        "$(without_zone 1 "$(still_sealed "some data #1")" "some data #1")" "$(line 2)"

    step "With and without zones, zone mode mixed"
    set_zone_mode mixed
    application python replica example_with_zone --print --zone_id="$zone_a"
    proof "zone mode mixed: a zone's value opens beside its tag" \
        "$(with_zone 1 "$zone_a" "$data" "$data")" "$(line 3)"
    application rust replica example_without_zone --print
    proof "zone mode mixed: a client's value opens" \
        "$(without_zone 1 "some data #1" "some data #1")" "$(line 2)"
}

# another_zone: the id of a new zone, asked for as Acra's applications do.
another_zone() {
    http "${port[api_primary]}" /getNewZone | sed -n 's/.*"id":"\([^"]*\)".*/\1/p'
}

show_refusals() {
    local zone=test_example_with_zone client=test_example_without_zone

    step "Those who may not, in zone mode mixed"
    detail "client other, whose connector is ${port[connector_other]}, asks for values of client app:"
    query connector_other "SELECT data FROM $client WHERE id = 1"
    proof "another client does not open a client's value" "\\x$(stored replica $client 1)" "$output"
    query connector_other "SELECT zone_id, data FROM $zone WHERE id = 1"
    proof "another client does not open a zone's value" "$zone_a|\\x$(stored replica $zone 1)" "$output"

    detail "without a certificate, straight at the server ${port[server_primary]}:"
    PGSSLMODE=require query server_primary "SELECT 1"
    proof "without a certificate nobody gets through a server" "certificate required" \
        "$(grep -o "certificate required" <<<"$output")"
}

# show_nothing_in_clear: looks for a value that was stored sealed only; and, to know that it would
# be found, for one that was stored in clear beside it.
show_nothing_in_clear() {
    local secret clear envelopes node part found=()
    secret=secret-$(random) clear=clear-$(random)

    step "Look for a marked value in all that the databases and the programs have written"
    envelopes=$(seal "http://127.0.0.1:${port[api_primary]}" "$secret" "$zone_a")
    sql connector_primary "CREATE TABLE demo_marked (zone_id text, data bytea, clear text);
        INSERT INTO demo_marked
        SELECT '$zone_a', decode(envelope, 'hex'), '$clear'
        FROM unnest(string_to_array('$envelopes', E'\n')) AS envelope"
    sql primary CHECKPOINT
    replayed
    sql replica CHECKPOINT
    query connector_replica "SELECT zone_id, data FROM demo_marked"
    proof "a marked value, sealed to client and to zone, opens through the replica" \
        "$(lines "$zone_a|\\x$(hex "$secret")" "$zone_a|\\x$(hex "$secret")")" "$output"
    proof "its plaintext is nowhere in database files, WAL and logs" "" \
        "$(files_with "$secret" "$databases/primary" "$databases/replica" "$work/log")"
    for node in primary replica; do
        for part in base pg_wal; do
            [[ -z $(files_with "$clear" "$databases/$node/$part") ]] || found+=("$node/$part")
        done
    done
    proof "what was stored in clear beside it is found there" \
        "primary/base primary/pg_wal replica/base replica/pg_wal" "${found[*]}"
}
