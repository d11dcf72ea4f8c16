package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/progress"
	"wechat-broadcast/models"
)

// deliveriesCSV answers with what became of a broadcast for each recipient who was tried.
func (c *Console) deliveriesCSV(g *gin.Context, s *visit) {
	id, ok := c.broadcastID(g, s)
	if !ok {
		return
	}
	done, ok := c.downloads(g, s)
	if !ok {
		return
	}
	defer done()
	ctx := g.Request.Context()
	b, err := c.config.Store.FindBroadcast(ctx, id)
	var rows []models.DeliveryRow
	if err == nil && b.TalliedAt.IsZero() {
		rows, err = c.config.Store.DeliveriesAfter(ctx, id, 0, csvRows)
	}
	switch {
	case err != nil:
		c.fail(g, s, err)
	case !b.TalliedAt.IsZero():
		c.refuse(g, s, http.StatusGone, "deleted")
	default:
		table[models.DeliveryRow]{
			file: fmt.Sprintf("broadcast-%d-deliveries.csv", id), head: progress.DeliveryHead, cells: progress.DeliveryCells,
			next: func(last models.DeliveryRow) ([]models.DeliveryRow, error) {
				return c.config.Store.DeliveriesAfter(ctx, id, last.RecipientID, csvRows)
			},
			whole: func() error { return c.kept(ctx, id) },
		}.write(g, rows)
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
