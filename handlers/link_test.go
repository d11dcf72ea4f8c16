package handlers

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

func testLinks(tb testing.TB, now *time.Time) *Links {
	tb.Helper()
	l, err := NewLinks("https://p.example.com/x", "secret", "token", func() time.Time { return *now })
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func TestLinks(t *testing.T) {
	t.Parallel()
	now := testNow
	l := testLinks(t, &now)
	token, found := strings.CutPrefix(l.Broadcast(1234567), "https://p.example.com/x/b/")
	if !found || len(token) > maxToken {
		t.Fatalf("the address of a broadcast is %q", l.Broadcast(1234567))
	}
	to, ok := l.read(token)
	if !ok || to.kind != linkBroadcast || to.id != 1234567 {
		t.Fatalf("read %+v, %t", to, ok)
	}
	history, _ := strings.CutPrefix(l.History(), "https://p.example.com/x/b/")
	if to, ok := l.read(history); !ok || to.kind != linkHistory {
		t.Fatalf("read %+v, %t of the history", to, ok)
	}

	now = testNow.Add(linkLasts - time.Second)
	if _, ok := l.read(token); !ok {
		t.Error("the link expired early")
	}
	now = testNow.Add(linkLasts)
	if _, ok := l.read(token); ok {
		t.Error("the link did not expire")
	}
}

// The test changes every bit of a token, and its length.
func TestForgedLinksAreRefused(t *testing.T) {
	t.Parallel()
	now := testNow
	l := testLinks(t, &now)
	token := l.token(link{linkBroadcast, 7, now.Add(time.Hour)})
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * len(raw) {
		forged := append([]byte(nil), raw...)
		forged[bit/8] ^= 1 << (bit % 8)
		if to, ok := l.read(base64.RawURLEncoding.EncodeToString(forged)); ok {
			t.Errorf("bit %d changed: taken as %+v", bit, to)
		}
	}
	other, err := NewLinks("", "secrett", "oken", l.now)
	if err != nil {
		t.Fatal(err)
	}
	for name, forged := range map[string]string{
		"empty": "", "short": token[:8], "longer": token + "A", "padded": token + "==",
		"another line": token[:4] + "\n" + token[4:], "huge": strings.Repeat("A", 1<<20),
		"another key": other.token(link{linkBroadcast, 7, now.Add(time.Hour)}),
	} {
		if _, ok := l.read(forged); ok {
			t.Errorf("%s: taken", name)
		}
	}
	if got := other.Broadcast(7); got != "" {
		t.Errorf("without a public address the link is %q", got)
	}
}

func FuzzLinks(f *testing.F) {
	now := testNow
	l := testLinks(f, &now)
	f.Add(l.token(link{linkBroadcast, 7, now.Add(time.Hour)}))
	f.Add(l.token(link{linkHistory, 0, now.Add(-time.Hour)}))
	f.Add("")
	f.Add("assets")
	f.Fuzz(func(t *testing.T, token string) {
		// An accepted token is the one that Links makes.
		if to, ok := l.read(token); ok && l.token(to) != token {
			t.Errorf("%q is taken, but made as %q", token, l.token(to))
		}
	})
}
