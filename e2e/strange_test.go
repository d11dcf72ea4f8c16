package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Receipts that come at once with words of any length are all taken: those with
// few words do not pay for the others, and the platform has none to send again.
func TestReceiptsWithStrangeWords(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, db database) {
		const receipts = 160
		p := startPlatform(t, "--followers", "3")
		s := startServer(t, p, db.url, nil)
		var all sync.WaitGroup
		for i := range receipts {
			status := "success"
			if i%20 == 0 {
				status = "failed:" + strings.Repeat("系统失败", 75+i)
			}
			body := message(fmt.Sprintf("<MsgType>event</MsgType><Event>TEMPLATESENDJOBFINISH</Event><MsgID>%d</MsgID><Status>%s</Status>", i+1, status))
			all.Go(func() {
				code, answer := post{body: strings.NewReader(body), nonce: "n" + itoa(int64(i))}.send(t, s, http.MethodPost)
				if code != http.StatusOK || answer != "success" {
					t.Errorf("receipt %d is answered %d %q", i, code, answer)
				}
			})
		}
		all.Wait()
		var kept int
		if err := openPool(t, db).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM receipts").Scan(&kept); err != nil || kept != receipts {
			t.Errorf("%d of %d receipts are kept for their sends: %v", kept, receipts, err)
		}
	})
}
