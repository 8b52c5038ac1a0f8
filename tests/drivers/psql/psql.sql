-- psql: variables, \gset, \copy, large objects, FETCH_COUNT, and \bind where the version has it.
-- What the script is given, and what it says of its checks: see ../README.md.

\set QUIET on
\set ON_ERROR_STOP on
\pset format unaligned
\pset tuples_only on
\pset null (null)
set statement_timeout = '20s';
select 'psql ' || substring(:'VERSION' from '[0-9.]+');

-- Says what is as it should be, or ends the script.
create function must(passed bool, what text) returns text language plpgsql as $$
begin
    if passed is not true then raise 'not so: %', what; end if;
    return what;
end $$;

\set bytes_sealed `od -An -v -tx1 "$VALUES/bytes.sealed" | tr -d ' \n'`
\set bytes_plain `od -An -v -tx1 "$VALUES/bytes.plain" | tr -d ' \n'`
\set card_sealed `od -An -v -tx1 "$VALUES/card.sealed" | tr -d ' \n'`
\set card_plain `cat "$VALUES/card.plain"`
\set empty_sealed `od -An -v -tx1 "$VALUES/empty.sealed" | tr -d ' \n'`
\set large_plain `od -An -v -tx1 "$VALUES/large.plain" | tr -d ' \n'`
\getenv values VALUES
\set large :values '/large.sealed'

-- Written as literals, in a transaction; the large one by way of a large object.
create table cards (name text primary key, sealed bytea, clear bytea);
begin;
insert into cards values
    ('bytes', decode(:'bytes_sealed', 'hex'), ''),
    ('card', decode(:'card_sealed', 'hex'), ''),
    ('empty', decode(:'empty_sealed', 'hex'), ''),
    ('null', null, null);
\lo_import :large
\set large_object :LASTOID
insert into cards values ('large', lo_get(:large_object), '');
commit;

-- Read into variables, in both forms.
select sealed as bytes from cards where name = 'bytes' \gset
select must(:'bytes' = '\x' || :'bytes_plain', 'hex');
select sealed as empty, clear from cards where name = 'empty' \gset
select must(:'empty' = '\x' and :'clear' = '\x', 'empty values');
select sealed as large from cards where name = 'large' \gset
select must(:'large' = '\x' || :'large_plain', 'large');
set bytea_output = escape;
select sealed as card from cards where name = 'card' \gset
select must(:'card' = :'card_plain', 'escape format');
reset bytea_output;

-- Shown, as a user sees them: these lines are compared between the runs.
prepare small as select name, sealed, clear from cards where name <> 'large' order by name;
execute small;
\pset expanded on
execute small;
\pset expanded off
\set FETCH_COUNT 2
select name, sealed, clear from cards where name <> 'large' order by name;
\unset FETCH_COUNT
select sealed from cards where name = 'card' \gdesc
select format('select sealed from cards where name = %L', name)
    from cards where name <> 'large' order by name \gexec
select name, 'sealed', sealed from cards where name <> 'large' order by name \crosstabview

-- In a cursor of binary format even a simple query has binary rows.
set bytea_output = escape;
begin;
declare binary_rows binary cursor for select sealed from cards where name = 'card';
fetch all from binary_rows;
commit;
reset bytea_output;

-- Rolled back, and to a savepoint behind an error.
begin;
update cards set sealed = null;
rollback;
\set ON_ERROR_ROLLBACK on
\set ON_ERROR_STOP off
begin;
savepoint before;
delete from cards;
select 1 / 0;
rollback to before;
commit;
\set ON_ERROR_STOP on
\set ON_ERROR_ROLLBACK off
execute small;

-- Parameters.
select :VERSION_NUM >= 160000 as binds \gset
\if :binds
    \ir bind.sql
\endif

-- Copied in; copied out, values open.
create table copies (like cards);
\copy copies from program 'printf "card\\t\\\\\\\\x%s\\t\\n" "$(od -An -v -tx1 "$VALUES/card.sealed" | tr -d " \n")"'
select name, sealed, clear from copies;
\copy copies (sealed) to program 'test "$(cut -c 4-)" = "$(od -An -v -tx1 "$VALUES/card.plain" | tr -d " \n")"'
select 'copied out opened';

\getenv direct DIRECT_URL
\connect :direct
select must(sealed = decode(:'bytes_sealed', 'hex'), 'the database has it sealed')
    from cards where name = 'bytes';
select must(sealed = lo_get(:large_object), 'and the large one') from cards where name = 'large';
