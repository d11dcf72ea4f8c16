// Package people reads people from files: a CSV, a text with an OpenID a line, or a dump of
// SQL tables.
package people

import (
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"unicode/utf8"

	"wechat-broadcast/models"
)

const (
	// MaxFields is how many columns a file may have beside the OpenID.
	MaxFields = 40
	// MaxValue is how many characters a field may have.
	MaxValue = 200
	// faultsNamed is how many faults are named; the others are counted.
	faultsNamed = 10
)

// The codes of what can be wrong with a file, with their arguments.
const (
	FaultNoOpenID   = "no_openid"   // a row without an OpenID
	FaultOpenID     = "openid"      // Value: not the shape of one
	FaultColumns    = "columns"     // Got, Want: how many columns the row and the first row have
	FaultDuplicate  = "duplicate"   // First: the line with the same OpenID
	FaultLong       = "long"        // Field, Max: a value with too many characters
	FaultQuote      = "quote"       // quotation marks that are no pair
	FaultSwallowed  = "swallowed"   // Value: what looks like an OpenID in quotation marks, after a line break
	FaultCut        = "cut"         // the file ends within quotation marks
	FaultEndless    = "endless"     // Max: a row that has more bytes than one may have
	FaultEncoding   = "encoding"    // neither UTF-8 nor GB18030
	FaultFieldName  = "field_name"  // Name: {NAME} could not stand for it
	FaultFieldTwice = "field_twice" // Name: two columns are called that
	FaultManyFields = "many_fields" // Max: more columns than there may be

	FaultUTF16    = "utf16"     // UTF-16, as Excel's “Unicode text”
	FaultPacked   = "packed"    // an archive or a workbook
	FaultDumpCut  = "dump_cut"  // a dump that ends before its end
	FaultDump     = "dump"      // Table: a statement that is not understood
	FaultNoPeople = "no_people" // Tables, Count: no table of the dump has OpenIDs
	FaultNoTables = "no_tables" // a dump without tables
	FaultTable    = "table"     // Name, Tables, Count: the dump does not have the table
	FaultNotDump  = "not_dump"  // Name: a table was asked for, and the file is no dump
)

// Fault is what is wrong at a line of a file.
type Fault struct {
	Line int // 0 for the whole file
	// Row is which row of the Table of a dump it is; 0 for a CSV.
	Row   int64
	Table string
	Code  string
	Args  map[string]any
}

// File is what a file holds.
type File struct {
	// Fields are the names of the fields, in the order of their columns.
	Fields []string
	// Rows is how many people it names, and Bad how many rows have a fault.
	Rows, Bad int64
	// Repeated is how many rows of a dump are of somebody who has one already.
	Repeated int64
	// Unfit is how many values of a dump are no field, as they are too long or no text, and
	// UnfitFields the fields of which they would be.
	Unfit       int64
	UnfitFields []string
	// Faults are the first of all.
	Faults []Fault
	// Unreadable says that a fault is one that no row can be left out for: in the first
	// line, or one after which nothing can be read.
	Unreadable bool
	// Column is the column with the OpenIDs if they were found by their form.
	Column string
	// Tables are the tables of a dump that have OpenIDs, and Renamed the columns whose name
	// can't be that of a field, with what they are called instead.
	Tables  []Table
	Renamed []Renamed
	// Unread are the tables of a dump that have rows and no OpenIDs.
	Unread []Unread
}

// Unread is a table that was not read.
type Unread struct {
	Table string
	Rows  int64
	Line  int // of the first statement on it that is not understood; 0 for none
}

// Table is a table of a dump, and how many rows of it were taken.
type Table struct {
	Name string
	Rows int64
}

// Renamed is a column and the field that it became.
type Renamed struct{ Column, Field string }

// Row is a person of a file.
type Row struct {
	models.Entry
	Line int
	// Again says that an earlier row of a dump is of the same person. What that says is
	// right.
	Again bool
}

// Options say what is read of a file.
type Options struct {
	// Table is the only table that is read of a dump; empty for all with OpenIDs.
	Table string
}

// reader gathers the people of a file.
type reader struct {
	File
	each func(Row) error
	// seen has the line of each OpenID, by its hash: the OpenIDs of a million people would
	// take a hundred megabytes.
	seen map[uint64]int32
	seed maphash.Seed
}

// Read reads a file from its beginning and hands on each person whose row has no fault, in
// order: of a CSV the first of several rows with one OpenID, of a dump all. The error is
// that of the reading, or of each.
func Read(from io.ReadSeeker, o Options, each func(Row) error) (*File, error) {
	r := &reader{each: each, seen: map[uint64]int32{}, seed: maphash.MakeSeed()}
	found, err := detect(from)
	if err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	text, err := found.open(from)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the file: %w", err)
	case found.fault != "":
		r.unreadable(at{}, found.fault)
	case found.dump:
		err = r.dump(text, o.Table)
	case o.Table != "":
		r.unreadable(at{}, FaultNotDump, "Name", o.Table)
	default:
		err = r.rows(text)
	}
	file := r.File // a pointer into the reader would keep whom it has seen
	return &file, err
}

// at is where a row stands.
type at struct {
	line  int
	row   int64
	table string
}

// add hands on the person of a row, or adds all that is wrong with it. names are the fields
// of its cells, empty for what is none. A dump is none that somebody wrote for us: a person may
// have several rows, and a value that is no field is left out.
func (r *reader) add(where at, openID string, names, cells []string, dump bool) error {
	faultless := true
	fault := func(code string, args ...any) {
		faultless = false
		r.fault(where, code, args...)
	}
	if !dump && slices.ContainsFunc(cells, func(c string) bool { return !utf8.ValidString(c) }) {
		fault(FaultEncoding)
		r.Bad++
		return nil
	}
	key := maphash.String(r.seed, openID)
	first := r.seen[key]
	switch {
	case openID == "":
		fault(FaultNoOpenID)
	case !models.LikeOpenID(openID):
		fault(FaultOpenID, "Value", openID)
	case first != 0 && !dump:
		fault(FaultDuplicate, "First", int64(first))
	}
	fields := map[string]string{}
	for i, value := range cells {
		if names[i] == "" || value == "" {
			continue
		}
		if dump && (utf8.RuneCountInString(value) > MaxValue || !utf8.ValidString(value)) {
			r.unfit(names[i])
			continue
		}
		if utf8.RuneCountInString(value) > MaxValue {
			fault(FaultLong, "Field", names[i], "Max", int64(MaxValue))
		}
		fields[names[i]] = value
	}
	if !faultless {
		r.Bad++
		return nil
	}
	if first == 0 {
		r.Rows++
		r.seen[key] = int32(where.line) //nolint:gosec // a file of so many lines has at least 40 GB
	} else {
		r.Repeated++
	}
	return r.each(Row{Entry: models.Entry{OpenID: openID, Fields: models.EncodeFields(fields)}, Line: where.line, Again: first != 0})
}

// unfit counts a value that can't be the field it would be.
func (r *reader) unfit(field string) {
	r.Unfit++
	if !slices.Contains(r.UnfitFields, field) {
		r.UnfitFields = append(r.UnfitFields, field)
	}
}

func (r *reader) fault(where at, code string, args ...any) { r.named(faultOf(where, code, args...)) }

// named adds a fault to those that are named.
func (r *reader) named(f Fault) {
	if len(r.Faults) < faultsNamed {
		r.Faults = append(r.Faults, f)
	}
}

// faultOf makes a fault; args are alternating names and values.
func faultOf(where at, code string, args ...any) Fault {
	f := Fault{Line: where.line, Row: where.row, Table: where.table, Code: code, Args: map[string]any{}}
	for i := 0; i+1 < len(args); i += 2 {
		f.Args[fmt.Sprint(args[i])] = args[i+1]
	}
	return f
}

// unreadable adds a fault that no row can be left out for.
func (r *reader) unreadable(where at, code string, args ...any) {
	if !r.Unreadable {
		r.Bad++
	}
	r.Unreadable = true
	r.fault(where, code, args...)
}
