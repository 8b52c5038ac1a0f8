\set id random(1, 500)
SELECT card, code FROM people WHERE id = :id \gset
\if :card <> 4000000000000000 + :id or :code <> :id
SELECT 1 / 0 AS it_is_another_rows;
\endif
