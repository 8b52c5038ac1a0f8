// node-postgres: queries simple, with parameters and prepared, queued without waiting, by callback,
// and cursors; in text, for it makes text of binary fields too. What the program is given, and what
// it says of its checks: see ../README.md.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { isDeepStrictEqual } = require("node:util");
const { Client, Pool } = require("pg");
const Cursor = require("pg-cursor");

const { CHAIN_URL, DIRECT_URL, VALUES } = process.env;
const INSERT = "INSERT INTO cards VALUES ($1, $2, $3)";
const SELECT = "SELECT name, sealed, clear FROM cards ORDER BY name";
const LIMITS = { connectionTimeoutMillis: 20_000, query_timeout: 20_000 };

const row = (name, kind) => ({
  name,
  sealed: fs.readFileSync(path.join(VALUES, `${name}.${kind}`)),
  clear: Buffer.alloc(0),
});
const rows = (kind) => [
  ...["bytes", "card", "empty", "long"].map((name) => row(name, kind)),
  { name: "null", sealed: null, clear: null },
];
const written = rows("sealed");
const read = rows("plain");

function check(passed, what) {
  assert.ok(passed, `not so: ${what}`);
  console.log(what);
}

function same(found, expected, what) {
  // Rows are objects without a prototype of their own.
  const plain = found.map((one) => ({ ...one }));
  check(isDeepStrictEqual(plain, expected), what);
}

async function writes(client) {
  await client.query("BEGIN");
  for (const one of written) {
    await client.query(INSERT, Object.values(one));
  }
  await client.query("COMMIT");
  same((await client.query(SELECT)).rows, read, "a simple query");
  await client.query("TRUNCATE cards");
  const back = [];
  for (const one of written) {
    const query = { name: "insert", text: `${INSERT} RETURNING *`, values: Object.values(one) };
    back.push(...(await client.query(query)).rows);
  }
  same(back, read, "prepared, returned");
}

async function reads(client) {
  const where = SELECT.replace("ORDER", "WHERE name > $1 ORDER");
  same((await client.query(where, [""])).rows, read, "parameters");
  for (const time of ["first", "second"]) {
    const named = { name: "select", text: SELECT };
    same((await client.query(named)).rows, read, `a named statement, the ${time} time`);
  }
  const arrays = await client.query({ text: SELECT, rowMode: "array" });
  assert.deepEqual(arrays.rows, read.map(Object.values));
  check(true, "rows as arrays");
  const results = await client.query(`SELECT 1; ${SELECT}; SELECT 2`);
  same(results[1].rows, read, "the second of three statements");
  await client.query("SET bytea_output = escape");
  same((await client.query(SELECT)).rows, read, "escape format");
  await client.query("RESET bytea_output");
}

async function queued(client) {
  // Nobody waits: the client sends each query when the one before has ended.
  const all = await Promise.allSettled([
    client.query(SELECT),
    client.query("SELECT 1 / 0"),
    client.query(SELECT, []),
  ]);
  same(all[0].value.rows, read, "queued, before an error");
  check(all[1].reason.code === "22012", "queued, the error");
  same(all[2].value.rows, read, "queued, behind the error");
  const result = await new Promise((resolve, reject) => {
    client.query(SELECT, (error, value) => (error ? reject(error) : resolve(value)));
  });
  same(result.rows, read, "by callback");
}

async function transactions(client) {
  await client.query("BEGIN");
  await client.query("UPDATE cards SET sealed = NULL");
  await client.query("ROLLBACK");
  same((await client.query(SELECT)).rows, read, "rolled back");
  await client.query("BEGIN");
  await client.query("SAVEPOINT before");
  await client.query("DELETE FROM cards");
  await assert.rejects(client.query("SELECT 1 / 0"));
  await client.query("ROLLBACK TO before");
  await client.query("COMMIT");
  same((await client.query(SELECT)).rows, read, "rolled back to a savepoint");
}

async function cursors(client) {
  const cursor = client.query(new Cursor(SELECT));
  same(await cursor.read(2), read.slice(0, 2), "a cursor, two rows");
  same(await cursor.read(1), read.slice(2, 3), "a cursor, one row");
  same(await cursor.read(100), read.slice(3), "a cursor, the rest");
  same(await cursor.read(1), [], "a cursor, the end");
  const closed = client.query(new Cursor(SELECT));
  await closed.read(1);
  await closed.close();
  same((await client.query(SELECT)).rows, read, "behind a cursor that was closed early");
}

async function large(client) {
  await client.query("BEGIN");
  await client.query(INSERT, Object.values(row("large", "sealed")));
  const found = await client.query("SELECT * FROM cards WHERE name = $1", ["large"]);
  same(found.rows, [row("large", "plain")], "large");
  await client.query("ROLLBACK");
}

async function main() {
  console.log(`node-postgres ${require("pg/package.json").version}, node ${process.versions.node}`);
  const client = new Client({ connectionString: CHAIN_URL, ...LIMITS });
  await client.connect();
  await client.query("CREATE TABLE cards (name text PRIMARY KEY, sealed bytea, clear bytea)");
  for (const step of [writes, reads, queued, transactions, cursors, large]) {
    await step(client);
  }
  await client.end();

  const pool = new Pool({ connectionString: CHAIN_URL, max: 4, ...LIMITS });
  const many = await Promise.all(Array.from({ length: 12 }, () => pool.query(SELECT)));
  many.forEach((result) => assert.deepEqual(result.rows.map((one) => ({ ...one })), read));
  check(true, "twelve at once, in a pool of four");
  await pool.end();

  const direct = new Client({ connectionString: DIRECT_URL, ...LIMITS });
  await direct.connect();
  same((await direct.query(SELECT)).rows, written, "the database has it sealed");
  await direct.end();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
