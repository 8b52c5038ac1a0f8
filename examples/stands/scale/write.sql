\set id random(1, 500)
UPDATE people SET note = :envelope WHERE id = :id;
