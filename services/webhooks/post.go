package webhooks

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"wechat-broadcast/models"
)

const (
	// postWithin is how long a post may take, with its answer.
	postWithin = 10 * time.Second
	// maxAnswer is how much of an answer is read, in bytes. Nothing is made of it.
	maxAnswer = 64 << 10
)

// errGone is the answer of a receiver that wants no more of an event.
var errGone = errors.New("status 410")

// newClient returns a client for a URL. It follows no redirect: the event is for the host
// that the operator named alone.
func newClient(to string) *http.Client {
	dialer := &net.Dialer{Timeout: postWithin}
	proxy := http.ProxyFromEnvironment // none for this machine
	if !strings.HasPrefix(to, "https://") {
		dialer.Control, proxy = onlyLoopback, nil
	}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: proxy, DialContext: dialer.DialContext, TLSHandshakeTimeout: postWithin,
			DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 16 << 10,
		},
	}
}

// onlyLoopback refuses to dial another machine, whatever the host's name means today: over
// http:// an event would travel in the clear.
func onlyLoopback(_, address string, _ syscall.RawConn) error {
	if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().IsLoopback() {
		return errors.New("http:// is for this machine alone")
	}
	return nil
}

// sign returns the signature of a body that is posted at a moment in Unix seconds.
func sign(secret, timestamp, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "." + body))
	return "v1," + hex.EncodeToString(mac.Sum(nil))
}

// post posts a webhook once. The error holds neither the URL nor anything of the answer but
// its status.
func (s *Sender) post(ctx context.Context, w models.Webhook) error {
	ctx, cancel := context.WithTimeout(ctx, postWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, strings.NewReader(w.Payload))
	if err != nil {
		return errors.New("WEBHOOK_URL is no URL")
	}
	timestamp := strconv.FormatInt(s.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "wechat-broadcast/"+s.Version)
	req.Header.Set("Webhook-Id", w.EventID)
	req.Header.Set("Webhook-Timestamp", timestamp)
	req.Header.Set("Webhook-Signature", sign(s.Secret, timestamp, w.Payload))
	res, err := s.client.Do(req)
	if err != nil {
		return plainly(ctx, err)
	}
	defer res.Body.Close()
	// Its status says all. The rest is read for receivers that mind a broken connection.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer))
	switch {
	case res.StatusCode == http.StatusGone:
		return errGone
	case res.StatusCode < 200 || res.StatusCode > 299:
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return nil
}

// plainly returns an error of a post without the URL, which may hold a key, and without
// what it quotes of an answer.
func plainly(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", postWithin)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	words, _, _ := strings.Cut(err.Error(), `"`)
	return errors.New(strings.TrimSpace(words))
}
