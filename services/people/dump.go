package people

import (
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"wechat-broadcast/services/people/sqldump"
)

const (
	// formWithin is how many rows of a table are looked at for a column with OpenIDs if none
	// is called like one.
	formWithin = 100
	// tablesNamed is how many tables a fault names.
	tablesNamed = 10
)

// dumped is a table of a dump as it is read.
type dumped struct {
	// openID is the column with the OpenIDs, -1 for none.
	openID  int
	columns []string
	names   []string
	// early are the first faults of the rows that were met without a column with OpenIDs, and
	// earlyRows is how many rows that are: of a table without OpenIDs they are none.
	early     []Fault
	earlyRows int64
	// unread is the line of the first statement that was not understood before the column was
	// found; 0 for none.
	unread int
	index  int // in File.Tables; -1 before the first person
}

// dumpReader reads the rows of a dump.
type dumpReader struct {
	*reader
	sql    *sqldump.Reader
	only   string
	tables map[*sqldump.Table]*dumped
}

// dump reads a dump: one table of it, or all with OpenIDs.
func (r *reader) dump(from io.Reader, only string) error {
	d := &dumpReader{reader: r, sql: sqldump.NewReader(from), only: only, tables: map[*sqldump.Table]*dumped{}}
	for {
		row, err := d.sql.Next()
		var fault *sqldump.Fault
		switch {
		case err == io.EOF: //nolint:errorlint // never wrapped
			d.end()
			return nil
		case errors.As(err, &fault) && fault.Cut:
			r.unreadable(at{line: fault.Line}, FaultDumpCut)
			return nil
		case errors.As(err, &fault):
			d.notUnderstood(fault)
		case err != nil:
			return err
		case d.wanted(row.Table):
			if err := d.row(row); err != nil {
				return err
			}
		}
	}
}

func (d *dumpReader) wanted(t *sqldump.Table) bool {
	return d.only == "" || strings.EqualFold(t.Name, d.only)
}

// has tells whether a table is read and has OpenIDs, as far as that is known.
func (d *dumpReader) has(t *sqldump.Table) bool {
	if !d.wanted(t) {
		return false
	}
	known := d.tables[t]
	return openIDColumn(t.Columns) >= 0 || known != nil && (known.openID >= 0 || known.index >= 0)
}

// of returns what is known of a table.
func (d *dumpReader) of(table *sqldump.Table) *dumped {
	t := d.tables[table]
	if t == nil {
		t = &dumped{openID: -1, index: -1}
		d.tables[table] = t
	}
	return t
}

// notUnderstood tells a statement that is not understood, once it is known that its table has
// OpenIDs.
func (d *dumpReader) notUnderstood(fault *sqldump.Fault) {
	switch t := d.of(fault.Table); {
	case !d.wanted(fault.Table):
	case d.has(fault.Table), openIDColumn(fault.Columns) >= 0:
		d.unreadable(at{line: fault.Line, table: fault.Table.Name}, FaultDump, "Table", fault.Table.Name)
	case t.unread == 0:
		t.unread = fault.Line
	}
}

// row adds the person of a row of a table that is read.
func (d *dumpReader) row(row sqldump.Row) error {
	t := d.of(row.Table)
	where := at{line: row.Line, row: row.Number, table: row.Table.Name}
	if t.names == nil || !slices.Equal(t.columns, row.Columns) {
		t.columns, t.names = row.Columns, nil
		t.openID = openIDColumn(row.Columns)
	}
	if len(row.Columns) > 0 && len(row.Cells) != len(row.Columns) || t.names != nil && len(row.Cells) != len(t.names) {
		want := max(len(row.Columns), len(t.names))
		fault := faultOf(where, FaultColumns, "Got", int64(len(row.Cells)), "Want", int64(want))
		if d.has(row.Table) || t.openID >= 0 {
			d.Bad++
			d.named(fault)
			return nil
		}
		t.met(fault)
		return nil
	}
	if t.openID < 0 && !d.found(t, row, where) {
		return nil
	}
	if t.names == nil {
		d.name(t, where, len(row.Cells))
	}
	if t.index < 0 {
		t.index = len(d.Tables)
		d.Tables = append(d.Tables, Table{Name: row.Table.Name})
	}
	for i, cell := range row.Cells {
		row.Cells[i] = strings.TrimSpace(cell)
	}
	d.File.Tables[t.index].Rows++
	bad := d.Bad
	err := d.add(where, row.Cells[t.openID], t.names, row.Cells, true)
	if d.Bad > bad {
		d.File.Tables[t.index].Rows--
	}
	return err
}

// found looks for the column with OpenIDs by their form: false if the row has none.
func (d *dumpReader) found(t *dumped, row sqldump.Row, where at) bool {
	if t.earlyRows < formWithin {
		t.openID = formColumn(row.Columns, row.Cells)
	}
	if t.openID < 0 {
		t.met(faultOf(where, FaultNoOpenID))
		return false
	}
	if t.openID < len(row.Columns) {
		d.Column = row.Columns[t.openID]
	}
	d.tellEarly(t)
	return true
}

// met keeps the fault of a row that is none if the table has no OpenIDs.
func (t *dumped) met(fault Fault) {
	if t.earlyRows++; len(t.early) < faultsNamed {
		t.early = append(t.early, fault)
	}
}

// tellEarly tells the rows and statements of a table that were met without OpenIDs: it has some.
func (d *dumpReader) tellEarly(t *dumped) {
	d.Bad += t.earlyRows
	for _, fault := range t.early {
		d.named(fault)
	}
	t.early, t.earlyRows = nil, 0
}

// name names the fields of a table's columns.
func (d *dumpReader) name(t *dumped, where at, columns int) {
	t.names = make([]string, columns)
	for i := range columns {
		if i == t.openID {
			continue
		}
		column := ""
		if i < len(t.columns) {
			column = t.columns[i]
		}
		field := "field" + strconv.Itoa(i+1)
		if column != "" {
			field = fieldOf(column)
		}
		for slices.Contains(t.names, field) { // two names that differ in what a field's can't have
			field += "_"
		}
		t.names[i] = field
		if column != "" && field != column {
			d.renamed(Renamed{column, field})
		}
		if !slices.Contains(d.Fields, field) {
			d.Fields = append(d.Fields, field)
		}
	}
	if len(d.Fields) > MaxFields && !d.Unreadable {
		d.unreadable(at{line: where.line, table: where.table}, FaultManyFields, "Max", int64(MaxFields))
	}
}

func (d *dumpReader) renamed(n Renamed) {
	if !slices.Contains(d.Renamed, n) {
		d.Renamed = append(d.Renamed, n)
	}
}

// end tells what of a whole dump was not read.
func (d *dumpReader) end() {
	found := false
	for _, table := range d.sql.Tables() {
		t := d.of(table)
		switch {
		case d.has(table):
			found = true
			if t.unread > 0 {
				d.unreadable(at{line: t.unread, table: table.Name}, FaultDump, "Table", table.Name)
			}
			d.tellEarly(t)
		case d.wanted(table) && (table.Rows > 0 || t.unread > 0):
			d.Unread = append(d.Unread, Unread{Table: table.Name, Rows: table.Rows, Line: t.unread})
		}
	}
	if !found {
		d.nobody()
	}
}

// nobody tells that a dump has no table with OpenIDs.
func (d *dumpReader) nobody() {
	met := d.sql.Tables()
	names := make([]string, 0, tablesNamed)
	for _, t := range met[:min(len(met), tablesNamed)] {
		names = append(names, t.Name)
	}
	switch {
	case len(met) == 0:
		d.unreadable(at{}, FaultNoTables)
	case !slices.ContainsFunc(met, d.wanted):
		d.unreadable(at{}, FaultTable, "Name", d.only, "Tables", names, "Count", int64(len(met)))
	case d.only != "":
		d.unreadable(at{}, FaultNoPeople, "Tables", []string{d.only}, "Count", int64(1))
	default:
		d.unreadable(at{}, FaultNoPeople, "Tables", names, "Count", int64(len(met)))
	}
}
