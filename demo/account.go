package demo

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/simulator"
)

// places are the libraries whose accounts the demo has, by the names that several have.
var places = []string{"city", "children", "university", "music"}

// Account is one account of the demo: a simulated platform, and what was seen of it.
type Account struct {
	demo      *Demo
	options   Options
	place     string // one of places
	ids       ids
	words     words // of the terminal
	platform  *platform
	screen    *screen
	engine    *broadcast.Engine // of the server
	asks      chan<- ask
	phones    *phones
	languages map[string]words // of the page, by language

	tracks  map[int64]*track
	last    time.Time                // the last event
	away    map[string]bool          // by OpenID: people with a name who don't follow
	bar     func(columns int) string // of the latest unfinished broadcast; nil for none
	shown   *broadcast.Status        // the broadcast on the phones; nil before the first
	tally   tally
	counted time.Time  // when the tally was made
	turning sync.Mutex // held while a switch is turned

	mu       sync.Mutex
	notices  []simulator.Notice
	messages []simulator.Message // to the phones that are shown
	on       map[string]bool     // the switches
}

// newAccount starts the platform of the account with a number, from 0.
func (d *Demo) newAccount(number int, languages map[string]words) (*Account, error) {
	people := idsOf(number)
	a := &Account{
		demo: d, options: d.options, place: places[number], ids: people, words: d.words, screen: d.screen, asks: d.asks,
		phones: newPhones(people), languages: languages,
		tracks: map[int64]*track{}, on: map[string]bool{}, away: map[string]bool{people.zhao: true},
	}
	if d.options.Accounts > 1 {
		a.words.account = a.place
	}
	var err error
	a.platform, err = newPlatform(number, d.options.Followers, d.options.Language, d.words.terminal("tag.name"), a.messaged, a.noticed)
	return a, err
}

// Name is the account's in the server's settings; empty if it is the only one.
func (d *Account) Name() string { return d.words.account }

// Settings are the server's settings for this platform, by the names of their
// environment variables.
func (d *Account) Settings() map[string]string {
	undo, pace := 2*time.Second, 2*time.Second
	if d.demo.Lasts() {
		undo, pace = 5*time.Second, 5*time.Second // time to try cancel, pause and status
	}
	welcome := d.words.terminal("welcome", lang.Vars{"Place": d.words.Say("phone.account." + d.place)})
	return d.platform.settings(d.options.Language, welcome, undo, pace)
}

// Connect tells the platform of the server's callback, and the demo of the engine that serves
// the account.
func (d *Account) Connect(ctx context.Context, callback string, engine *broadcast.Engine) error {
	d.engine = engine
	if err := d.platform.SetCallback(callback); err != nil {
		return err
	}
	if err := d.platform.Verify(ctx); err != nil {
		return fmt.Errorf("verify the callback: %w", err)
	}
	return nil
}

// ids are the OpenIDs of the people in an account.
type ids struct{ admin, lin, wang, zhao, away string }

// idsOf returns the people of the account with a number. One person has another OpenID in
// each account, as on the platform.
func idsOf(number int) ids {
	of := func(openID string) string {
		i := strings.LastIndexByte(openID, '-') + 1
		return openID[:i] + openID[i+number:] + openID[i:i+number]
	}
	return ids{of(adminOpenID), of(linOpenID), of(wangOpenID), of(zhaoOpenID), of(awayOpenID)}
}

// Tester is one of those who belong on the test list, with the name by which the admin
// knows them.
type Tester struct{ OpenID, Name string }

// Testers are those who belong on the test list.
func (d *Account) Testers() []Tester {
	lin, wang := d.person(d.ids.lin), d.person(d.ids.wang)
	return []Tester{{OpenID: d.ids.admin}, {lin.openID, lin.name}, {wang.openID, wang.name}}
}

// noticed keeps what the account wrote to someone of its own accord until it is
// shown in its turn.
func (d *Account) noticed(n simulator.Notice) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notices = append(d.notices, n)
}

// take returns what was kept by noticed and messaged.
func (d *Account) take() (notices []simulator.Notice, messages []simulator.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	notices, messages = d.notices, d.messages
	d.notices, d.messages = nil, nil
	return notices, messages
}
