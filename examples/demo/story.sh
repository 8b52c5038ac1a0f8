# shellcheck shell=bash
# What the demo shows on its stand, in order. Needs stand.sh and proofs.sh.

# The proof that --sabotage makes fail.
opens_with_its_tag="zone mode on: Python reads it beside its zone's tag, through the replica's chain"

# The zones of the example with zones: what Python writes is sealed to a, what Rust writes to b.
zone_a='' zone_b=''

show_psql() {
    local address create made listed
    address="postgres://postgres:test@localhost:${port[connector_primary]}/postgres?sslmode=disable"
    create="CREATE DATABASE \"TEST\" WITH OWNER=\"postgres\" TEMPLATE=template0 ENCODING='UTF-8';"

    step "psql through the connector"
    show_command "psql $address <<<'$create'"
    made=$(timeout "$patience" "$postgres/psql" --no-psqlrc "$address" <<<"$create" 2>&1) || true
    detail "$made"
    show_command "psql $address --command='\\l'"
    listed=$(timeout "$patience" "$postgres/psql" --no-psqlrc "$address" --command='\l' 2>&1) || true
    detail "$(grep -E '^ *Name|TEST' <<<"$listed" || printf '%s' "$listed")"
    listed=$(sed -n 's/^ *\(TEST\) *| *\(postgres\) *| *\(UTF8\) .*/\1 \2 \3/p' <<<"$listed")
    proof "psql through the connector makes a database, and lists it" \
        "$(lines "CREATE DATABASE" "TEST postgres UTF8")" "$(lines "$made" "$listed")"
}

show_without_zones() {
    local table=test_example_without_zone head data="some data #1" second="some data #2"
    head=$(without_zone id data raw_data)

    step "Without zones: write through the primary's chain, read through the replica's"
    application python primary example_without_zone --data="$data"
    proof "Python writes a value, sealed" "insert data: $data" "$output"
    replayed
    application python replica example_without_zone --print
    proof "Python reads it through the replica's chain" \
        "$(lines "$head" "$(without_zone 1 "$data" "$data")")" "$output"
    show_stored $table 1 "$data"
    proof "both databases hold an envelope of it, 92 bytes" \
        "$(lines "f5706773 92" "f5706773 92")" "$(lines "$(shape primary $table 1)" "$(shape replica $table 1)")"

    application rust primary example_without_zone --data="$second"
    replayed
    application rust replica example_without_zone --print
    proof "Rust reads Python's value and its own, through the replica's chain" \
        "$(lines "$head" "$(without_zone 1 "$data" "$data")" "$(without_zone 2 "$second" "$second")")" \
        "$output"
}

# show_with_zones [--sabotage]
show_with_zones() {
    local table=test_example_with_zone head data="some data" sealed tag
    head=$(with_zone id zone data raw_data)
    sealed=$(still_sealed "$data")

    step "With zones, zone mode off"
    application python primary example_with_zone --data="$data"
    zone_a=$(sed -n 's/^zone: //p' <<<"$output")
    proof "Python writes a value, sealed to a new zone" \
        "$(lines "data: $data" "zone: $zone_a")" "$output"
    replayed
    application python replica example_with_zone --print --zone_id="$zone_a"
    proof "zone mode off: a zone's value stays sealed, with its tag too" \
        "$(with_zone 1 "$zone_a" "$sealed" "$data")" "$(tail -n1 <<<"$output")"

    step "With zones, zone mode on"
    set_zone_mode on
    tag=$zone_a
    [[ ${1:-} != --sabotage ]] || tag=$(another_zone)
    application python replica example_with_zone --print --zone_id="$tag"
    proof "$opens_with_its_tag" \
        "$(lines "use zone_id:  $tag" "$head" "$(with_zone 1 "$zone_a" "$data" "$data")")" "$output"
    application rust primary example_with_zone --data="$data"
    zone_b=$(sed -n 's/^zone: //p' <<<"$output")
    replayed
    application rust replica example_with_zone --print --zone_id="$zone_b"
    proof "zone mode on: Rust's opens beside its own tag, Python's does not" \
        "$(lines "use zone_id:  $zone_b" "$head" "$(with_zone 1 "$zone_a" "$sealed" "$data")" \
            "$(with_zone 2 "$zone_b" "$data" "$data")")" "$output"
    show_stored $table 1 "$data (beside the tag $zone_a)"
    proof "zone mode on: a zone's value stays sealed without a tag" \
        "\\x$(stored replica $table 1)" "$(sql connector_replica "SELECT data FROM $table WHERE id = 1")"
    application python replica example_without_zone --print
    proof "zone mode on: a client's value stays sealed" \
        "$(without_zone 1 "$(still_sealed "some data #1")" "some data #1")" "$(sed -n 2p <<<"$output")"

    step "With and without zones, zone mode mixed"
    set_zone_mode mixed
    application python replica example_with_zone --print --zone_id="$zone_a"
    proof "zone mode mixed: a zone's value opens beside its tag" \
        "$(with_zone 1 "$zone_a" "$data" "$data")" "$(sed -n 3p <<<"$output")"
    application rust replica example_without_zone --print
    proof "zone mode mixed: a client's value opens" \
        "$(without_zone 1 "some data #1" "some data #1")" "$(sed -n 2p <<<"$output")"
}

show_refusals() {
    local zone=test_example_with_zone client=test_example_without_zone answer

    step "Those who may not"
    detail "client other (${port[connector_other]}) asks for what was sealed for client app, in zone mode mixed"
    proof "another client opens no value of this one" "\\x$(stored replica $client 1)" \
        "$(sql connector_other "SELECT data FROM $client WHERE id = 1")"
    proof "another client opens no value of a zone that is not its own" "$zone_a|\\x$(stored replica $zone 1)" \
        "$(sql connector_other "SELECT zone_id, data FROM $zone WHERE id = 1")"

    answer=$(PGSSLMODE=require sql server_primary "SELECT 1" 2>&1) || true
    detail "psql at the server ${port[server_primary]}, without a certificate: $(tail -n1 <<<"$answer")"
    proof "without a certificate, nobody gets through a server" "certificate required" \
        "$(grep -o "certificate required" <<<"$answer")"
}

# show_nothing_in_clear: looks for a value that was stored sealed only; and, to know that it would
# be found, for one that was stored in clear.
show_nothing_in_clear() {
    local secret clear envelopes node part
    secret=secret-$(random) clear=clear-$(random)

    step "Look for a marked value in all that the databases and the programs have written"
    envelopes=$(seal "$secret" "$zone_a")
    sql connector_primary "CREATE TABLE demo_marked (zone_id text, data bytea, clear text);
        INSERT INTO demo_marked
        SELECT '$zone_a', decode(envelope, 'hex'), '$clear'
        FROM unnest(string_to_array('$envelopes', E'\n')) AS envelope"
    sql primary CHECKPOINT
    replayed
    sql replica CHECKPOINT
    proof "a marked value, sealed to client and zone, opens through the replica's chain" \
        "$(lines "$zone_a|$(hex "$secret")" "$zone_a|$(hex "$secret")")" \
        "$(sql connector_replica "SELECT zone_id, data FROM demo_marked")"
    proof "its plaintext is nowhere in the databases' files, their WAL, and all logs" \
        "" "$(files_with "$secret" "$databases/primary" "$databases/replica" "$work/log")"
    for node in primary replica; do
        for part in base pg_wal; do
            proof "what was stored in clear beside it is found: $node, $part" "found" \
                "$([[ -n $(files_with "$clear" "$databases/$node/$part") ]] && echo found)"
        done
    done
}

# another_zone: the id of a new zone, asked for as Acra's applications do.
another_zone() {
    http "${port[api_primary]}" /getNewZone | sed -n 's/.*"id":"\([^"]*\)".*/\1/p'
}

random() { head -c 8 /dev/urandom | od -An -tx1 | tr -d ' \n'; }

# seal VALUE ZONE: two envelopes of a value in hex, one for client app, one for the zone.
seal() {
    "$python" - "http://127.0.0.1:${port[api_primary]}" "$@" <<'END'
import sys

import pgseal

api, value, zone = sys.argv[1:]
connector = pgseal.Connector(api)
for recipient in (connector.client(), connector.zone(zone)):
    print(pgseal.Sealer(recipient).seal(value.encode()).hex())
END
}

# files_with VALUE DIRECTORY...: the files that hold a value as it is or in hex.
files_with() {
    local value=$1 in_hex
    shift
    in_hex=$(hex "$value")
    grep --recursive --text --files-with-matches --fixed-strings --ignore-case \
        --regexp="$value" --regexp="${in_hex#\\x}" "$@" 2>/dev/null || true
}
