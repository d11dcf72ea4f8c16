package people

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
)

// maxRecord is how many bytes a row may have. A quotation mark that is never closed
// would have the rest of the file read as one value.
const maxRecord = 1 << 20

// csvReader reads the rows of a CSV or of a text file with an OpenID a line.
type csvReader struct {
	*reader
	limit *limited
	in    *bufio.Reader
	csv   *csv.Reader
	// openID is the column with the OpenIDs, and names are the fields of all columns.
	openID int
	names  []string
	cells  []string
	// line is that of the last row; held is the one that was read ahead.
	line int
	held *record
}

// record is what was read of a CSV: a row, or an error.
type record struct {
	cells []string
	line  int
	err   error
}

// rows reads a CSV or a text file with an OpenID a line.
func (r *reader) rows(from io.Reader) error {
	c := &csvReader{reader: r, limit: &limited{from: from, left: maxRecord}}
	c.in = bufio.NewReaderSize(c.limit, 64<<10)
	line, _ := c.in.Peek(c.in.Size())
	line, _, _ = bytes.Cut(line, []byte("\n"))
	c.csv = csv.NewReader(c.in)
	c.csv.Comma, c.csv.FieldsPerRecord, c.csv.ReuseRecord = separatorOf(string(line)), -1, true
	return c.all()
}

// separatorOf returns the separator by which the first line has a column with OpenIDs, or an
// OpenID.
func separatorOf(line string) rune {
	const separators = ",;\t"
	for _, separator := range separators {
		cells := strings.Split(line, string(separator))
		for i, cell := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cell), `"`)
		}
		if openIDColumn(cells) >= 0 || formColumn(nil, cells) >= 0 {
			return separator
		}
	}
	for _, separator := range separators {
		if strings.ContainsRune(line, separator) {
			return separator
		}
	}
	return ','
}

// next returns the next row.
func (r *csvReader) next() record {
	if r.held != nil {
		next := *r.held
		r.held = nil
		return next
	}
	for {
		r.limit.left = maxRecord
		cells, err := r.csv.Read()
		if err != nil {
			return record{err: err}
		}
		// Spreadsheets write empty rows at the end.
		if slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" }) {
			line, _ := r.csv.FieldPos(0)
			return record{cells: cells, line: line}
		}
	}
}

func (r *csvReader) all() error {
	for {
		next := r.next()
		var malformed *csv.ParseError
		switch {
		case next.err == io.EOF: //nolint:errorlint // of this package, never wrapped
			return nil
		case errors.Is(next.err, errEndless):
			r.unreadable(at{line: r.line + 1}, FaultEndless, "Max", int64(maxRecord))
			return nil
		case errors.As(next.err, &malformed):
			if _, end := r.in.Peek(1); end == io.EOF && malformed.Err == csv.ErrQuote { //nolint:errorlint // of this package, never wrapped
				r.unreadable(at{line: malformed.StartLine}, FaultCut)
				return nil
			}
			if malformed.Line > malformed.StartLine { // the quote took the people of further lines with it
				r.unreadable(at{line: malformed.StartLine}, FaultQuote)
				return nil
			}
			r.Bad++
			r.fault(at{line: malformed.StartLine}, FaultQuote)
			continue
		case next.err != nil:
			return fmt.Errorf("read the file: %w", next.err)
		}
		r.line = next.line
		if r.names == nil {
			next.cells = slices.Clone(next.cells)
			if header := r.head(next.line, next.cells); r.Unreadable {
				return nil
			} else if header {
				continue
			}
		}
		if value := r.swallowed(next.cells); value != "" {
			r.unreadable(at{line: next.line}, FaultSwallowed, "Value", value)
			return nil
		}
		if err := r.row(next.line, next.cells); err != nil {
			return err
		}
	}
}

// swallowed returns what looks like another person's OpenID in a value with line breaks: a
// quotation mark that is not closed takes the next lines with it, up to the next one, and the
// person would be lost. Each line after the first of such a value begins with the first column,
// and the first line ends with the last one.
func (r *csvReader) swallowed(cells []string) string {
	for column, cell := range cells {
		if !strings.Contains(cell, "\n") {
			continue
		}
		for i, line := range strings.Split(cell, "\n") {
			parts, at := strings.Split(line, string(r.csv.Comma)), r.openID
			if i == 0 {
				at -= column
			}
			if i == 0 && at <= 0 || at >= len(parts) {
				continue
			}
			if part := Plain(strings.Trim(strings.TrimSpace(parts[at]), `"`)); models.LikeOpenID(part) {
				return part
			}
		}
	}
	return ""
}

// columns finds the column with the OpenIDs from the first row, and tells whether that is a
// header.
func (r *csvReader) columns(cells []string) (openID int, header bool) {
	if i := openIDColumn(cells); i >= 0 {
		return i, true
	}
	if firstColumn(cells) {
		return 0, false
	}
	if i := formColumn(nil, cells); i >= 0 || len(cells) == 1 {
		return max(0, i), false
	}
	ahead := r.peek()
	r.held = &ahead
	if len(r.held.cells) == len(cells) {
		if i := formColumn(cells, r.held.cells); i >= 0 && isHeader(cells, i) {
			r.Column = strings.TrimSpace(cells[i])
			return i, true
		}
	}
	return 0, false
}

// peek reads the next row ahead.
func (r *csvReader) peek() record {
	r.held = nil
	next := r.next()
	next.cells = slices.Clone(next.cells)
	return next
}

// head learns the columns from the first row, and tells whether that is a header.
func (r *csvReader) head(line int, cells []string) (header bool) {
	r.openID, header = r.columns(cells)
	where := at{line: line}
	if len(cells)-1 > MaxFields {
		r.unreadable(where, FaultManyFields, "Max", int64(MaxFields))
	}
	r.names = make([]string, len(cells))
	for i, name := range cells {
		name = strings.TrimSpace(name)
		switch {
		case i == r.openID:
			continue
		case !header:
			name = fmt.Sprintf("field%d", i+1)
		case !utf8.ValidString(name):
			r.unreadable(where, FaultEncoding)
		case isOpenID(name) || slices.Contains(r.Fields, name):
			r.unreadable(where, FaultFieldTwice, "Name", name)
		case !message.IsFieldName(name):
			r.unreadable(where, FaultFieldName, "Name", name)
		}
		r.names[i] = name
		r.Fields = append(r.Fields, name)
	}
	return header
}

// row adds the person of a row, or all that is wrong with it.
func (r *csvReader) row(line int, cells []string) error {
	where := at{line: line}
	if len(cells) != len(r.names) {
		r.Bad++
		if slices.ContainsFunc(cells, func(c string) bool { return !utf8.ValidString(c) }) {
			r.fault(where, FaultEncoding)
			return nil
		}
		r.fault(where, FaultColumns, "Got", int64(len(cells)), "Want", int64(len(r.names)))
		return nil
	}
	r.cells = r.cells[:0]
	for _, cell := range cells {
		r.cells = append(r.cells, Plain(strings.TrimSpace(cell)))
	}
	return r.add(where, r.cells[r.openID], r.names, r.cells, false)
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
