package handlers

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/silenceper/wechat/v2/officialaccount/message"
	"github.com/silenceper/wechat/v2/util"
)

// The published vectors: V1 to V3 are the official documents', V4 EasyWeChat's,
// V5 WxJava's, V6 wechatpy's.
const (
	v2Encrypt = "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
	v2Plain   = `{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}`
	v4AESKey  = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	v4Encrypt = "rTNFcsut4LfGuAFKEUVVpwcaCOTJzOd9twZdIW910jb3k+iicx2uvhttIZ3Qg9Qgty3BEF2xbOrz6boTfb30dMomcgrkTqdFPwnhqbk+kIQ7rZiwny9D7NUrTgA5kpX3KsZvrXzUZyP2x9YOlxbgm572lmxKvM7HAQQhIQ/p6HBmoY30bGXFK0BtIu1pW9TjhOYrLQoU18nWYjWqDA1ynkmOytpv7QRI1P1+0NoxL0q2zO1DgeSvnE8CZGo/o5Ap/WHK5W2RAsinpzN4/LjPnmB6U01I5XCoJoC0GK/yMZycd2Oh8Nq6+wBkC1U85oy0ktOY4nLvsQMLrourmMGdZHuTbqpeJ8Ao/5PRYJ+WBvRUwPfGKBL2+2IKZF49vAJqkcGWSHGE76ZN2erXeuNazf/o9o3lIE3q739o4c8t9QGPe31GT2Go/rOz1BsrASwvauNulCh+++yz+CQzBIuikA=="
	v4Plain   = `<xml><URL><![CDATA[http://wechat.laravel.so/server]]></URL><ToUserName><![CDATA[asdasdasd]]></ToUserName><FromUserName><![CDATA[asdasdasdsadasd]]></FromUserName><CreateTime>1234567898</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[hello]]></Content><MsgId>12345</MsgId></xml>`
	v6Encrypt = "RgqEoJj5A4EMYlLvWO1F86ioRjZfaex/gePD0gOXTxpsq5Yj4GNglrBb8I2BAJVODGajiFnXBu7mCPatfjsu6IHCrsTyeDXzF6Bv283dGymzxh6ydJRvZsryDyZbLTE7rhnus50qGPMfp2wASFlzEgMW9z1ef/RD8XzaFYgm7iTdaXpXaG4+BiYyolBug/gYNx410cvkKR2/nPwBiT+P4hIiOAQqGp/TywZBtDh1yCF2KOd0gpiMZ5jSw3e29mTvmUHzkVQiMS6td7vXUaWOMZnYZlF3So2SjHnwh4jYFxdgpkHHqIrH/54SNdshoQgWYEvccTKe7FS709/5t6NMxuGhcUGAPOQipvWTT4dShyqio7mlsl5noTrb++x6En749zCpQVhDpbV6GDnTbcX2e8K9QaNWHp91eBdCRxthuL0="
)

var v2AESKey = strings.Repeat("A", 43)

func TestSignatureVectors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, signature, token string
		parts                  []string
	}{
		{"V1 check", "f464b24fc39322e44b38aa78f5edd27bd1441696", "AAAAA", []string{"1714036504", "1514711492"}},
		{"V1 push", "899cf89e464efb63f54ddac96b0a0a235f53aa78", "AAAAA", []string{"1714037059", "486452656"}},
		{"V2 plain", "6c5c811b55cc85e0e1b54100749188c20beb3f5d", "AAAAA", []string{"1714112445", "415670741"}},
		{"V2 encrypted", "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3", "AAAAA", []string{"1714112445", "415670741", v2Encrypt}},
		{"V4", "4f3ad57b6989f09f4eb392acce4f9e93942ed890", "pamtest", []string{"1458300676", "260774613", v4Encrypt}},
		{"V6", "74d92dfeb87ba7c714f89d98870ae5eb62dff26d", "123456", []string{"1411525903", "461056294", v6Encrypt}},
	} {
		if !signed(tt.signature, tt.token, tt.parts...) {
			t.Errorf("%s: not taken", tt.name)
		}
		for _, wrong := range []string{"", tt.signature[1:], strings.ToUpper(tt.signature), tt.signature + "0"} {
			if signed(wrong, tt.token, tt.parts...) {
				t.Errorf("%s: took %q", tt.name, wrong)
			}
		}
		if signed(tt.signature, tt.token+"x", tt.parts...) {
			t.Errorf("%s: took another token", tt.name)
		}
	}
}

func TestDecryptVectors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, encrypted, appID, aesKey, want string }{
		{"V2", v2Encrypt, "wxba5fad812f8e6fb9", v2AESKey, v2Plain},
		{"V4", v4Encrypt, "wxb11529c136998cb6", v4AESKey, v4Plain},
		{
			"V5", "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg==",
			"wxb11529c136998cb6", v4AESKey, "我是中文abcd123",
		},
	} {
		got, err := decrypt(tt.encrypted, tt.appID, tt.aesKey)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got %q, %v", tt.name, got, err)
		}
		if _, err := decrypt(tt.encrypted, tt.appID+"x", tt.aesKey); !errors.Is(err, errOtherApp) {
			t.Errorf("%s for another appid: %v", tt.name, err)
		}
	}
	// V6 pads with a single byte.
	got, err := decrypt(v6Encrypt, "wx49f0ab532d5d035a", "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR")
	if err != nil {
		t.Fatal(err)
	}
	m, err := decode(got)
	if err != nil || m.Content != "test" || m.openID() != "messense" {
		t.Errorf("V6: got %q, %v", got, err)
	}
}

func TestEncryptVectors(t *testing.T) {
	t.Parallel()
	// V3: the official reply.
	got, err := encrypt([]byte(`{"demo_resp":"good luck"}`), "wxba5fad812f8e6fb9", "AAAAA", v2AESKey,
		stamp{random: []byte("707722b803182950"), time: 1713424427, nonce: "415670741"}, true)
	if err != nil {
		t.Fatal(err)
	}
	var envelope message.ResponseEncryptedXMLMsg
	if err := json.Unmarshal(got, &envelope); err != nil {
		t.Fatal(err)
	}
	want := message.ResponseEncryptedXMLMsg{
		EncryptedMsg: "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==",
		MsgSignature: "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1",
		Timestamp:    1713424427,
		Nonce:        "415670741",
	}
	if envelope != want {
		t.Errorf("V3: got %s", got)
	}
	// V5: lengths count bytes, not characters.
	got, err = encrypt([]byte("我是中文abcd123"), "wxb11529c136998cb6", "pamtest", v4AESKey,
		stamp{random: []byte("aaaabbbbccccdddd"), nonce: "1"}, false)
	const v5 = "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg=="
	if err != nil || !bytes.Contains(got, []byte("<Encrypt>"+v5+"</Encrypt>")) {
		t.Errorf("V5: got %s, %v", got, err)
	}
	if _, err := encrypt(nil, testAppID, testToken, "short", stamp{random: make([]byte, 16)}, false); err == nil {
		t.Error("encrypted with a key that is none")
	}
}

// The padding has 1 to 32 bytes.
func TestEveryPaddingIsDecrypted(t *testing.T) {
	t.Parallel()
	for n := range 65 {
		msg := bytes.Repeat([]byte("é"), n)[:n]
		encrypted, err := util.EncryptMsg([]byte("a8eedb185eb2fecf"), msg, testAppID, testAESKey)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decrypt(string(encrypted), testAppID, testAESKey)
		if err != nil || !bytes.Equal(got, msg) {
			t.Errorf("%d bytes: got %q, %v", n, got, err)
		}
	}
}

func TestDecryptRefuses(t *testing.T) {
	t.Parallel()
	block := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for name, tt := range map[string]struct{ encrypted, key string }{
		"not base64":  {"%%%", testAESKey},
		"empty":       {"", testAESKey},
		"half block":  {block(16), testAESKey},
		"odd length":  {block(33), testAESKey},
		"noise":       {block(64), testAESKey},
		"another key": {v2Encrypt, testAESKey},
		"short key":   {v2Encrypt, "abc"},
		"no key":      {v2Encrypt, ""},
	} {
		got, err := decrypt(tt.encrypted, testAppID, tt.key)
		if err == nil || errors.Is(err, errOtherApp) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func FuzzDecrypt(f *testing.F) {
	f.Add(v2Encrypt)
	f.Add(v4Encrypt)
	f.Add("")
	f.Fuzz(func(t *testing.T, encrypted string) {
		got, err := decrypt(encrypted, "wxba5fad812f8e6fb9", v2AESKey)
		if err == nil && len(got) > len(encrypted) {
			t.Errorf("more came out than went in: %q", got)
		}
	})
}
