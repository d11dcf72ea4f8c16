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
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/silenceper/wechat/v2/officialaccount/message"
	"github.com/silenceper/wechat/v2/util"
	"github.com/valyala/fasthttp"

	"wechat-broadcast/config"
)

// The account whose callback is called.
const (
	callbackApp   = "wxd0a1b2c3d4e5f607"
	callbackToken = "benchtokenbenchtoken"
	callbackKey   = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
)

// callersTask is a row of people who each ask for their OpenID, in safe mode.
type callersTask struct {
	URL         string
	N, InFlight int
}

// callback compares the program's callback with a bare Gin handler.
func (b *bench) callback(ctx context.Context) error {
	file, err := buildProgram(ctx, b.folder)
	if err != nil {
		return err
	}
	for range b.Rounds {
		gin, err := launch(ctx, "gin", struct{}{})
		if err != nil {
			return err
		}
		url, err := gin.line()
		if err != nil {
			return err
		}
		if err := b.calls(ctx, gin, url, &b.results.Gin); err != nil {
			return err
		}
		db, err := b.dbs.fresh(ctx, config.SQLite)
		if err != nil {
			return err
		}
		p, url, err := serveProgram(ctx, file, b.platform, db)
		if err == nil {
			err = b.calls(ctx, p, url, &b.results.Callback)
		}
		if err = errors.Join(err, db.drop()); err != nil {
			return err
		}
	}
	return nil
}

// calls has people call a server, which it then stops.
func (b *bench) calls(ctx context.Context, server *process, url string, into *loopSeries) error {
	m, err := run[sample](ctx, "callers", callersTask{URL: url, N: b.Calls, InFlight: callers})
	if err := errors.Join(err, server.stop()); err != nil {
		return err
	}
	// The CPU is the server's, of its whole life.
	m.CPU = (server.cmd.ProcessState.UserTime() + server.cmd.ProcessState.SystemTime()).Seconds()
	into.add(m)
	return nil
}

// callCallback prepares the messages, then sends them.
func callCallback(ctx context.Context, task callersTask, _ func(string)) (sample, error) {
	type prepared struct{ url, body string }
	calls := make([]prepared, task.N)
	for i := range calls {
		openID := appendOpenID(nil, i)
		msg := fmt.Appendf(nil, "<xml><ToUserName><![CDATA[gh_7f083739789a]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName>"+
			"<CreateTime>%d</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[openid]]></Content><MsgId>%d</MsgId></xml>",
			openID, time.Now().Unix(), firstMsgID+i)
		sealed, err := util.EncryptMsg([]byte(rand.Text()[:16]), msg, callbackApp, callbackKey)
		if err != nil {
			return sample{}, fmt.Errorf("encrypt a message: %w", err)
		}
		now, nonce := strconv.FormatInt(time.Now().Unix(), 10), strconv.Itoa(i)
		calls[i].url = fmt.Sprintf("%s/wechat?signature=%s&timestamp=%s&nonce=%s&openid=%s&encrypt_type=aes&msg_signature=%s", task.URL,
			util.Signature(callbackToken, now, nonce), now, nonce, openID, util.Signature(callbackToken, now, nonce, string(sealed)))
		calls[i].body = "<xml><ToUserName><![CDATA[gh_7f083739789a]]></ToUserName><Encrypt><![CDATA[" + string(sealed) + "]]></Encrypt></xml>"
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
	_, plain, err := util.DecryptMsg(callbackApp, sealed.EncryptedMsg, callbackKey)
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
	encrypted, err := util.EncryptMsg(random, reply, callbackApp, callbackKey)
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return xml.Marshal(message.ResponseEncryptedXMLMsg{
		EncryptedMsg: string(encrypted), Timestamp: now, Nonce: nonce,
		MsgSignature: util.Signature(callbackToken, strconv.FormatInt(now, 10), nonce, string(encrypted)),
	})
}

func buildProgram(ctx context.Context, folder string) (string, error) {
	file := filepath.Join(folder, "wechat-broadcast")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", file, "wechat-broadcast") //nolint:gosec // a file of ours
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w: %s", err, out)
	}
	return file, nil
}

// serveProgram starts the program with its defaults, in safe mode, and returns
// it and its address.
func serveProgram(ctx context.Context, file, platform string, db *database) (*process, string, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, "", err
	}
	folder, err := os.MkdirTemp(filepath.Dir(file), "serve")
	if err != nil {
		return nil, "", fmt.Errorf("make a folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "messages.yaml"), []byte(messageFile), 0o600); err != nil {
		return nil, "", fmt.Errorf("write the messages: %w", err)
	}
	cmd := exec.CommandContext(ctx, file, "serve")
	cmd.Dir = folder
	cmd.Env = []string{
		"LISTEN_ADDR=" + address, "WECHAT_APP_ID=" + callbackApp, "WECHAT_APP_SECRET=0123456789abcdef0123456789abcdef",
		"WECHAT_TOKEN=" + callbackToken, "WECHAT_ENCODING_AES_KEY=" + callbackKey, "WECHAT_API_BASE_URL=" + platform,
		"DATABASE_URL=" + db.URL, "HOME=" + folder,
	}
	// To a file, as a service's log goes: a pipe to here would cost both ends.
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		return nil, "", fmt.Errorf("write the log: %w", err)
	}
	defer func() { _ = log.Close() }() // the child has its own
	cmd.Stderr = log
	p, err := begin("wechat-broadcast", cmd)
	if err != nil {
		return nil, "", err
	}
	url := "http://" + address
	if err := ready(ctx, url); err != nil {
		said, readErr := os.ReadFile(log.Name())
		return nil, "", errors.Join(fmt.Errorf("%w: %s", err, said), readErr, p.stop())
	}
	return p, url, nil
}

// freeAddress returns a loopback address with a port that is free now.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func ready(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
		if err != nil {
			return fmt.Errorf("ask whether it is ready: %w", err)
		}
		if res, err := (&http.Client{}).Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("the program does not get ready")
		}
	}
}
