package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// tried stores a broadcast with a key to each of the people, and what became of each, with
// the state of its number.
func tried(t *testing.T, store *models.Store, key string, openIDs []string, outcomes func(i int) models.Outcome) int64 {
	t.Helper()
	ctx, at := t.Context(), time.Date(2026, 11, 26, 16, 30, 5, 123_000_000, time.UTC)
	b := &models.Broadcast{RequestKey: key, Name: "notice", Message: "{}", Audience: models.AudienceAll, AskedBy: "oAdmin", State: models.Running, AskedAt: models.At(at)}
	if _, err := store.CreateBroadcast(ctx, b, models.Asked{Again: true}); err != nil {
		t.Fatal(err)
	}
	number, err := store.OpenImport(ctx, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var people []models.Confirmed
	for _, openID := range openIDs {
		people = append(people, models.Confirmed{OpenID: openID})
	}
	if err := store.AddConfirmed(ctx, people, at, number); err != nil {
		t.Fatal(err)
	}
	known, err := store.FollowersAfter(ctx, 0, 2*exportPage)
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	var list []models.Outcome
	for _, r := range known {
		i := slices.Index(openIDs, r.OpenID)
		if i < 0 {
			continue
		}
		ids = append(ids, r.ID)
		if o := outcomes(i); o.State != "" {
			o.BroadcastID, o.RecipientID, o.SentAt = b.ID, r.ID, at
			list = append(list, o)
		}
	}
	if err := modelstest.Claim(ctx, store, b.ID, ids, at); err != nil {
		t.Fatal(err)
	}
	if err := store.RecordOutcomes(ctx, list, at.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	return b.ID
}

// The export has a row for everyone who was tried, whatever became of them, harmless to a
// spreadsheet, and nobody of another broadcast.
func TestExportDeliveries(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d *importDesk, _ string) {
		const sent, recorded = "2026-11-27T00:30:05.123+08:00", "2026-11-27T00:30:06.123+08:00"
		details := []string{"", "=HYPERLINK(1)", "+1", "-2", "@sum", "user block", "a, \"b\"\nc"}
		var openIDs []string
		want := [][]string{{"openid", "state", "errcode", "msgid", "detail", "attempts", "sent_at", "updated_at"}}
		for i := range exportPage + len(details) {
			openID, detail := modelstest.OpenID(i), details[min(i, len(details)-1)]
			if i == 1 {
				openID = "-" + openID[1:]
			}
			openIDs = append(openIDs, openID)
			row := []string{openID, "failed", "43004", fmt.Sprint(1000 + i), detail, "2", sent, recorded}
			if i == 1 {
				row[0] = "'" + openID
			}
			if 0 < i && i < 5 {
				row[4] = "'" + detail
			}
			if i == 0 {
				row[1], row[2] = "accepted", "-1"
			}
			want = append(want, row)
		}
		openIDs = append(openIDs, modelstest.OpenID(9000)) // of whom it is not known yet
		want = append(want, []string{modelstest.OpenID(9000), "sending", "0", "0", "", "0", sent, sent})
		outcome := func(i int) models.Outcome {
			if i == len(openIDs)-1 {
				return models.Outcome{}
			}
			o := models.Outcome{State: models.FailedFor, ErrCode: 43004, MsgID: int64(1000 + i), Detail: details[min(i, len(details)-1)], Attempts: 2}
			if i == 0 {
				o.State, o.ErrCode = models.Accepted, -1
			}
			return o
		}
		slices.SortFunc(want[1:], func(a, b []string) int { return strings.Compare(a[0], b[0]) }) // as they were added
		id := tried(t, d.store, "1", openIDs, outcome)
		other := tried(t, d.store, "2", openIDs[:1], outcome)
		for _, number := range []string{fmt.Sprint(id), fmt.Sprintf(" #%d", id)} {
			out := d.done("", "export", "deliveries", "--broadcast", number)
			rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, rows); diff != "" {
				t.Errorf("%q (-want +got):\n%s", number, diff)
			}
		}
		if out := d.done("", "export", "deliveries", "--broadcast", fmt.Sprint(other)); strings.Count(out, "\n") != 2 {
			t.Errorf("another broadcast:\n%s", out)
		}
	})
}

// What is no broadcast is named, and nothing is printed.
func TestExportDeliveriesNamesWhatIsNoBroadcast(t *testing.T) {
	t.Parallel()
	for i, language := range lang.Languages {
		d := newImportDesk(t, "sqlite", language)
		for value, c := range map[string]struct {
			code int
			want [2]string
		}{
			"7":                    {exitFailed, [2]string{"没有群发 #7", "no broadcast #7"}},
			"x":                    {exitUsage, [2]string{"「x」不是群发的编号", "x is no number of a broadcast"}},
			"0":                    {exitUsage, [2]string{"「0」不是", "0 is no number"}},
			"-1":                   {exitUsage, [2]string{"-1", "-1"}},
			"1.5":                  {exitUsage, [2]string{"「1.5」不是", "1.5 is no number"}},
			"99999999999999999999": {exitUsage, [2]string{"99999999999999999999", "99999999999999999999"}},
		} {
			code, out, faults := d.run("", "export", "deliveries", "--broadcast="+value)
			if code != c.code || out != "" || !strings.Contains(faults, c.want[i]) {
				t.Errorf("%s: exit code %d\n%s%s", value, code, out, faults)
			}
		}
		if code, out, faults := d.run("", "export", "deliveries"); code != exitUsage || out != "" || !strings.Contains(faults, "--broadcast=N") {
			t.Errorf("no number: exit code %d\n%s%s", code, out, faults)
		}
	}
}

// Of several accounts one is chosen, and the export is of its database alone.
func TestExportDeliveriesOfAnAccount(t *testing.T) {
	t.Parallel()
	text := "language: en\naccounts:\n"
	want := map[string]string{}
	for i, name := range []string{"library", "museum"} {
		url := "sqlite://" + filepath.ToSlash(modelstest.SQLiteFile(t))
		store := testProcess(t, testSettings(t, map[string]string{"DATABASE_URL": url})).only().store
		want[name] = modelstest.OpenID(i)
		tried(t, store, "1", []string{want[name]}, func(int) models.Outcome { return models.Outcome{State: models.Accepted, MsgID: 7, Attempts: 1} })
		text += fmt.Sprintf("  %s:\n    wechat_app_id: wxba5fad812f8e6fb%d\n    wechat_app_secret: %s\n    wechat_token: token\n    database_url: %s\n", name, i, importSecret, url)
	}
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &importDesk{t: t, config: path}
	for name, openID := range want {
		if out := d.done("", "export", "deliveries", "--broadcast", "1", "--account", name); strings.Count(out, "\n") != 2 || !strings.Contains(out, "\n"+openID+",accepted,") {
			t.Errorf("%s:\n%s", name, out)
		}
	}
	if code, out, faults := d.run("", "export", "deliveries", "--broadcast", "1"); code != exitUsage || out != "" || !strings.Contains(faults, "museum") {
		t.Errorf("no account: exit code %d\n%s%s", code, out, faults)
	}
}
