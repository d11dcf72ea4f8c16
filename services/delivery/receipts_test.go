package delivery

import (
	"strings"
	"testing"

	"wechat-broadcast/models"
)

func TestReceiptState(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status string
		state  models.DeliveryState
		detail string
	}{
		{"success", models.Delivered, ""},
		{" Success\n", models.Delivered, ""},
		{"SUCCESS", models.Delivered, ""},
		{"failed:user block", models.Blocked, "failed: user block"},
		{"failed: user block", models.Blocked, "failed: user block"},
		{"failed :user block", models.Blocked, "failed: user block"},
		{"Failed:User  Block", models.Blocked, "failed: user block"},
		{"failed：user block", models.Blocked, "failed: user block"},
		{"failed:userblock", models.Blocked, "failed: userblock"},
		{"failed: system failed", models.FailedFor, "failed: system failed"},
		{"failed:system failed", models.FailedFor, "failed: system failed"},
		{"failed:freq limit", models.FailedFor, "failed: freq limit"},
		{"failed", models.FailedFor, "failed"},
		{"successful", models.FailedFor, "successful"},
		{"", models.FailedFor, ""},
	}
	for _, test := range tests {
		t.Run(test.status, func(t *testing.T) {
			t.Parallel()
			state, detail := receiptState(test.status)
			if state != test.state || detail != test.detail {
				t.Errorf("%q is %s (%q), want %s (%q)", test.status, state, detail, test.state, test.detail)
			}
		})
	}
}

func FuzzReceiptState(f *testing.F) {
	for _, s := range []string{"success", "failed:user block", "failed: system failed", "failed:freq limit", "\xff:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, status string) {
		state, _ := receiptState(status)
		switch state {
		case models.Delivered, models.Blocked, models.FailedFor:
		default:
			t.Errorf("%q is %s", status, state)
		}
		if again, _ := receiptState("  " + strings.ToUpper(status) + "\t"); again != state && strings.ToLower(strings.ToUpper(status)) == strings.ToLower(status) { //nolint:staticcheck // the folding that receiptState does
			t.Errorf("%q is %s, in capitals %s", status, state, again)
		}
	})
}
