package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
)

// The audit is whole, in its order, and harmless to a spreadsheet, beside a process that
// uses the database.
func TestExportAudit(t *testing.T) {
	t.Parallel()
	settings := testSettings(t, nil)
	p := testProcess(t, settings)
	ctx := t.Context()
	if err := p.only().store.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	text := "wechat_app_id: wxba5fad812f8e6fb9\nwechat_app_secret: secret\nwechat_token: token\ndatabase_url: sqlite://" + filepath.ToSlash(settings.Accounts[0].Database.DSN) + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 26, 16, 30, 5, 0, time.UTC)
	want := [][]string{{"at", "admin", "action", "target", "detail"}}
	exported := func() [][]string {
		t.Helper()
		var out bytes.Buffer
		var faults logText
		if code := run(ctx, []string{"export", "audit", "--config", config}, strings.NewReader(""), &out, &faults); code != exitOK {
			t.Fatalf("exit code %d: %s", code, &faults)
		}
		rows, err := csv.NewReader(&out).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	if diff := cmp.Diff(want, exported()); diff != "" {
		t.Errorf("an empty one (-want +got):\n%s", diff)
	}
	add := func(target, detail, shownTarget, shownDetail string) {
		t.Helper()
		a := models.Audit{At: models.At(at), Admin: "oAdmin", Action: "pause", Target: target, Detail: detail, MessageKey: fmt.Sprint(len(want))}
		if err := p.only().store.AddAudit(context.WithoutCancel(ctx), a); err != nil {
			t.Fatal(err)
		}
		want = append(want, []string{"2026-11-27 00:30:05", "oAdmin", "pause", shownTarget, shownDetail})
	}
	add("#7", "群发全部 “闭馆”\nthing1=周三, 周四", "#7", "群发全部 “闭馆”\nthing1=周三, 周四")
	add("=HYPERLINK(1)", "@sum", "'=HYPERLINK(1)", "'@sum")
	for range exportPage {
		add("#8", "pause #8", "#8", "pause #8")
	}
	if diff := cmp.Diff(want, exported()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestExportNamesWhatItCanExport(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"export"}, {"export", "nothing"}, {"export", "audit", "more"}} {
		var out bytes.Buffer
		var faults logText
		code := run(t.Context(), args, strings.NewReader(""), &out, &faults)
		if code != exitUsage || out.Len() != 0 || !strings.Contains(faults.String(), "--help") {
			t.Errorf("%q: exit code %d\n%s%s", args, code, &out, &faults)
		}
	}
}
