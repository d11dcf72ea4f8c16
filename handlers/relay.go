package handlers

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/silenceper/wechat/v2/util"

	"wechat-broadcast/models"
)

const (
	// relaysAtOnce is how many callbacks are handed on at a time. One more waits for
	// relayWaits, and is then answered without the existing server.
	relaysAtOnce = 64
	relayWaits   = 500 * time.Millisecond
	// relaySpare is what is left of answerWithin when the existing server's time is over:
	// the answer must be written by then.
	relaySpare = 300 * time.Millisecond
	// relayDials is how long a connection may take.
	relayDials = 2 * time.Second
	// maxRelayed is how large an answer may be, in bytes; the platform's longest reply,
	// eight articles, has less.
	maxRelayed = 64 << 10
	// relayVia marks what was handed on (RFC 9110, section 7.6.3), so that a URL that
	// leads back here is noticed.
	relayVia = "1.1 wechat-broadcast"
)

// relay hands callbacks on to the server that the account's callback went to before.
// Nothing of what it does can delay another callback: it has no lock, and keeps no
// connection.
type relay struct {
	cfg    CallbackConfig
	target *url.URL
	client *http.Client
	slots  chan struct{}
	log    *slog.Logger
}

// relayed is an answer of the existing server that was found fit to be returned, or
// the reason why there is none.
type relayed struct {
	body        []byte
	contentType string
	err         error
}

// newRelay returns a relay to cfg.UnknownText, or nil if that is no URL. With one that
// can't be parsed every handover fails.
func newRelay(cfg CallbackConfig) *relay {
	if !strings.Contains(cfg.UnknownText, "://") {
		return nil
	}
	target, err := url.Parse(cfg.UnknownText)
	if err != nil {
		target = &url.URL{}
	}
	dialer := &net.Dialer{Timeout: relayDials}
	if target.Scheme != "https" {
		dialer.Control = onlyLoopback
	}
	return &relay{
		cfg: cfg, target: target, slots: make(chan struct{}, relaysAtOnce), log: cfg.Log,
		client: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			// It uses no proxy. Connections are not kept: what is left over on one must not
			// be taken for the answer to another person.
			Transport: &http.Transport{
				DialContext: dialer.DialContext, TLSHandshakeTimeout: relayDials,
				DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 16 << 10,
			},
		},
	}
}

// onlyLoopback refuses to dial another machine, whatever the host's name means today:
// over http:// people's texts would travel in the clear.
func onlyLoopback(_, address string, _ syscall.RawConn) error {
	if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().IsLoopback() {
		return errors.New("http:// is for this machine alone")
	}
	return nil
}

// copyOf hands a copy of a callback on while the program acts on it itself. The
// answer can be read from the channel once, or not at all; the handover ends by the
// deadline of ctx, and not with ctx.
func (r *relay) copyOf(ctx context.Context, m *received) <-chan relayed {
	answer := make(chan relayed, 1)
	until, _ := ctx.Deadline()
	go func() {
		ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), until)
		defer cancel()
		answer <- r.ask(ctx, m)
	}()
	return answer
}

// ask hands a callback on and returns the existing server's answer: a body as it came,
// if the platform can take it for this person. Every failure is logged, and none is
// tried again. ctx must have a deadline.
func (r *relay) ask(ctx context.Context, m *received) relayed {
	until, _ := ctx.Deadline()
	ctx, cancel := context.WithDeadline(ctx, until.Add(-relaySpare))
	defer cancel()
	body, err := r.exchange(ctx, m)
	if err == nil {
		var contentType string
		if contentType, err = r.judge(m, body); err == nil {
			return relayed{body: body, contentType: contentType}
		}
	}
	r.log.WarnContext(ctx, "the existing server gave no answer that can be used", "kind", m.kind,
		"openid", models.MaskOpenID(m.openID()), "err", masked(err.Error(), m.openID()))
	return relayed{err: err}
}

// exchange posts a callback and returns the body of the answer. The error holds
// neither URL nor content.
func (r *relay) exchange(ctx context.Context, m *received) ([]byte, error) {
	if m.via {
		return nil, errors.New("it was handed on by this program: UNKNOWN_TEXT leads back here")
	}
	leave, err := r.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	req, err := r.request(ctx, m)
	if err != nil {
		return nil, err
	}
	res, err := r.client.Do(req)
	if err != nil {
		return nil, plainly(ctx, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", res.StatusCode)
	}
	if err := checkType(res.Header.Get("Content-Type")); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxRelayed+1))
	switch {
	case err != nil:
		return nil, plainly(ctx, err)
	case len(body) > maxRelayed:
		return nil, errors.New("an answer over 64 KiB")
	}
	return body, nil
}

// plainly returns an error of an exchange without the URL, which is signed, and without
// what it quotes of an answer.
func plainly(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("no answer in time")
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	words, _, _ := strings.Cut(err.Error(), `"`)
	return errors.New(strings.TrimSpace(words))
}

// enter takes one of the places for a handover. leave must follow.
func (r *relay) enter(ctx context.Context) (leave func(), err error) {
	timer := time.NewTimer(relayWaits)
	defer timer.Stop()
	select {
	case r.slots <- struct{}{}:
		return func() { <-r.slots }, nil
	case <-timer.C:
		return nil, fmt.Errorf("%d others wait for it", relaysAtOnce)
	case <-ctx.Done():
		return nil, errors.New("no time left for it")
	}
}

// request makes the request that the platform would make: the body byte for byte, with
// a signature of now (WeChat: server config and message encryption docs). The one
// that it came with would be refused if the server looks for replays.
func (r *relay) request(ctx context.Context, m *received) (*http.Request, error) {
	chance, err := rand.Int(rand.Reader, big.NewInt(1e10))
	if err != nil {
		return nil, fmt.Errorf("make a nonce: %w", err)
	}
	stamp, nonce := strconv.FormatInt(r.cfg.Now().Unix(), 10), chance.String()
	q := r.target.Query()
	q.Set("signature", util.Signature(r.cfg.Token, stamp, nonce))
	q.Set("timestamp", stamp)
	q.Set("nonce", nonce)
	if m.urlOpenID != "" {
		q.Set("openid", m.urlOpenID)
	}
	if r.cfg.AESKey != "" {
		encrypted, err := findEncrypted(m.body)
		if err != nil {
			return nil, err
		}
		q.Set("encrypt_type", "aes")
		q.Set("msg_signature", util.Signature(r.cfg.Token, stamp, nonce, encrypted))
	}
	target := *r.target
	target.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(m.body))
	if err != nil {
		return nil, errors.New("UNKNOWN_TEXT is no URL")
	}
	req.Header.Set("Content-Type", m.contentType)
	req.Header.Set("User-Agent", m.userAgent)
	req.Header.Set("Via", relayVia)
	return req, nil
}
