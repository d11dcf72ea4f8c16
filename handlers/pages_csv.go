package handlers

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/progress"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
)

const (
	csvPage = 1000 // recipients read at a time
	maxCSVs = 4    // downloads at a time
	// writeWithin is how long a client may take to take a page of them.
	writeWithin = 10 * time.Second
	// byteOrderMark tells spreadsheets that the text is UTF-8.
	byteOrderMark = "\uFEFF"
)

// failedCSV answers with the recipients whose deliveries failed or are uncertain. Once
// these are deleted it answers with how many there were for each cause.
func (p *Pages) failedCSV(g *gin.Context) {
	to, ok := p.read(g, linkBroadcast)
	if !ok {
		return
	}
	select {
	case p.csvs <- struct{}{}:
		defer func() { <-p.csvs }()
	default:
		g.Header("Retry-After", "30")
		p.errorPage(g, http.StatusServiceUnavailable, "busy")
		return
	}
	ctx := g.Request.Context()
	page, err := p.config.Store.Unreached(ctx, to.id, 0, csvPage)
	var st *broadcast.Status
	if err == nil {
		st, err = p.config.Engine.Status(ctx, to.id) // one that does not exist has no list either
	}
	var causes []models.Failures
	if err == nil && !st.Broadcast.TalliedAt.IsZero() {
		causes, err = p.config.Store.CountFailures(ctx, to.id)
	}
	if err != nil {
		p.fail(g, err)
		return
	}
	h := g.Writer.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="broadcast-%d-failed.csv"`, to.id))
	w := p.words(g)
	control := http.NewResponseController(g.Writer)
	out := csv.NewWriter(g.Writer)
	out.UseCRLF = true
	_, _ = g.Writer.WriteString(byteOrderMark)
	if !st.Broadcast.TalliedAt.IsZero() { // who they were is deleted
		_ = out.WriteAll(csvCounts(w, causes, st.Broadcast.TalliedAt.Time)) // nothing follows that an error could spoil
		return
	}
	_ = out.Write(csvHead(w)) // its error is told by Flush
	for {
		_ = control.SetWriteDeadline(time.Now().Add(writeWithin))
		for _, u := range page {
			_ = out.Write(csvRow(w, u))
		}
		out.Flush()
		if out.Error() != nil || len(page) < csvPage {
			return
		}
		if page, err = p.moreUnreached(ctx, to.id, page[len(page)-1].RecipientID); err != nil {
			noteOf(g).err = err
			// An aborted connection tells the client that the list is not complete.
			panic(http.ErrAbortHandler)
		}
	}
}

// moreUnreached returns the next page after a recipient. Of deliveries that are deleted
// meanwhile it is an error: the list would lack some.
func (p *Pages) moreUnreached(ctx context.Context, id, after int64) ([]models.Unreached, error) {
	page, err := p.config.Store.Unreached(ctx, id, after, csvPage)
	if err != nil {
		return nil, err
	}
	gone, err := p.config.Store.DeliveriesGone(ctx, id)
	if err == nil && !gone.IsZero() {
		err = errors.New("the deliveries of the broadcast are being deleted")
	}
	return page, err
}

func csvHead(w *progress.Words) []string {
	var head []string
	for _, column := range []string{"openid", "state", "code", "cause", "words", "attempts", "sent_at"} {
		head = append(head, w.Say("csv."+column))
	}
	return head
}

// csvCounts has a row for each cause of failures, with how many recipients it had, and one
// that says when their names were deleted.
func csvCounts(w *progress.Words, causes []models.Failures, deleted time.Time) [][]string {
	rows := [][]string{{w.Say("csv.state"), w.Say("csv.code"), w.Say("csv.cause"), w.Say("csv.words"), w.Say("csv.recipients")}}
	for _, f := range causes {
		row := csvRow(w, models.Unreached{State: f.State, ErrCode: f.ErrCode, Detail: f.Detail})
		rows = append(rows, append(row[1:5:5], strconv.FormatInt(f.N, 10)))
	}
	return append(rows, []string{"", "", w.Say("csv.deleted", lang.Vars{"At": lang.Moment(deleted)}), "", ""})
}

func csvRow(w *progress.Words, u models.Unreached) []string {
	code := ""
	if u.ErrCode != 0 {
		code = strconv.Itoa(u.ErrCode)
	}
	cause, more := w.Cause(u.State, u.ErrCode, u.Detail).What, w.Noted(u.State, u.ErrCode, u.Detail)
	if more.Own != "" {
		cause = w.Say("csv.with", lang.Vars{"Cause": cause, "More": more.Own})
	}
	return []string{
		Cell(u.OpenID), w.Say("csv." + string(u.State)), code, cause,
		Cell(more.Answer), strconv.Itoa(u.Attempts), lang.Moment(u.SentAt.Time),
	}
}

// Cell makes a text that came from outside harmless to a spreadsheet, which
// would take some for a formula.
func Cell(text string) string {
	if strings.TrimLeft(text, " ") != "" && strings.ContainsRune("=+-@\t\r\n|%", rune(strings.TrimLeft(text, " ")[0])) {
		return "'" + text
	}
	return text
}
