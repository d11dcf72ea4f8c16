package progress

import (
	"strconv"

	"wechat-broadcast/models"
	"wechat-broadcast/services/people"
)

// DeliveryHead names the columns of the deliveries of a broadcast as CSV.
var DeliveryHead = []string{"openid", "state", "errcode", "msgid", "detail", "attempts", "sent_at", "updated_at"}

// DeliveryCells are those of a delivery, harmless to a spreadsheet.
func DeliveryCells(d models.DeliveryRow) []string {
	return []string{
		people.Cell(d.OpenID), string(d.State), strconv.Itoa(d.ErrCode), strconv.FormatInt(d.MsgID, 10),
		people.Cell(d.Detail), strconv.Itoa(d.Attempts), people.Moment(d.SentAt), people.Moment(d.UpdatedAt),
	}
}
