package console

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/progress"
	"wechat-broadcast/models"
)

const (
	csvPage = 1000 // recipients read at a time
	maxCSVs = 4    // downloads at a time
	// csvWithin is how long a client may take to take a page of them.
	csvWithin = 10 * time.Second
	// byteOrderMark tells spreadsheets that the text is UTF-8.
	byteOrderMark = "\uFEFF"
)

// deliveriesCSV answers with what became of a broadcast for each recipient who was tried,
// page by page.
func (c *Console) deliveriesCSV(g *gin.Context, s *visit) {
	id, ok := c.broadcastID(g, s)
	if !ok {
		return
	}
	select {
	case c.csvs <- struct{}{}:
		defer func() { <-c.csvs }()
	default:
		g.Header("Retry-After", "30")
		c.refuse(g, s, http.StatusServiceUnavailable, "busy")
		return
	}
	ctx := g.Request.Context()
	b, err := c.config.Store.FindBroadcast(ctx, id)
	var page []models.DeliveryRow
	if err == nil && b.TalliedAt.IsZero() {
		page, err = c.config.Store.DeliveriesAfter(ctx, id, 0, csvPage)
	}
	switch {
	case err != nil:
		c.fail(g, s, err)
		return
	case !b.TalliedAt.IsZero():
		c.refuse(g, s, http.StatusGone, "deleted")
		return
	}
	h := g.Writer.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="broadcast-%d-deliveries.csv"`, id))
	_, _ = g.Writer.WriteString(byteOrderMark)
	if err := c.writeDeliveries(ctx, g.Writer, id, page); err != nil {
		_ = g.Error(err)
		// An aborted connection tells the client that the list is not complete.
		panic(http.ErrAbortHandler)
	}
}

// writeDeliveries writes the first page of deliveries, and all further ones as they are
// read. Of a client that went away it tells nothing.
func (c *Console) writeDeliveries(ctx context.Context, w http.ResponseWriter, id int64, page []models.DeliveryRow) error {
	control := http.NewResponseController(w)
	out := csv.NewWriter(w)
	out.UseCRLF = true
	_ = out.Write(progress.DeliveryHead) // its error is told by Flush
	for {
		_ = control.SetWriteDeadline(time.Now().Add(csvWithin))
		for _, d := range page {
			_ = out.Write(progress.DeliveryCells(d))
		}
		out.Flush()
		if out.Error() != nil {
			return nil
		}
		if len(page) < csvPage {
			return c.kept(ctx, id)
		}
		var err error
		if page, err = c.config.Store.DeliveriesAfter(ctx, id, page[len(page)-1].RecipientID, csvPage); err != nil {
			return err
		}
	}
}

// kept is an error if the deliveries of a broadcast are deleted: a list that was read
// meanwhile may lack some.
func (c *Console) kept(ctx context.Context, id int64) error {
	gone, err := c.config.Store.DeliveriesGone(ctx, id)
	if err == nil && !gone.IsZero() {
		err = errors.New("the deliveries of the broadcast are being deleted")
	}
	return err
}
