package simulator

import (
	"bytes"
	"crypto/aes"
	"encoding/base64"
	"strings"
	"testing"
)

// The vectors are published: the platform's documentation (the key of 43 times A), EasyWeChat, WxJava and wechatpy.

func TestSign(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, token, timestamp, nonce, want string }{
		{"verification", "AAAAA", "1714036504", "1514711492", "f464b24fc39322e44b38aa78f5edd27bd1441696"},
		{"plain push", "AAAAA", "1714037059", "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78"},
		{"safe push", "AAAAA", "1714112445", "415670741", "6c5c811b55cc85e0e1b54100749188c20beb3f5d"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := sign(tt.token, tt.timestamp, tt.nonce); got != tt.want {
				t.Errorf("sign = %s, want %s", got, tt.want)
			}
			if !signed(tt.want, tt.nonce, tt.token, tt.timestamp) || signed(tt.want, tt.nonce, tt.token, tt.timestamp+"1") {
				t.Error("signed does not tell right from wrong")
			}
		})
	}
}

func TestSealVectors(t *testing.T) {
	t.Parallel()
	docsKey, docsApp := strings.Repeat("A", 43), "wxba5fad812f8e6fb9"
	easyKey, easyApp := "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "wxb11529c136998cb6"
	for _, tt := range []struct {
		name, key, app, salt, message, sealed  string
		token, timestamp, nonce, wantSignature string
	}{
		{
			name: "push of the docs", key: docsKey, app: docsApp, salt: "a8eedb185eb2fecf",
			message:       `{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}`,
			sealed:        "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=",
			token:         "AAAAA",
			timestamp:     "1714112445",
			nonce:         "415670741",
			wantSignature: "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
		},
		{
			name: "reply of the docs", key: docsKey, app: docsApp, salt: "707722b803182950", message: `{"demo_resp":"good luck"}`,
			sealed:        "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==",
			token:         "AAAAA",
			timestamp:     "1713424427",
			nonce:         "415670741",
			wantSignature: "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1",
		},
		{
			name: "EasyWeChat, key with spare bits set", key: easyKey, app: easyApp, salt: "d43123b161a4ba84",
			message:       `<xml><URL><![CDATA[http://wechat.laravel.so/server]]></URL><ToUserName><![CDATA[asdasdasd]]></ToUserName><FromUserName><![CDATA[asdasdasdsadasd]]></FromUserName><CreateTime>1234567898</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[hello]]></Content><MsgId>12345</MsgId></xml>`,
			sealed:        "rTNFcsut4LfGuAFKEUVVpwcaCOTJzOd9twZdIW910jb3k+iicx2uvhttIZ3Qg9Qgty3BEF2xbOrz6boTfb30dMomcgrkTqdFPwnhqbk+kIQ7rZiwny9D7NUrTgA5kpX3KsZvrXzUZyP2x9YOlxbgm572lmxKvM7HAQQhIQ/p6HBmoY30bGXFK0BtIu1pW9TjhOYrLQoU18nWYjWqDA1ynkmOytpv7QRI1P1+0NoxL0q2zO1DgeSvnE8CZGo/o5Ap/WHK5W2RAsinpzN4/LjPnmB6U01I5XCoJoC0GK/yMZycd2Oh8Nq6+wBkC1U85oy0ktOY4nLvsQMLrourmMGdZHuTbqpeJ8Ao/5PRYJ+WBvRUwPfGKBL2+2IKZF49vAJqkcGWSHGE76ZN2erXeuNazf/o9o3lIE3q739o4c8t9QGPe31GT2Go/rOz1BsrASwvauNulCh+++yz+CQzBIuikA==",
			token:         "pamtest",
			timestamp:     "1458300676",
			nonce:         "260774613",
			wantSignature: "4f3ad57b6989f09f4eb392acce4f9e93942ed890",
		},
		{
			name: "WxJava, not ASCII", key: easyKey, app: easyApp, salt: "aaaabbbbccccdddd", message: "我是中文abcd123",
			sealed: "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg==",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := newSeal(tt.key, tt.app)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.close([16]byte([]byte(tt.salt)), []byte(tt.message)); got != tt.sealed {
				t.Errorf("close = %s, want %s", got, tt.sealed)
			}
			message, err := s.open(tt.sealed)
			if err != nil || string(message) != tt.message {
				t.Errorf("open = %q, %v; want %q", message, err, tt.message)
			}
			if tt.wantSignature != "" && sign(tt.token, tt.timestamp, tt.nonce, tt.sealed) != tt.wantSignature {
				t.Error("the signature over the sealed message is wrong")
			}
		})
	}
}

// TestSealPadOfOne opens a message whose padding is one byte, and whose signature is published with it (wechatpy).
func TestSealPadOfOne(t *testing.T) {
	t.Parallel()
	const sealed = "RgqEoJj5A4EMYlLvWO1F86ioRjZfaex/gePD0gOXTxpsq5Yj4GNglrBb8I2BAJVODGajiFnXBu7mCPatfjsu6IHCrsTyeDXzF6Bv283dGymzxh6ydJRvZsryDyZbLTE7rhnus50qGPMfp2wASFlzEgMW9z1ef/RD8XzaFYgm7iTdaXpXaG4+BiYyolBug/gYNx410cvkKR2/nPwBiT+P4hIiOAQqGp/TywZBtDh1yCF2KOd0gpiMZ5jSw3e29mTvmUHzkVQiMS6td7vXUaWOMZnYZlF3So2SjHnwh4jYFxdgpkHHqIrH/54SNdshoQgWYEvccTKe7FS709/5t6NMxuGhcUGAPOQipvWTT4dShyqio7mlsl5noTrb++x6En749zCpQVhDpbV6GDnTbcX2e8K9QaNWHp91eBdCRxthuL0="
	s, err := newSeal("kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR", "wx49f0ab532d5d035a")
	if err != nil {
		t.Fatal(err)
	}
	if !signed("74d92dfeb87ba7c714f89d98870ae5eb62dff26d", "123456", "1411525903", "461056294", sealed) {
		t.Error("the signature is not recognised")
	}
	message, err := s.open(sealed)
	if err != nil || !bytes.Contains(message, []byte("<FromUserName><![CDATA[messense]]>")) {
		t.Errorf("open = %q, %v", message, err)
	}
}

func TestSealRefuses(t *testing.T) {
	t.Parallel()
	s, err := newSeal(strings.Repeat("A", 43), "wxba5fad812f8e6fb9")
	if err != nil {
		t.Fatal(err)
	}
	other, err := newSeal(strings.Repeat("A", 43), "wxother")
	if err != nil {
		t.Fatal(err)
	}
	good := s.close([16]byte{}, []byte("hello"))
	for name, sealed := range map[string]string{
		"nothing":            "",
		"not base64":         "%%%",
		"not whole blocks":   base64.StdEncoding.EncodeToString(make([]byte, aes.BlockSize+1)),
		"garbage":            base64.StdEncoding.EncodeToString(make([]byte, 64)),
		"another account's":  other.close([16]byte{}, []byte("hello")),
		"cut short":          good[:len(good)/2/4*4],
		"with a changed end": good[:len(good)-8] + "AAAAAAA=",
	} {
		if message, err := s.open(sealed); err == nil {
			t.Errorf("%s: opened as %q", name, message)
		}
	}
	for length := range 70 {
		message := bytes.Repeat([]byte("x"), length)
		if got, err := s.open(s.close([16]byte{}, message)); err != nil || !bytes.Equal(got, message) {
			t.Errorf("length %d: got %q, %v", length, got, err)
		}
	}
	for _, key := range []string{"", strings.Repeat("A", 42), strings.Repeat("A", 44), strings.Repeat("*", 43)} {
		if _, err := newSeal(key, "wx"); err == nil {
			t.Errorf("key of %d characters is taken", len(key))
		}
	}
}

func FuzzSealOpen(f *testing.F) {
	s, err := newSeal(strings.Repeat("A", 43), "wxba5fad812f8e6fb9")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.close([16]byte{}, []byte("hello")))
	f.Add("")
	f.Fuzz(func(_ *testing.T, sealed string) { _, _ = s.open(sealed) })
}
