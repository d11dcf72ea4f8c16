package console

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

const (
	csvRows = 1000 // rows read at a time
	maxCSVs = 4    // downloads at a time
	// csvWithin is how long a client may take to take the rows that were read.
	csvWithin = time.Minute
	// byteOrderMark tells spreadsheets that the text is UTF-8.
	byteOrderMark = "\uFEFF"
)

// downloads tells whether there is room for one more download, and answers if there is
// none. done must follow.
func (c *Console) downloads(g *gin.Context, s *visit) (done func(), ok bool) {
	select {
	case c.csvs <- struct{}{}:
		return func() { <-c.csvs }, true
	default:
		g.Header("Retry-After", "30")
		c.refuse(g, s, http.StatusServiceUnavailable, "busy")
		return nil, false
	}
}

// table is a list to download, read csvRows rows at a time.
type table[T any] struct {
	file  string
	head  []string
	cells func(row T) []string
	// next returns the rows after one.
	next func(last T) ([]T, error)
	// whole is an error if what was read may lack rows; nil if it never does.
	whole func() error
}

// write writes the first rows, and all further ones as they are read. An aborted connection
// tells the client that the list is not complete.
func (t table[T]) write(g *gin.Context, rows []T) {
	h := g.Writer.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", t.file))
	_, _ = g.Writer.WriteString(byteOrderMark)
	control := http.NewResponseController(g.Writer)
	out := csv.NewWriter(g.Writer)
	out.UseCRLF = true
	_ = out.Write(t.head) // its error is told by Flush
	var err error
	for err == nil {
		_ = control.SetWriteDeadline(time.Now().Add(csvWithin))
		for _, row := range rows {
			_ = out.Write(t.cells(row))
		}
		out.Flush()
		if out.Error() != nil { // the client went away
			return
		}
		if len(rows) < csvRows {
			break
		}
		rows, err = t.next(rows[len(rows)-1])
	}
	if err == nil && t.whole != nil {
		err = t.whole()
	}
	if err != nil {
		_ = g.Error(err)
		panic(http.ErrAbortHandler)
	}
}
