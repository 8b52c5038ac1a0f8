// Go's pgx: text and binary, the simple protocol, both caches of statements, batches, COPY.
// What the program is given, and what it says of its checks: see ../README.md.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgconn/stmtcache"
	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

const (
	insert  = "INSERT INTO cards VALUES ($1, $2, $3)"
	selects = "SELECT name, sealed, clear FROM cards ORDER BY name"
)

type row struct {
	name          string
	sealed, clear []byte
}

// Values to bind: in the simple protocol a nil slice would not be NULL.
func (row row) values() []interface{} {
	values := []interface{}{row.name, nil, nil}
	for i, field := range [][]byte{row.sealed, row.clear} {
		if field != nil {
			values[i+1] = field
		}
	}
	return values
}

// A way in which pgx asks: its protocol, what it knows of a statement, and the format of results.
type mode struct {
	name      string
	configure func(*pgx.ConnConfig)
	options   []interface{}
}

func modes() []mode {
	cache := func(mode int) func(*pgx.ConnConfig) {
		return func(config *pgx.ConnConfig) {
			config.BuildStatementCache = func(conn *pgconn.PgConn) stmtcache.Cache {
				return stmtcache.New(conn, mode, 100)
			}
		}
	}
	uncached := func(config *pgx.ConnConfig) { config.BuildStatementCache = nil }
	simple := func(config *pgx.ConnConfig) { config.PreferSimpleProtocol = true }
	text := []interface{}{pgx.QueryResultFormats{pgx.TextFormatCode}}
	return []mode{
		{"prepared", cache(stmtcache.ModePrepare), nil},
		{"prepared, text", cache(stmtcache.ModePrepare), text},
		{"described", cache(stmtcache.ModeDescribe), nil},
		{"described, text", cache(stmtcache.ModeDescribe), text},
		{"not cached", uncached, nil},
		{"simple", simple, nil},
	}
}

var written, read = rows("sealed"), rows("plain")

func main() {
	log.SetFlags(0)
	fmt.Println("pgx v4,", runtime.Version())
	for _, mode := range modes() {
		checks(mode)
	}
	pool()
}

func checks(mode mode) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db := connect(ctx, "CHAIN_URL", mode)
	defer db.Close(ctx)
	exec(ctx, db, "DROP TABLE IF EXISTS cards")
	exec(ctx, db, "CREATE TABLE cards (name text PRIMARY KEY, sealed bytea, clear bytea)")
	say := func(found, expected []row, what string) {
		check(same(found, expected), mode.name+": "+what)
	}

	// In a transaction, and in a batch that reads what it has written.
	tx := must(db.Begin(ctx))
	for _, row := range written {
		exec(ctx, tx, insert, row.values()...)
	}
	try(tx.Commit(ctx))
	say(fetch(ctx, db, mode), read, "written and read")
	say(fetch(ctx, db, mode), read, "read again")
	if mode.options == nil {
		batch(ctx, db, say)
	}

	// Rolled back, and to a savepoint behind an error.
	tx = must(db.Begin(ctx))
	exec(ctx, tx, "UPDATE cards SET sealed = NULL")
	try(tx.Rollback(ctx))
	say(fetch(ctx, db, mode), read, "rolled back")
	tx = must(db.Begin(ctx))
	savepoint := must(tx.Begin(ctx))
	exec(ctx, savepoint, "DELETE FROM cards")
	var failed *pgconn.PgError
	_, err := savepoint.Exec(ctx, "SELECT 1 / 0")
	check(errors.As(err, &failed) && failed.Code == "22012", mode.name+": an error")
	try(savepoint.Rollback(ctx))
	try(tx.Commit(ctx))
	say(fetch(ctx, db, mode), read, "rolled back to a savepoint")

	// Copied in; copied out, values open.
	exec(ctx, db, "DELETE FROM cards")
	source := pgx.CopyFromSlice(len(written), func(i int) ([]interface{}, error) {
		return written[i].values(), nil
	})
	columns := []string{"name", "sealed", "clear"}
	must(db.CopyFrom(ctx, pgx.Identifier{"cards"}, columns, source))
	say(fetch(ctx, db, mode), read, "copied in")
	var copied bytes.Buffer
	must(db.PgConn().CopyTo(ctx, &copied, "COPY cards TO STDOUT (FORMAT binary)"))
	for i, row := range read {
		check(bytes.Contains(copied.Bytes(), row.sealed), mode.name+": copied out opened")
		same := bytes.Equal(row.sealed, written[i].sealed)
		check(same || !bytes.Contains(copied.Bytes(), written[i].sealed), mode.name+": copied out unsealed")
	}

	large := load("large", "sealed")
	exec(ctx, db, insert, large.values()...)
	say(fetchOne(ctx, db, mode, "large"), []row{load("large", "plain")}, "large")
	exec(ctx, db, "DELETE FROM cards WHERE name = $1", "large")

	direct := connect(ctx, "DIRECT_URL", mode)
	defer direct.Close(ctx)
	say(fetch(ctx, direct, mode), written, "the database has it sealed")
}

// batch sends many statements before it reads, and a failing one among them.
func batch(ctx context.Context, db *pgx.Conn, say func(found, expected []row, what string)) {
	batch := &pgx.Batch{}
	batch.Queue("DELETE FROM cards")
	for _, row := range written {
		batch.Queue(insert, row.values()...)
	}
	batch.Queue(selects)
	results := db.SendBatch(ctx, batch)
	for i := 0; i <= len(written); i++ {
		must(results.Exec())
	}
	say(scan(must(results.Query())), read, "a batch")
	try(results.Close())

	batch = &pgx.Batch{}
	batch.Queue(selects)
	batch.Queue("SELECT 1 / $1::int", 0)
	batch.Queue("DELETE FROM cards")
	results = db.SendBatch(ctx, batch)
	say(scan(must(results.Query())), read, "a batch, before an error")
	_, err := results.Exec()
	check(err != nil, "an error in a batch")
	check(results.Close() != nil, "an error at the end of a batch")
}

// pool reads in several sessions at once.
func pool() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pool := must(pgxpool.Connect(ctx, os.Getenv("CHAIN_URL")))
	defer pool.Close()
	done := make(chan bool)
	for i := 0; i < 12; i++ {
		go func() { done <- same(scan(must(pool.Query(ctx, selects))), read) }()
	}
	for i := 0; i < 12; i++ {
		check(<-done, "one of twelve at once")
	}
}

func connect(ctx context.Context, variable string, mode mode) *pgx.Conn {
	config := must(pgx.ParseConfig(os.Getenv(variable) + "?sslmode=disable&connect_timeout=20"))
	mode.configure(config)
	return must(pgx.ConnectConfig(ctx, config))
}

type executes interface {
	Exec(context.Context, string, ...interface{}) (pgconn.CommandTag, error)
}

func exec(ctx context.Context, db executes, sql string, arguments ...interface{}) {
	must(db.Exec(ctx, sql, arguments...))
}

func fetch(ctx context.Context, db *pgx.Conn, mode mode) []row {
	return scan(must(db.Query(ctx, selects, mode.options...)))
}

func fetchOne(ctx context.Context, db *pgx.Conn, mode mode, name string) []row {
	arguments := append(append([]interface{}{}, mode.options...), name)
	return scan(must(db.Query(ctx, "SELECT * FROM cards WHERE name = $1", arguments...)))
}

func scan(results pgx.Rows) []row {
	var rows []row
	for results.Next() {
		var row row
		try(results.Scan(&row.name, &row.sealed, &row.clear))
		rows = append(rows, row)
	}
	try(results.Err())
	return rows
}

func rows(kind string) []row {
	var rows []row
	for _, name := range []string{"bytes", "card", "empty", "long"} {
		rows = append(rows, load(name, kind))
	}
	return append(rows, row{name: "null"})
}

func load(name, kind string) row {
	value := must(os.ReadFile(filepath.Join(os.Getenv("VALUES"), name+"."+kind)))
	return row{name, value, []byte{}}
}

// same tells NULL from an empty value.
func same(found, expected []row) bool {
	equal := func(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }
	if len(found) != len(expected) {
		return false
	}
	for i, row := range found {
		other := expected[i]
		if row.name != other.name || !equal(row.sealed, other.sealed) || !equal(row.clear, other.clear) {
			return false
		}
	}
	return true
}

func check(passed bool, what string) {
	if !passed {
		log.Fatalln("not so:", what)
	}
	fmt.Println(what)
}

func try(err error) {
	if err != nil {
		log.Fatalln(err)
	}
}

func must[T any](value T, err error) T {
	try(err)
	return value
}
