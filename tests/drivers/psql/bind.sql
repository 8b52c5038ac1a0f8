-- Parameters, which psql has since version 16.

select sealed from cards where name = $1 \bind card \g
begin;
insert into cards values ($1, decode($2, 'hex'), $3) returning name, sealed, clear
    \bind bound :card_sealed '' \g
rollback;
