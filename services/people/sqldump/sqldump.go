// Package sqldump reads the rows of a dump as phpMyAdmin, mysqldump and mariadb-dump write
// it, one at a time and in flat memory.
//
// The parsers of SQL that are kept well (TiDB's, Vitess's) take a statement as one string,
// and a dump may have a whole table in one INSERT. None tells at which line a file that
// was cut ends.
package sqldump

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Table is a table of a dump.
type Table struct {
	Name string
	// Columns are those of CREATE TABLE; none if the dump has none for the table.
	Columns []string
	// Rows is how many rows were read so far.
	Rows int64
}

// Row is a row of a table.
type Row struct {
	// Line is where it begins, and Number which row of its table it is, from 1.
	Line   int
	Number int64
	Table  *Table
	// Columns are those of the INSERT, or of the table; none if nothing names them.
	Columns []string
	// Cells are the values as text, empty for NULL. They are good until the next row.
	Cells []string
}

// Fault is what is wrong with a dump. Nothing can be read after a cut.
type Fault struct {
	// Cut says that the file ends before the dump does.
	Cut  bool
	Line int
	// Table is that of a statement that is not understood, and is left out from Line on, and
	// Columns are those that the statement or the table names.
	Table   *Table
	Columns []string
}

// Error implements error.
func (f *Fault) Error() string {
	if f.Cut {
		return fmt.Sprintf("the dump is cut in what begins at line %d", f.Line)
	}
	return fmt.Sprintf("the statement at line %d is not understood", f.Line)
}

// Reader reads a dump.
type Reader struct {
	in        *bufio.Reader
	line      int
	delimiter string
	buf       []byte
	held      *token
	tables    []*Table
	byName    map[string]*Table
	// open are what a dump begins and has not ended yet, with the line.
	open map[string]int
	// The INSERT that is being read: its row has Table and Columns. begun is false between
	// statements.
	row   Row
	begun bool
}

// NewReader returns a reader of a dump in UTF-8.
func NewReader(from io.Reader) *Reader {
	return &Reader{in: bufio.NewReaderSize(from, 64<<10), line: 1, delimiter: ";", byName: map[string]*Table{}, open: map[string]int{}}
}

// Tables returns the tables that were met so far, in their order.
func (r *Reader) Tables() []*Table { return r.tables }

// Next returns the next row: io.EOF after the last one, a *Fault for what can't be read.
func (r *Reader) Next() (Row, error) {
	for {
		if r.begun {
			row, err := r.values()
			if err != nil || row {
				return r.row, err
			}
		}
		t, err := r.next()
		if err == io.EOF { //nolint:errorlint // of bufio, never wrapped
			return Row{}, r.ended()
		}
		if err == nil {
			err = r.statement(t)
		}
		if err == io.EOF { //nolint:errorlint // of bufio, never wrapped
			err = &Fault{Cut: true, Line: t.line}
		}
		if err != nil {
			return Row{}, err
		}
	}
}

// ended tells whether the file may end: io.EOF if it may.
func (r *Reader) ended() error {
	if len(r.open) > 0 {
		return &Fault{Cut: true, Line: r.line}
	}
	return io.EOF
}

// The pairs of what a dump begins and ends: a file that was cut between two statements
// lacks the second.
const (
	openComment = "dump"    // "-- MySQL dump" and "-- Dump completed"
	openCharset = "charset" // the server's character set, kept and put back
	openLock    = "lock"    // LOCK TABLES and UNLOCK TABLES
)

// note learns from a comment whether the dump is whole.
func (r *Reader) note(comment string) {
	if len(comment) > 200 {
		return
	}
	squeezed := strings.Join(strings.Fields(comment), " ")
	switch {
	case strings.HasPrefix(squeezed, "-- MySQL dump "), strings.HasPrefix(squeezed, "-- MariaDB dump "):
		r.open[openComment] = r.line
	case strings.HasPrefix(squeezed, "-- Dump completed"):
		delete(r.open, openComment)
	case strings.HasSuffix(squeezed, "SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */"):
		r.open[openCharset] = r.line
	case strings.HasSuffix(squeezed, "SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */"):
		delete(r.open, openCharset)
	}
}

// statement reads a statement from its first token on: an INSERT up to its rows, another one
// whole.
func (r *Reader) statement(first token) error {
	switch {
	case first.kind == end:
		return nil
	case first.keyword("INSERT", "REPLACE"):
		return r.insert(first)
	case first.keyword("CREATE"):
		return r.create()
	case first.keyword("DELIMITER"):
		return r.delimit()
	case first.keyword("LOCK"):
		r.open[openLock] = r.line
	case first.keyword("UNLOCK"):
		delete(r.open, openLock)
	}
	return r.skip()
}

// skip reads up to the end of the statement.
func (r *Reader) skip() error {
	for {
		if t, err := r.next(); err != nil || t.kind == end {
			return err
		}
	}
}

func (r *Reader) delimit() error {
	var line []byte
	for {
		b, err := r.read()
		if err != nil || b == '\n' {
			break
		}
		if len(line) < 64 {
			line = append(line, b)
		}
	}
	if r.delimiter = strings.TrimSpace(string(line)); r.delimiter == "" {
		r.delimiter = ";"
	}
	return nil
}

// table returns the table of a name.
func (r *Reader) table(name string) *Table {
	t := r.byName[name]
	if t == nil {
		t = &Table{Name: name}
		r.byName[name] = t
		r.tables = append(r.tables, t)
	}
	return t
}

// name reads the name of a table, from its first token on, without that of its database.
func (r *Reader) name(t token) (string, error) {
	for {
		n := t.text
		if t.kind == word {
			n = n[strings.LastIndexByte(n, '.')+1:]
		}
		after, err := r.next()
		if err != nil {
			return "", err
		}
		switch {
		case after.kind == word && after.text == ".":
			if t, err = r.next(); err != nil {
				return "", err
			}
		case after.kind == word && strings.HasPrefix(after.text, "."):
			t = after
		default:
			r.hold(after)
			return n, nil
		}
	}
}

// tableAfter reads a table's name behind some words. Without one it skips the statement, and
// there is no table.
func (r *Reader) tableAfter(words ...string) (*Table, error) {
	t, err := r.next()
	for err == nil && t.keyword(words...) {
		t, err = r.next()
	}
	if err != nil || !t.named() {
		return nil, orSkip(r, t, err)
	}
	called, err := r.name(t)
	if err != nil {
		return nil, err
	}
	return r.table(called), nil
}

// orSkip skips the rest of a statement that ends otherwise than was awaited with a token.
func orSkip(r *Reader, t token, err error) error {
	if err != nil || t.kind == end {
		return err
	}
	return r.skip()
}

// insert reads an INSERT up to its rows.
func (r *Reader) insert(first token) error {
	table, err := r.tableAfter("LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO")
	if table == nil || err != nil {
		return err
	}
	r.row = Row{Table: table, Columns: table.Columns, Cells: r.row.Cells}
	t, err := r.next()
	if err != nil {
		return err
	}
	if t.is("(") {
		if r.row.Columns, err = r.columns(); err != nil {
			return err
		}
		if t, err = r.next(); err != nil {
			return err
		}
	}
	if !t.keyword("VALUES", "VALUE") {
		return r.unknown(t, first.line)
	}
	r.begun = true
	return nil
}

// columns reads the names of an INSERT's columns.
func (r *Reader) columns() (names []string, err error) {
	for {
		t, err := r.next()
		switch {
		case err != nil:
			return nil, err
		case t.is(")"):
			return names, nil
		case t.named():
			names = append(names, t.text)
		case !t.is(","):
			return nil, r.unknown(t, t.line)
		}
	}
}

// unknown skips the rest of a statement and returns its Fault.
func (r *Reader) unknown(t token, line int) error {
	r.begun = false
	if t.kind != end {
		if err := r.skip(); err != nil {
			return err
		}
	}
	return &Fault{Line: line, Table: r.row.Table, Columns: r.row.Columns}
}

// values reads the next row of an INSERT: false if there is none.
func (r *Reader) values() (bool, error) {
	t, err := r.next()
	if err != nil {
		return false, r.cut(err, r.line)
	}
	line := t.line
	if !t.is("(") {
		return false, r.cut(r.unknown(t, line), line)
	}
	if err := r.cells(line); err != nil {
		return false, r.cut(err, line)
	}
	r.row.Line = line
	r.row.Table.Rows++
	r.row.Number = r.row.Table.Rows
	t, err = r.next()
	switch {
	case err != nil: // the last row may be one of several, of which the others are missing
		return false, r.cut(err, line)
	case t.kind == end:
		r.begun = false
	case t.keyword("ON", "AS"): // DUPLICATE KEY UPDATE
		r.begun = false
		return true, r.cut(r.skip(), line)
	case !t.is(","):
		return false, r.cut(r.unknown(t, line), line)
	}
	return true, nil
}

// cells reads the values of a row after its parenthesis.
func (r *Reader) cells(line int) error {
	r.row.Cells = r.row.Cells[:0]
	for {
		t, err := r.next()
		if err != nil {
			return err
		}
		if t.is(")") && len(r.row.Cells) == 0 {
			return nil
		}
		value, err := r.value(t)
		if err != nil {
			if errors.Is(err, errValue) {
				return r.unknown(t, line)
			}
			return err
		}
		r.row.Cells = append(r.row.Cells, value)
		if t, err = r.next(); err != nil {
			return err
		}
		if t.is(")") {
			return nil
		}
		if !t.is(",") {
			return r.unknown(t, line)
		}
	}
}
