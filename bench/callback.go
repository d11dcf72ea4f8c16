package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/silenceper/wechat/v2/officialaccount/message"
	"github.com/silenceper/wechat/v2/util"
	"github.com/valyala/fasthttp"

	"wechat-broadcast/config"
)

// callersTask is a row of people who each ask for their OpenID, in safe mode.
type callersTask struct {
	URL         string
	N, InFlight int
}

// callback compares the program's callback with a bare Gin handler.
func (b *bench) callback(ctx context.Context) error {
	for range b.Rounds {
		gin, err := launch(ctx, "gin", struct{}{})
		if err != nil {
			return err
		}
		url, err := gin.line()
		if err != nil {
			return err
		}
		if err := errors.Join(b.calls(ctx, gin, url, &b.results.Gin), gin.stop()); err != nil {
			return err
		}
		if err := b.onServer(ctx, config.SQLite, overTLS, nil, func(s *server) error {
			return b.calls(ctx, s.process, s.url, &b.results.Callback)
		}); err != nil {
			return err
		}
	}
	return nil
}

// calls has people call a server.
func (b *bench) calls(ctx context.Context, server *process, url string, into *loopSeries) error {
	before, err := cpuOf(server.cmd.Process.Pid)
	if err != nil {
		return err
	}
	m, err := run[sample](ctx, "callers", callersTask{URL: url, N: b.Calls, InFlight: callers})
	if err != nil {
		return err
	}
	after, err := cpuOf(server.cmd.Process.Pid)
	m.CPU = after - before // the server's
	into.add(m)
	return err
}

// callCallback prepares the messages, then sends them.
func callCallback(ctx context.Context, task callersTask, _ func(string)) (sample, error) {
	type prepared struct{ url, body string }
	calls := make([]prepared, task.N)
	for i := range calls {
		openID := openIDOf(i)
		query, body, err := safeMode.wrap(openID, textOf(openID, "openid", int64(firstMsgID+i)))
		if err != nil {
			return sample{}, err
		}
		calls[i] = prepared{task.URL + "/wechat" + query, body}
	}
	client := &fasthttp.Client{MaxConnsPerHost: task.InFlight}
	defer client.CloseIdleConnections()
	return everyone(ctx, task.N, task.InFlight, func(_ context.Context, i int) error {
		return post(client, calls[i].url, "text/xml", []byte(calls[i].body), func(status int, body []byte) error {
			if status != http.StatusOK || !bytes.Contains(body, []byte("<Encrypt>")) {
				return fmt.Errorf("call: HTTP %d, %.100q", status, body)
			}
			return nil
		})
	})
}

// post makes one call with fasthttp, which takes the least of what both have of the machine,
// and hands over its answer.
func post(client *fasthttp.Client, url, contentType string, body []byte, read func(status int, body []byte) error) error {
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(res)
	req.SetRequestURI(url)
	req.Header.SetMethod(fasthttp.MethodPost)
	req.Header.SetContentType(contentType)
	req.SetBodyRaw(body)
	if err := client.DoTimeout(req, res, 10*time.Second); err != nil {
		return fmt.Errorf("call: %w", err)
	}
	return read(res.StatusCode(), res.Body())
}

// serveBareGin is the least that answers in safe mode: it checks the signature,
// decrypts, encrypts and signs. It logs, remembers and checks nothing else.
func serveBareGin(ctx context.Context, _ struct{}, say func(string)) (struct{}, error) {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.POST("/wechat", func(g *gin.Context) {
		body, err := answerOpenID(g)
		if err != nil {
			g.String(http.StatusForbidden, "%s", err)
			return
		}
		g.Data(http.StatusOK, "application/xml; charset=utf-8", body)
	})
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return struct{}{}, fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: router, ReadHeaderTimeout: 5 * time.Second}
	say("http://" + listener.Addr().String())
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return struct{}{}, fmt.Errorf("serve: %w", err)
	}
	return struct{}{}, nil
}

func answerOpenID(g *gin.Context) ([]byte, error) {
	var sealed message.EncryptedXMLMsg
	if err := xml.NewDecoder(g.Request.Body).Decode(&sealed); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	timestamp, nonce := g.Query("timestamp"), g.Query("nonce")
	if g.Query("msg_signature") != util.Signature(callbackToken, timestamp, nonce, sealed.EncryptedMsg) {
		return nil, errors.New("wrong signature")
	}
	_, plain, err := util.DecryptMsg(appID, sealed.EncryptedMsg, callbackKey)
	if err != nil {
		return nil, fmt.Errorf("decrypt: %w", err)
	}
	var msg message.MixMessage
	if err := xml.Unmarshal(plain, &msg); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	now := time.Now().Unix()
	reply, err := xml.Marshal(message.Text{
		CommonToken: message.CommonToken{
			ToUserName: msg.FromUserName, FromUserName: msg.ToUserName, CreateTime: now, MsgType: message.MsgTypeText,
		},
		Content: msg.FromUserName,
	})
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	random := make([]byte, 16)
	_, _ = rand.Read(random) // it never fails
	encrypted, err := util.EncryptMsg(random, reply, appID, callbackKey)
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return xml.Marshal(message.ResponseEncryptedXMLMsg{
		EncryptedMsg: string(encrypted), Timestamp: now, Nonce: nonce,
		MsgSignature: util.Signature(callbackToken, strconv.FormatInt(now, 10), nonce, string(encrypted)),
	})
}
