// Package lists makes lists of people from files.
package lists

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/width"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
)

const (
	maxFields = 40  // columns beside the OpenID
	maxValue  = 200 // characters of a field
	// maxRecord is how many bytes a row may have. A quotation mark that is never closed
	// would have the rest of the file read as one value.
	maxRecord = 1 << 20
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
	FaultCut        = "cut"         // the file ends within quotation marks
	FaultEndless    = "endless"     // Max: a row that has more bytes than one may have
	FaultUTF8       = "utf8"        // not UTF-8
	FaultFieldName  = "field_name"  // Name: {NAME} could not stand for it
	FaultFieldTwice = "field_twice" // Name: two columns are called that
	FaultManyFields = "many_fields" // Max: more columns than there may be
)

// Fault is what is wrong at a line of a file.
type Fault struct {
	Line int
	Code string
	Args map[string]any
}

// File is what a file holds.
type File struct {
	// Fields are the names of the fields, in the order of their columns.
	Fields []string
	// Rows is how many people it names, and Bad how many rows have a fault.
	Rows, Bad int64
	// Faults are the first of all.
	Faults []Fault
	// Unreadable says that a fault is one that no row can be left out for: in the first
	// line, or one after which nothing can be read.
	Unreadable bool
}

// reader reads the rows of a CSV or of a text file with an OpenID a line.
type reader struct {
	File
	limit *limited
	in    *bufio.Reader
	csv   *csv.Reader
	// openID is the column with the OpenIDs.
	openID int
	// seen has the line of each OpenID, by its hash: the OpenIDs of a million people would
	// take a hundred megabytes.
	seen map[uint64]int32
	seed maphash.Seed
}

// Read reads a file and hands on each person whose row has no fault, in order: the first of
// several rows with one OpenID. The error is that of the reading, or of each.
func Read(from io.Reader, each func(models.Entry) error) (*File, error) {
	r := &reader{limit: &limited{from: from, left: maxRecord}, seen: map[uint64]int32{}, seed: maphash.MakeSeed()}
	r.in = bufio.NewReaderSize(r.limit, 64<<10)
	if begin, _ := r.in.Peek(3); bytes.Equal(begin, []byte("\xef\xbb\xbf")) {
		_, _ = r.in.Discard(3)
	}
	line, _ := r.in.Peek(r.in.Size())
	line, _, _ = bytes.Cut(line, []byte("\n"))
	r.csv = csv.NewReader(r.in)
	r.csv.Comma, r.csv.FieldsPerRecord, r.csv.ReuseRecord = separatorOf(string(line)), -1, true
	err := r.all(each)
	return &r.File, err
}

// separatorOf returns the separator by which the first line has a column openid.
func separatorOf(line string) rune {
	for _, separator := range ",;\t" {
		for cell := range strings.SplitSeq(line, string(separator)) {
			if isOpenID(strings.Trim(strings.TrimSpace(cell), `"`)) {
				return separator
			}
		}
	}
	return ','
}

func isOpenID(name string) bool {
	return strings.EqualFold(strings.TrimSpace(width.Fold.String(name)), "openid")
}

func (r *reader) all(each func(models.Entry) error) error {
	for columns, line := 0, 0; ; {
		r.limit.left = maxRecord
		cells, err := r.csv.Read()
		var malformed *csv.ParseError
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, errEndless):
			r.unreadable(line+1, FaultEndless, "Max", int64(maxRecord))
			return nil
		case errors.As(err, &malformed):
			r.Bad++
			if _, end := r.in.Peek(1); end == io.EOF && malformed.Err == csv.ErrQuote { //nolint:errorlint // of this package, never wrapped
				r.fault(malformed.StartLine, FaultCut)
				return nil
			}
			r.fault(malformed.StartLine, FaultQuote)
			continue
		case err != nil:
			return fmt.Errorf("read the file: %w", err)
		}
		line, _ = r.csv.FieldPos(0)
		if !slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" }) {
			continue // spreadsheets write such rows at the end
		}
		if columns == 0 {
			columns = len(cells)
			if isHeader := r.head(line, cells); r.Unreadable {
				return nil
			} else if isHeader {
				continue
			}
		}
		entry, ok := r.row(line, columns, cells)
		if !ok {
			r.Bad++
			continue
		}
		r.Rows++
		if err := each(entry); err != nil {
			return err
		}
	}
}

// head learns the columns from the first row, and tells whether that is a header.
func (r *reader) head(line int, cells []string) (isHeader bool) {
	r.openID = slices.IndexFunc(cells, isOpenID)
	isHeader = r.openID >= 0
	r.openID = max(0, r.openID)
	if len(cells)-1 > maxFields {
		r.unreadable(line, FaultManyFields, "Max", int64(maxFields))
	}
	for i, name := range cells {
		name = strings.TrimSpace(name)
		switch {
		case i == r.openID:
			continue
		case !isHeader:
			name = fmt.Sprintf("field%d", i+1)
		case !utf8.ValidString(name):
			r.unreadable(line, FaultUTF8)
		case isOpenID(name) || slices.Contains(r.Fields, name):
			r.unreadable(line, FaultFieldTwice, "Name", name)
		case !message.IsFieldName(name):
			r.unreadable(line, FaultFieldName, "Name", name)
		}
		r.Fields = append(r.Fields, name)
	}
	return isHeader
}

// row returns the person of a row, or adds all that is wrong with it.
func (r *reader) row(line, columns int, cells []string) (e models.Entry, ok bool) {
	faultless := true
	fault := func(code string, args ...any) {
		faultless = false
		r.fault(line, code, args...)
	}
	if slices.ContainsFunc(cells, func(c string) bool { return !utf8.ValidString(c) }) {
		fault(FaultUTF8)
		return e, false
	}
	if len(cells) != columns {
		fault(FaultColumns, "Got", int64(len(cells)), "Want", int64(columns))
		return e, false
	}
	e.OpenID = Plain(strings.TrimSpace(cells[r.openID]))
	key := maphash.String(r.seed, e.OpenID)
	switch first := r.seen[key]; {
	case e.OpenID == "":
		fault(FaultNoOpenID)
	case !models.LikeOpenID(e.OpenID):
		fault(FaultOpenID, "Value", e.OpenID)
	case first != 0:
		fault(FaultDuplicate, "First", int64(first))
	}
	fields := map[string]string{}
	for i, cell := range cells {
		value := Plain(strings.TrimSpace(cell))
		if i == r.openID || value == "" {
			continue
		}
		column := i
		if i > r.openID {
			column--
		}
		name := r.Fields[column]
		if utf8.RuneCountInString(value) > maxValue {
			fault(FaultLong, "Field", name, "Max", int64(maxValue))
		}
		fields[name] = value
	}
	if !faultless {
		return e, false
	}
	r.seen[key] = int32(line) //nolint:gosec // a file of so many lines has at least 40 GB
	e.Fields = encode(fields)
	return e, true
}

// encode returns fields as they are stored: empty for none.
func encode(fields map[string]string) string {
	if len(fields) == 0 {
		return ""
	}
	var b strings.Builder
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	_ = out.Encode(fields) // texts always encode
	return strings.TrimSuffix(b.String(), "\n")
}

func (r *reader) fault(line int, code string, args ...any) {
	if len(r.Faults) == faultsNamed {
		return
	}
	f := Fault{Line: line, Code: code, Args: map[string]any{}}
	for i := 0; i+1 < len(args); i += 2 {
		f.Args[fmt.Sprint(args[i])] = args[i+1]
	}
	r.Faults = append(r.Faults, f)
}

// unreadable adds a fault that no row can be left out for.
func (r *reader) unreadable(line int, code string, args ...any) {
	if !r.Unreadable {
		r.Bad++
	}
	r.Unreadable = true
	r.fault(line, code, args...)
}

var errEndless = errors.New("a row has too many bytes")

// limited reads until left is used up.
type limited struct {
	from io.Reader
	left int
}

// Read implements io.Reader. Its error is errEndless once left is used up.
func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errEndless
	}
	n, err := l.from.Read(p)
	l.left -= n
	return n, err
}
