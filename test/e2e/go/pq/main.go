// One scenario of lib/pq against the URL of the command line: what it prints is compared.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/lib/pq"
)

const (
	clients         = 12
	scenarioTimeout = 40 * time.Second
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func open(url string) *sql.DB {
	db, err := sql.Open("postgres", url)
	must(err)
	db.SetMaxOpenConns(clients)
	db.SetMaxIdleConns(clients)
	return db
}

// said tells an error by what a program can act on.
func said(err error) string {
	var told *pq.Error
	if errors.As(err, &told) {
		return fmt.Sprintf("%s %s %s [%s]", told.Severity, told.Code, told.Message, told.Position)
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

func pool(url string) {
	db := open(url)
	defer db.Close()
	atOnce(clients*2, func(who int) string {
		total := 0
		for round := 0; round < 20; round++ {
			var got int
			must(db.QueryRow("SELECT $1::int * $2::int", who, round).Scan(&got))
			total += got
		}
		return fmt.Sprint(total)
	})
}

func binaryParameters(url string) {
	pool(url + "&binary_parameters=yes")
}

func prepared(url string) {
	db := open(url)
	defer db.Close()
	shared, err := db.Prepare("SELECT $1::int, $2::text, $3::bytea, $4::timestamptz")
	must(err)
	defer shared.Close()
	at := time.Date(2026, 2, 3, 4, 5, 6, 789000, time.UTC)
	atOnce(clients*2, func(who int) string {
		var n int
		var text sql.NullString
		var bytes []byte
		var when time.Time
		for round := 0; round < 10; round++ {
			row := shared.QueryRow(who, fmt.Sprint("it's ", round), []byte{0, 255, byte(who)}, at)
			must(row.Scan(&n, &text, &bytes, &when))
			own, err := db.Prepare(fmt.Sprintf("SELECT %d + $1::int", round%3))
			must(err)
			must(own.QueryRow(who).Scan(&n))
			must(own.Close())
		}
		return fmt.Sprint(n, text, bytes, when.UTC())
	})
}

func transactions(url string) {
	db := open(url)
	defer db.Close()
	_, err := db.Exec("CREATE TABLE tx (who int, n int, UNIQUE (who, n))")
	must(err)
	atOnce(clients, func(who int) string {
		tx, err := db.Begin()
		must(err)
		insert, err := tx.Prepare("INSERT INTO tx VALUES ($1, $2)")
		must(err)
		for n := 0; n < 20; n++ {
			_, err = insert.Exec(who, n)
			must(err)
		}
		_, err = tx.Exec("SAVEPOINT before")
		must(err)
		_, twice := insert.Exec(who, 0)
		_, aborted := tx.Exec("SELECT 1")
		_, err = tx.Exec("ROLLBACK TO before")
		must(err)
		must(tx.Commit())
		lost, err := db.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true})
		must(err)
		_, writing := lost.Exec("DELETE FROM tx")
		must(lost.Rollback())
		return said(twice) + "\n" + said(aborted) + "\n" + said(writing)
	})
	var rows, sum int
	must(db.QueryRow("SELECT count(*), sum(n) FROM tx").Scan(&rows, &sum))
	fmt.Println(rows, sum)
}

func copyIn(url string) {
	db := open(url)
	defer db.Close()
	_, err := db.Exec("CREATE TABLE copied (who int, n int, t text)")
	must(err)
	atOnce(6, func(who int) string {
		tx, err := db.Begin()
		must(err)
		in, err := tx.Prepare(pq.CopyIn("copied", "who", "n", "t"))
		must(err)
		for n := 0; n < 3000; n++ {
			_, err = in.Exec(who, n, fmt.Sprint("row\t", n))
			must(err)
		}
		_, err = in.Exec()
		must(err)
		must(in.Close())
		must(tx.Commit())
		broken, err := db.Begin()
		must(err)
		in, err = broken.Prepare(pq.CopyIn("copied", "who", "n", "t"))
		must(err)
		_, err = in.Exec(who, "x", "t")
		must(err)
		_, err = in.Exec()
		must(broken.Rollback())
		var rows int
		must(db.QueryRow("SELECT count(*) FROM copied WHERE who = $1", who).Scan(&rows))
		return fmt.Sprint(said(err), rows)
	})
}

func cancelled(url string) {
	db := open(url)
	defer db.Close()
	atOnce(4, func(who int) string {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := db.ExecContext(ctx, "SELECT pg_sleep(20)")
		var n int
		must(db.QueryRow("SELECT $1::int", who).Scan(&n))
		return fmt.Sprint(said(err), n, time.Since(began) < 10*time.Second)
	})
	ctx, cancel := context.WithCancel(context.Background())
	tx, err := db.BeginTx(ctx, nil)
	must(err)
	cancel()
	_, err = tx.Exec("SELECT 1")
	fmt.Println(err != nil)
	_, err = db.Exec("SELECT 1")
	must(err)
}

func listen(url string) {
	db := open(url)
	defer db.Close()
	listener := pq.NewListener(url, time.Second, time.Second, nil)
	defer listener.Close()
	must(listener.Listen("news"))
	must(listener.Listen("more"))
	atOnce(clients, func(who int) string {
		_, err := db.Exec("SELECT pg_notify('news', $1)", fmt.Sprint("from ", who))
		must(err)
		return "told"
	})
	heard := []string{}
	for len(heard) < clients {
		heard = append(heard, (<-listener.Notify).Extra)
	}
	sort.Strings(heard)
	fmt.Println(heard)
	must(listener.Ping())
	must(listener.UnlistenAll())
	_, err := db.Exec("NOTIFY news, 'unheard'")
	must(err)
	must(listener.Ping())
	fmt.Println(len(listener.Notify))
}

func errorFields(url string) {
	db := open(url)
	defer db.Close()
	atOnce(clients, func(who int) string {
		_, missing := db.Exec("SELECT 1,\n nothing, $1", who)
		_, several := db.Exec("SELECT 1; SELECT 1/0; SELECT 2")
		late := "SELECT 10 / (3 - n) FROM generate_series(1, 5) AS n WHERE n > $1"
		rows, err := db.Query(late, -who)
		count := 0
		if err == nil {
			for rows.Next() {
				count++
			}
			err = rows.Err()
		}
		counted := fmt.Sprint(count)
		return strings.Join([]string{said(missing), said(several), counted, said(err)}, "\n")
	})
}

func sessionState(url string) {
	db := open(url + "&application_name=mine&statement_timeout=43210")
	defer db.Close()
	ctx := context.Background()
	own := func(who int, make string, read string) string {
		conn, err := db.Conn(ctx)
		must(err)
		defer conn.Close()
		_, err = conn.ExecContext(ctx, fmt.Sprintf(make, who))
		must(err)
		lines := map[string]bool{}
		for round := 0; round < 5; round++ {
			var name, limit, mine string
			row := conn.QueryRowContext(ctx, `SELECT current_setting('application_name'),
				current_setting('statement_timeout'), `+read)
			must(row.Scan(&name, &limit, &mine))
			lines[strings.Join([]string{name, limit, mine}, " ")] = true
		}
		return fmt.Sprint(lines)
	}
	atOnce(clients, func(who int) string {
		return own(who, "SET e2e.who = %d", "current_setting('e2e.who')")
	})
	// Each keeps a connection, so there are fewer of them than connections.
	atOnce(2, func(who int) string {
		return own(who, "CREATE TEMP TABLE own AS SELECT %d AS n", "n FROM own")
	})
}

func main() {
	scenarios := map[string]func(string){
		"pool": pool, "binaryParameters": binaryParameters, "prepared": prepared,
		"transactions": transactions, "copyIn": copyIn, "cancelled": cancelled,
		"listen": listen, "errorFields": errorFields, "sessionState": sessionState,
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
