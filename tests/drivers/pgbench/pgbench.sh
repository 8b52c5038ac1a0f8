#!/usr/bin/env bash
# pgbench: its own scripts in all protocols, with pipelines and several sessions at once.
# What the program is given, and what it says of its checks: see ../README.md.
set -euo pipefail

main() {
    pgbench --version | sed "s/ (PostgreSQL)//; s/ (.*//"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # As text the card's number is a number to pgbench.
    export PGOPTIONS="-c bytea_output=escape -c statement_timeout=20s"
    export PGCONNECT_TIMEOUT=20

    psql -qX "$CHAIN_URL" -c "CREATE TABLE cards (id serial PRIMARY KEY, sealed bytea, clear bytea)"
    large_object=$(
        psql -qXAt "$CHAIN_URL" <<<"\\lo_import '$VALUES/large.sealed'"$'\n\\echo :LASTOID'
    )
    local protocol
    for protocol in simple extended prepared; do
        rows >"$work/rows"
        bench "$protocol" 4 20 rows
        echo "$protocol: rows written, read and rolled back"
        large "$protocol" >"$work/large"
        bench "$protocol" 1 1 large
        echo "$protocol: large"
        [[ $protocol != simple ]] || continue
        pipeline >"$work/pipeline"
        bench "$protocol" 4 10 pipeline
        echo "$protocol: a pipeline"
    done
    echo "$(stored) rows are stored, all sealed"
}

# bench PROTOCOL SESSIONS TRANSACTIONS SCRIPT: a script that fails ends pgbench with an error.
bench() {
    pgbench --protocol="$1" --client="$2" --jobs=2 --transactions="$3" --no-vacuum \
        --file="$work/$4" --random-seed=1 "$CHAIN_URL" >"$work/log" 2>&1 ||
        { cat "$work/log" >&2 && false; }
}

# rows: writes values and reads them, in a transaction with a savepoint.
rows() {
    cat <<END_OF_SCRIPT
\\set card $(<"$VALUES/card.plain")
BEGIN;
INSERT INTO cards (sealed, clear) VALUES ($(literal card), '') RETURNING id, sealed AS back \\gset
\\if :back <> :card
    SELECT 'a value came back otherwise' / 0;
\\endif
SELECT sealed AS number FROM cards WHERE id = :id \\gset
\\if :number <> :card
    SELECT 'a value was read otherwise' / 0;
\\endif
INSERT INTO cards (sealed, clear) VALUES ($(literal empty), NULL), (NULL, '');
SAVEPOINT before;
DELETE FROM cards WHERE id = :id;
ROLLBACK TO before;
COMMIT;
BEGIN;
INSERT INTO cards (sealed) VALUES ($(literal bytes)) RETURNING sealed;
ROLLBACK;
END_OF_SCRIPT
}

# pipeline: sends several statements before it reads.
pipeline() {
    cat <<END_OF_SCRIPT
\\startpipeline
BEGIN;
INSERT INTO cards (sealed) VALUES ($(literal card)), ($(literal bytes)), (NULL) RETURNING *;
SELECT sealed FROM cards ORDER BY id LIMIT 10;
COMMIT;
SELECT sealed FROM cards ORDER BY id DESC LIMIT 1;
\\endpipeline
SELECT sealed AS number FROM cards WHERE clear = '' AND sealed IS NOT NULL LIMIT 1 \\gset
\\if :number <> $(<"$VALUES/card.plain")
    SELECT 'a value was read otherwise, behind a pipeline' / 0;
\\endif
END_OF_SCRIPT
}

# large PROTOCOL: takes 8 MB into a variable, which is text in a simple query and else a parameter.
large() {
    local quote=""
    [[ $1 != simple ]] || quote="'"
    cat <<END_OF_SCRIPT
SET bytea_output = hex;
INSERT INTO cards (sealed) SELECT lo_get($large_object) RETURNING id, sealed AS large \\gset
SELECT length(${quote}:large${quote}::text) AS digits \\gset
\\if :digits <> $((2 * $(stat --format=%s "$VALUES/large.plain") + 2))
    SELECT 'the large value came back otherwise' / 0;
\\endif
DELETE FROM cards WHERE id = :id;
END_OF_SCRIPT
}

# literal NAME: a sealed value in SQL.
literal() {
    printf "'\\\\x%s'" "$(od -An -v -tx1 "$VALUES/$1.sealed" | tr -d ' \n')"
}

# stored: counts what is in the database, and fails unless all of it is as it was written.
stored() {
    psql -qXAt -v ON_ERROR_STOP=1 "$DIRECT_URL" <<END_OF_SCRIPT
SELECT count(*) / (NOT coalesce(bool_or(
    sealed NOT IN ($(literal card), $(literal empty), $(literal bytes))), true))::int FROM cards;
END_OF_SCRIPT
}

main
