package demo

import (
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"wechat-broadcast/simulator"
)

// The people of the demo. OpenIDs have 28 characters and begin with an o. These are those of
// the first account.
const (
	adminOpenID = "oDemo-admin-Qm7XvR2tYkLb4HsZ"
	linOpenID   = "oDemo-lin-9wPc3TgVn8JdBq5KfA"
	wangOpenID  = "oDemo-wang-Uy6RzE1hMs7LxGo4W"
	zhaoOpenID  = "oDemo-zhao-Kt5NbQ8wXd3RmJ7Ls" // follows when told to
	awayOpenID  = "oDemo-away-Gw4ZpN6cVt2HxD8Se" // on the list, and never follows
)

//go:embed messages.en.yaml
var messagesEN string

//go:embed messages.zh.yaml
var messagesZH string

// Messages is the message file of the demo in a language, "zh" or English.
func Messages(language string) string {
	if language == "zh" {
		return messagesZH
	}
	return messagesEN
}

//go:embed templates.json
var templatesJSON []byte

// templates are the account's, to which the messages of a language belong.
func templates(language string) ([]simulator.Template, error) {
	var all map[string][]simulator.Template
	if err := json.Unmarshal(templatesJSON, &all); err != nil {
		return nil, fmt.Errorf("read the templates of the demo: %w", err)
	}
	return all[language], nil
}

// platform is the simulated platform and what it is set up with.
type platform struct {
	*simulator.Simulator
	options  simulator.Options
	received received
	pace     int // sends a second that the server makes at most
}

// newPlatform starts the platform of the account with a number on loopback; a tenth of the followers have a tag. onMessage gets every template
// message that it takes, onNotice what the account writes to people of its own
// accord.
func newPlatform(number, followers int, language, tag string, onMessage func(simulator.Message), onNotice func(simulator.Notice)) (*platform, error) {
	templates, err := templates(language)
	if err != nil {
		return nil, err
	}
	people := idsOf(number)
	p := &platform{options: simulator.Options{
		AppID: "wxd0a1b2c3d4e5f60" + strconv.Itoa(7+number), AppSecret: strings.ToLower(rand.Text()), Token: rand.Text(), EncodingAESKey: newAESKey(),
		Followers: followers, Admin: []string{people.lin, people.wang, people.admin}, Seed: uint64(1 + number), //nolint:gosec // a few
		Blocking: max(1, followers*12/1000), Left: max(1, followers*8/1000),
		Templates: templates, NoBuiltIn: true,
		Faults:   simulator.Faults{Latency: 20 * time.Millisecond},
		Limits:   simulator.Limits{SendDaily: dailyQuota},
		Receipts: simulator.Receipts{DelayMin: 50 * time.Millisecond, DelayMax: 400 * time.Millisecond},
		OnNotice: onNotice,
	}}
	p.options.OnMessage = func(m simulator.Message) {
		p.received.add(m)
		onMessage(m)
	}
	if p.Simulator, err = simulator.New(p.options); err != nil {
		return nil, err
	}
	if err := p.spreadTag(tag); err != nil {
		_ = p.Close() // it reports what the tag did
		return nil, err
	}
	if err := p.Start("127.0.0.1:0"); err != nil {
		_ = p.Close() // it reports what Start did
		return nil, fmt.Errorf("start the simulated platform: %w", err)
	}
	return p, nil
}

// newAESKey returns a key of the platform's form: 43 letters and digits that
// are the base64 of 32 bytes.
func newAESKey() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // it never fails
	return strings.NewReplacer("+", "A", "/", "B").Replace(base64.RawStdEncoding.EncodeToString(raw))
}

// settings are the server's settings for this platform, by variable. The pace
// is such that a bar is seen moving for paceFor.
func (p *platform) settings(language, welcome string, undo, paceFor time.Duration) map[string]string {
	p.pace = max(20, int(float64(p.options.Followers)/paceFor.Seconds()))
	return map[string]string{
		"WECHAT_APP_ID":           p.options.AppID,
		"WECHAT_APP_SECRET":       p.options.AppSecret,
		"WECHAT_TOKEN":            p.options.Token,
		"WECHAT_ENCODING_AES_KEY": p.options.EncodingAESKey,
		"WECHAT_API_BASE_URL":     p.URL(),
		"ADMIN_OPENIDS":           p.options.Admin[2],
		"SEND_RATE":               strconv.Itoa(p.pace),
		"UNDO_WINDOW":             undo.String(),
		"LANGUAGE":                language,
		"WELCOME":                 welcome,
	}
}

func (p *platform) template(id string) simulator.Template {
	for _, t := range p.options.Templates {
		if t.ID == id {
			return t
		}
	}
	return simulator.Template{Title: id}
}

// received is what followers received, in the order in which it came.
type received struct {
	mu   sync.Mutex
	list []simulator.Message
}

func (r *received) add(m simulator.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, m)
}

// first gives the first message of a broadcast that suits. A broadcast's
// messages are known by its salt, with which their client_msg_id begins.
func (r *received) first(salt string, suits func(simulator.Message) bool) (simulator.Message, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.list {
		if strings.HasPrefix(m.ClientMsgID, salt) && suits(m) {
			return m, true
		}
	}
	return simulator.Message{}, false
}

// count tells how many phones a broadcast reached, and how many of them more
// than once.
func (r *received) count(salt string) (reached, twice int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	times := map[string]int{}
	for _, m := range r.list {
		if !strings.HasPrefix(m.ClientMsgID, salt) || !arrived(m) {
			continue
		}
		if times[m.OpenID]++; times[m.OpenID] == 2 {
			twice++
		}
	}
	return len(times), twice
}

// arrived tells whether a message came to the phone: one who blocks the account
// does not see it.
func arrived(m simulator.Message) bool { return m.Receipt == "success" }
