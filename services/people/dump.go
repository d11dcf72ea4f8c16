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
	// early are the rows that were met before the column was found.
	early []at
	index int // in File.Tables; -1 before the first person
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
			if d.has(fault.Table) {
				r.unreadable(at{line: fault.Line, table: fault.Table.Name}, FaultDump, "Table", fault.Table.Name)
			}
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
	return openIDColumn(t.Columns) >= 0 || known != nil && known.openID >= 0
}

// row adds the person of a row of a table that is read.
func (d *dumpReader) row(row sqldump.Row) error {
	t := d.tables[row.Table]
	if t == nil {
		t = &dumped{openID: -1, index: -1}
		d.tables[row.Table] = t
	}
	where := at{line: row.Line, row: row.Number, table: row.Table.Name}
	if t.names == nil || !slices.Equal(t.columns, row.Columns) {
		t.columns, t.names = row.Columns, nil
		t.openID = openIDColumn(row.Columns)
	}
	if len(row.Columns) > 0 && len(row.Cells) != len(row.Columns) || t.names != nil && len(row.Cells) != len(t.names) {
		if d.has(row.Table) || t.openID >= 0 {
			d.Bad++
			want := max(len(row.Columns), len(t.names))
			d.fault(where, FaultColumns, "Got", int64(len(row.Cells)), "Want", int64(want))
		}
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
	if len(t.early) == formWithin {
		return false
	}
	t.openID = formColumn(row.Columns, row.Cells)
	if t.openID < 0 {
		t.early = append(t.early, where)
		return false
	}
	if t.openID < len(row.Columns) {
		d.Column = row.Columns[t.openID]
	}
	for _, early := range t.early {
		d.Bad++
		d.fault(early, FaultNoOpenID)
	}
	t.early = nil
	return true
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

// end tells what a whole dump does not have.
func (d *dumpReader) end() {
	met := d.sql.Tables()
	names := make([]string, 0, tablesNamed)
	wanted := 0
	for _, t := range met {
		if d.wanted(t) {
			wanted++
		}
		if d.has(t) {
			return
		}
		if len(names) < tablesNamed {
			names = append(names, t.Name)
		}
	}
	switch {
	case len(met) == 0:
		d.unreadable(at{}, FaultNoTables)
	case wanted == 0:
		d.unreadable(at{}, FaultTable, "Name", d.only, "Tables", names, "Count", int64(len(met)))
	case d.only != "":
		d.unreadable(at{}, FaultNoPeople, "Tables", []string{d.only}, "Count", int64(1))
	default:
		d.unreadable(at{}, FaultNoPeople, "Tables", names, "Count", int64(len(met)))
	}
}
