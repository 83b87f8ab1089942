// One scenario of pgx against the URL of the command line: what it prints is compared.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

const (
	clients         = 12
	scenarioTimeout = 40 * time.Second
)

var ctx = context.Background()

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// The pool of the driver: it prepares every query, under a name, the first time it comes.
func open(url string) *pgxpool.Pool {
	pool, err := pgxpool.Connect(ctx, url+fmt.Sprintf("&pool_max_conns=%d", clients))
	must(err)
	return pool
}

func exec(pool *pgxpool.Pool, sql string) {
	_, err := pool.Exec(ctx, sql)
	must(err)
}

// said tells an error by what a program can act on.
func said(err error) string {
	var told *pgconn.PgError
	if errors.As(err, &told) {
		return fmt.Sprintf("%s %s %s [%d]", told.Severity, told.Code, told.Message, told.Position)
	}
	return fmt.Sprint(err)
}

// atOnce runs the work for every client and prints what each said, in the order of clients.
func atOnce(count int, work func(who int) string) {
	lines := make([]string, count)
	var all sync.WaitGroup
	for who := range lines {
		all.Add(1)
		go func(who int) {
			defer all.Done()
			lines[who] = work(who)
		}(who)
	}
	all.Wait()
	fmt.Println(strings.Join(lines, "\n"))
}

func queries(url string) {
	pool := open(url)
	defer pool.Close()
	atOnce(clients*2, func(who int) string {
		total := 0
		for round := 0; round < 20; round++ {
			sql := fmt.Sprintf("SELECT $1::int * $2::int + %d", round%7)
			var got int
			must(pool.QueryRow(ctx, sql, who, round).Scan(&got))
			total += got
		}
		var text string
		var list []int32
		var at time.Time
		when := time.Date(2026, 2, 3, 4, 5, 6, 789000, time.UTC)
		sql := "SELECT $1::text, $2::int[], $3::timestamptz"
		row := pool.QueryRow(ctx, sql, "it's", []int32{1, 2}, when)
		must(row.Scan(&text, &list, &at))
		return fmt.Sprint(total, text, list, at.UTC())
	})
}

// The other ways of the driver to run a query: described only, and without the extended protocol.
func otherModes(url string) {
	for _, mode := range []string{"mode=describe", "capacity=0", "capacity=2"} {
		queries(url + "&statement_cache_" + mode)
	}
	config, err := pgxpool.ParseConfig(url)
	must(err)
	config.ConnConfig.PreferSimpleProtocol = true
	pool, err := pgxpool.ConnectConfig(ctx, config)
	must(err)
	defer pool.Close()
	atOnce(clients, func(who int) string {
		var n int
		must(pool.QueryRow(ctx, "SELECT $1 + 1", who).Scan(&n))
		return fmt.Sprint(n)
	})
}

func batches(url string) {
	pool := open(url)
	defer pool.Close()
	exec(pool, "CREATE TABLE batched (who int, n int, CHECK (n <> 13))")
	atOnce(clients, func(who int) string {
		batch := &pgx.Batch{}
		for n := 20; n < 70; n++ {
			batch.Queue("INSERT INTO batched VALUES ($1, $2)", who, n)
		}
		batch.Queue("SELECT sum(n) FROM batched WHERE who = $1", who)
		results := pool.SendBatch(ctx, batch)
		for n := 20; n < 70; n++ {
			_, err := results.Exec()
			must(err)
		}
		var sum int
		must(results.QueryRow().Scan(&sum))
		must(results.Close())
		bad := &pgx.Batch{}
		for n := 10; n < 15; n++ {
			bad.Queue("INSERT INTO batched VALUES ($1, $2)", who, n)
		}
		failed := pool.SendBatch(ctx, bad).Close()
		var after int
		must(pool.QueryRow(ctx, "SELECT sum(n) FROM batched WHERE who = $1", who).Scan(&after))
		return fmt.Sprint(sum, " ", said(failed), " ", after)
	})
}

func copying(url string) {
	pool := open(url)
	defer pool.Close()
	exec(pool, "CREATE TABLE copied (who int, n int, t text)")
	atOnce(6, func(who int) string {
		rows := [][]interface{}{}
		for n := 0; n < 3000; n++ {
			rows = append(rows, []interface{}{who, n, fmt.Sprint("row\t", n)})
		}
		columns := []string{"who", "n", "t"}
		count, err := pool.CopyFrom(ctx, pgx.Identifier{"copied"}, columns, pgx.CopyFromRows(rows))
		must(err)
		conn, err := pool.Acquire(ctx)
		must(err)
		defer conn.Release()
		raw := conn.Conn().PgConn()
		_, bad := raw.CopyFrom(ctx, strings.NewReader("1\tx\tt\n"), "COPY copied FROM STDIN")
		var out bytes.Buffer
		sql := fmt.Sprintf("COPY (SELECT n, t FROM copied WHERE who = %d ORDER BY n) TO STDOUT", who)
		tag, err := raw.CopyTo(ctx, &out, sql)
		must(err)
		return fmt.Sprint(count, " ", said(bad), " ", tag, " ", out.Len())
	})
}

func transactions(url string) {
	pool := open(url)
	defer pool.Close()
	exec(pool, "CREATE TABLE counted (id int PRIMARY KEY, n int)")
	exec(pool, "INSERT INTO counted VALUES (1, 0)")
	count := func(tx pgx.Tx) error {
		var n int
		row := tx.QueryRow(ctx, "SELECT n FROM counted WHERE id = 1")
		if err := row.Scan(&n); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "UPDATE counted SET n = $1 WHERE id = 1", n+1)
		return err
	}
	retried := func(who int) string {
		for {
			err := pool.BeginTxFunc(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable}, count)
			var told *pgconn.PgError
			if err == nil || !errors.As(err, &told) || told.Code != "40001" {
				return said(err)
			}
		}
	}
	atOnce(6, retried)
	must(pool.BeginFunc(ctx, func(tx pgx.Tx) error {
		inner := tx.BeginFunc(ctx, func(inner pgx.Tx) error {
			_, err := inner.Exec(ctx, "INSERT INTO counted VALUES (1, 5)")
			return err
		})
		fmt.Println(said(inner))
		_, err := tx.Exec(ctx, "UPDATE counted SET n = n * 100")
		return err
	}))
	var n int
	must(pool.QueryRow(ctx, "SELECT n FROM counted").Scan(&n))
	fmt.Println(n)
}

// The descriptions that the driver keeps are of the table as it was: it is told when it changed.
func altered(url string) {
	conn, err := pgx.Connect(ctx, url)
	must(err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "CREATE TABLE outgrown (a int)")
	must(err)
	_, err = conn.Exec(ctx, "INSERT INTO outgrown VALUES (7)")
	must(err)
	read := func() {
		rows, err := conn.Query(ctx, "SELECT * FROM outgrown")
		if err == nil {
			for rows.Next() {
				values, err := rows.Values()
				fmt.Println(values, err)
			}
			err = rows.Err()
		}
		fmt.Println(said(err))
	}
	for _, change := range []string{
		"SELECT 1",
		"ALTER TABLE outgrown ALTER a TYPE text",
		"ALTER TABLE outgrown ADD b int DEFAULT 1",
	} {
		read()
		_, err = conn.Exec(ctx, change, pgx.QuerySimpleProtocol(true))
		must(err)
		read()
		read()
	}
}

func cancelled(url string) {
	pool := open(url)
	defer pool.Close()
	atOnce(4, func(who int) string {
		late, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		_, err := pool.Exec(late, "SELECT pg_sleep(20)")
		var n int
		must(pool.QueryRow(ctx, "SELECT $1::int", who).Scan(&n))
		conn, failed := pool.Acquire(ctx)
		must(failed)
		defer conn.Release()
		time.AfterFunc(300*time.Millisecond, func() { must(conn.Conn().PgConn().CancelRequest(ctx)) })
		_, asked := conn.Exec(ctx, "SELECT pg_sleep(20)")
		return fmt.Sprint(said(err), " ", n, " ", said(asked))
	})
}

func listen(url string) {
	pool := open(url)
	defer pool.Close()
	hearing, err := pgx.Connect(ctx, url)
	must(err)
	defer hearing.Close(ctx)
	_, err = hearing.Exec(ctx, "LISTEN news")
	must(err)
	atOnce(clients, func(who int) string {
		_, err := pool.Exec(ctx, "SELECT pg_notify('news', $1)", fmt.Sprint("from ", who))
		must(err)
		return "told"
	})
	heard := []string{}
	for len(heard) < clients {
		notification, err := hearing.WaitForNotification(ctx)
		must(err)
		heard = append(heard, notification.Payload)
	}
	sort.Strings(heard)
	fmt.Println(heard)
	var n int
	must(hearing.QueryRow(ctx, "SELECT 5").Scan(&n))
	fmt.Println(n)
}

func errorFields(url string) {
	pool := open(url)
	defer pool.Close()
	atOnce(clients, func(who int) string {
		_, missing := pool.Exec(ctx, "SELECT 1,\n nothing, $1::int", who)
		raise := "DO $$ BEGIN RAISE EXCEPTION 'no' USING HINT = 'h', ERRCODE = 'ZX001'; END $$"
		_, raised := pool.Exec(ctx, raise)
		late := "SELECT 10 / (3 - n) FROM generate_series(1, 5) AS n WHERE n > $1"
		rows, err := pool.Query(ctx, late, -who)
		count := 0
		if err == nil {
			for rows.Next() {
				count++
			}
			err = rows.Err()
		}
		counted := fmt.Sprint(count)
		return strings.Join([]string{said(missing), said(raised), counted, said(err)}, "\n")
	})
}

func main() {
	scenarios := map[string]func(string){
		"queries": queries, "otherModes": otherModes, "batches": batches, "copying": copying,
		"transactions": transactions, "altered": altered, "cancelled": cancelled,
		"listen": listen, "errorFields": errorFields,
	}
	if len(os.Args) == 1 {
		for name := range scenarios {
			fmt.Println(name)
		}
		return
	}
	time.AfterFunc(scenarioTimeout, func() { panic("too long") })
	scenarios[os.Args[1]](os.Args[2])
}
