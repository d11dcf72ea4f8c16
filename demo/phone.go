package demo

import (
	"bytes"
	"context"
	"sync"
	"time"

	"wechat-broadcast/simulator"
	"wechat-broadcast/web"
)

const (
	// mostEntries are kept of the chat; a browser that comes later sees no older
	// ones.
	mostEntries = 500
	// asksAhead is how much can be said in the browser while one line is answered.
	asksAhead = 16
)

// The phones that a browser shows, and where things are on them.
const (
	phoneAdmin = "admin"
	phoneLin   = "lin"

	entryOut  = "out"  // what the phone's owner said
	entryIn   = "in"   // what the account wrote
	entryCard = "card" // a template message
	entryNote = "note" // what the demo has to say, in the page's language
)

type entry struct {
	number int64 // from 1
	phone  string
	kind   string
	text   string
	card   *web.Card
	note   note
}

// note is the id of a sentence, and that of the name in it, if there is one.
type note struct{ id, name string }

// ask is something said in the browser.
type ask struct {
	account *Account
	who     person
	text    string
}

// phones are the chats and the progress as browsers see them. They keep what was
// seen, so that a page which is opened later, or again, shows the same.
type phones struct {
	mu      sync.Mutex
	entries []entry
	last    int64             // the number of the last entry
	states  map[string][]byte // as JSON, by language
	version int64             // of the states
	changed chan struct{}     // closed at the next change
	viewers int

	ids ids // whose phones they are
}

func newPhones(of ids) *phones { return &phones{changed: make(chan struct{}), ids: of} }

// add puts something into the chat of one phone.
func (p *phones) add(e entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	e.number = p.last
	p.entries = append(p.entries, e)
	if len(p.entries) > mostEntries {
		p.entries = append([]entry(nil), p.entries[len(p.entries)-mostEntries:]...)
	}
	p.wake()
}

// show replaces what is shown beside the chats, by language.
func (p *phones) show(states map[string][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for language, state := range states {
		if !bytes.Equal(state, p.states[language]) {
			p.states = states
			p.version++
			p.wake()
			return
		}
	}
}

// wake lets everyone who waits look again. The caller holds mu.
func (p *phones) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// news are the entries after a number, and the state of a language if it is
// another version than the one seen; changed is closed when there is more.
func (p *phones) news(after, seen int64, language string) (list []entry, state []byte, version int64, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := len(p.entries)
	for first > 0 && p.entries[first-1].number > after {
		first--
	}
	list = append(list, p.entries[first:]...)
	if p.version != seen {
		state = p.states[language]
	}
	return list, state, p.version, p.changed
}

// watch counts a page that is open until end is called. ok is false if there are
// too many.
func (p *phones) watch() (end func(), ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.viewers >= mostViewers {
		return nil, false
	}
	p.viewers++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.viewers--
	}, true
}

func (p *phones) watched() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.viewers > 0
}

// phoneOf is the phone of a person, "" for one that is not shown.
func (p *phones) phoneOf(openID string) string {
	switch openID {
	case p.ids.admin:
		return phoneAdmin
	case p.ids.lin:
		return phoneLin
	}
	return ""
}

// chat puts what was said or written into the chat of whoever it concerns.
func (p *phones) chat(openID, kind, text string) {
	if phone := p.phoneOf(openID); phone != "" {
		p.add(entry{phone: phone, kind: kind, text: text})
	}
}

// arrive shows template messages on the phones of those whom they came to.
func (d *Account) arrive(messages []simulator.Message) {
	for _, m := range messages {
		e := entry{phone: d.phones.phoneOf(m.OpenID), kind: entryCard}
		if arrived(m) {
			c := layOut(m, d.platform.template(m.Content.TemplateID), d.words.terminal("details"))
			e.card = &c
		} else {
			e.kind, e.note = entryNote, note{id: "phone.note.kept"}
		}
		d.phones.add(e)
	}
}

// messaged keeps what came to a phone that is shown until it is seen in its turn.
func (d *Account) messaged(m simulator.Message) {
	if d.phones.phoneOf(m.OpenID) == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.messages = append(d.messages, m)
}

// browse serves the phones of each account to a browser until end is called, if the demo is
// one that lasts, and tells the addresses.
func (d *Demo) browse(ctx context.Context) (end func(), err error) {
	var sites []*site
	end = func() {
		for _, s := range sites {
			s.close()
		}
	}
	if !d.Lasts() {
		return end, nil
	}
	for _, a := range d.accounts {
		s, err := newSite(ctx, a)
		if err != nil {
			end()
			return nil, err
		}
		sites = append(sites, s)
		d.screen.print(a.words.of(d.words.terminal("browser")), "  "+s.address())
	}
	return end, nil
}

// refresh brings what is shown beside the chats up to date.
func (d *Account) refresh(now time.Time) {
	if now.Sub(d.counted) >= countEvery && d.phones.watched() {
		d.counted = now
		d.count()
	}
	d.phones.show(d.views(now))
}
