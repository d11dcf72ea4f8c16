// Package demo shows the program at work with nothing to set up: it starts a
// simulated platform on loopback, and holds a conversation with the server that
// it is given. On a terminal one can type in it; from elsewhere it says the
// lines that it reads, waits for the broadcasts that they began, and ends.
package demo

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/simulator"
)

const (
	lookEvery = 100 * time.Millisecond
	// looked is how many broadcasts are followed at once.
	looked = 50
	// few recipients have a broadcast that is awaited before the next line of a
	// script, and that needs no bar.
	few = 10

	waitFew    = 8 * time.Second        // for such a broadcast
	waitNotice = 4 * time.Second        // for the account's word that one has ended
	waitReport = 5 * time.Second        // for receipts after that
	waitMove   = 30 * time.Second       // for anything to happen at the end
	waitQuiet  = 600 * time.Millisecond // without an event before the end
)

// Options are what a Demo is made of.
type Options struct {
	// Followers is how many follow the simulated account, 10 to 100,000.
	Followers int
	// Language is that of the demo and of the account's replies: "zh" or "en".
	Language string
	// In is what is said: typed if it and Out are a terminal, else read line by
	// line. Out is where all is seen.
	In  io.Reader
	Out io.Writer
	// Browser serves the phones to a browser, and lets the demo last until it is
	// told to stop, though nothing can be typed.
	Browser bool
}

// Validate checks what can be wrong.
func (o Options) Validate() error {
	if o.Followers < 10 || o.Followers > 100_000 {
		return fmt.Errorf("the demo takes 10 to 100,000 followers, not %d", o.Followers)
	}
	return nil
}

// Demo is a simulated platform and a conversation on it.
type Demo struct {
	options  Options
	words    words // of the terminal
	platform *platform
	screen   *screen
	engine   *broadcast.Engine // of the server

	tracks map[int64]*track
	last   time.Time       // the last event
	away   map[string]bool // by OpenID: people with a name who don't follow

	phones    *phones
	languages map[string]words  // of the page, by language
	shown     *broadcast.Status // the broadcast on the phones; nil before the first
	tally     tally
	counted   time.Time  // when the tally was made
	turning   sync.Mutex // held while a switch is turned

	mu       sync.Mutex
	notices  []simulator.Notice
	messages []simulator.Message // to the phones that are shown
	on       map[string]bool     // the switches
}

// New starts the platform. Close must follow.
func New(o Options) (*Demo, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	d := &Demo{
		options: o, screen: newScreen(o.Out),
		tracks: map[int64]*track{}, phones: newPhones(), on: map[string]bool{}, away: map[string]bool{zhaoOpenID: true},
	}
	var err error
	if d.languages, err = newWords(); err != nil {
		return nil, err
	}
	d.words = d.languages[o.Language]
	d.platform, err = newPlatform(o.Followers, o.Language, d.words.terminal("tag.name"), d.messaged, d.noticed)
	return d, err
}

// Close ends the platform.
func (d *Demo) Close() error { return d.platform.Close() }

// Settings are the server's settings for this platform, by the names of their
// environment variables.
func (d *Demo) Settings() map[string]string {
	undo, pace := 2*time.Second, 2*time.Second
	if d.Lasts() {
		undo, pace = 5*time.Second, 5*time.Second // time to try cancel, pause and status
	}
	return d.platform.settings(d.options.Language, d.words.terminal("welcome"), undo, pace)
}

// Tester is one of those who belong on the test list, with the name by which the admin
// knows them.
type Tester struct{ OpenID, Name string }

// Testers are those who belong on the test list.
func (d *Demo) Testers() []Tester {
	lin, wang := d.person(linOpenID), d.person(wangOpenID)
	return []Tester{{OpenID: adminOpenID}, {lin.openID, lin.name}, {wang.openID, wang.name}}
}

// Log returns where the server's log can be written without spoiling the
// screen: to w itself, or between the demo's lines if both are a terminal.
func (d *Demo) Log(w io.Writer) io.Writer {
	if d.screen.live && isTerminal(w) {
		return d.screen
	}
	return w
}

// Lasts tells whether the demo goes on until the person leaves, and not only as
// long as its lines and their broadcasts.
func (d *Demo) Lasts() bool { return d.canType() || d.options.Browser }

func (d *Demo) canType() bool { return d.screen.live && isTerminal(d.options.In) }

// Run holds the conversation with the server at the callback URL; engine is that
// server's. It returns when the person leaves or ctx ends, or when the lines are
// said and their broadcasts have ended.
func (d *Demo) Run(ctx context.Context, callback string, engine *broadcast.Engine) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.engine = engine
	if err := d.platform.SetCallback(callback); err != nil {
		return err
	}
	if err := d.platform.Verify(ctx); err != nil {
		return fmt.Errorf("verify the callback: %w", err)
	}
	d.introduce()
	end, err := d.browse(ctx)
	if err != nil {
		return err
	}
	defer end()
	in, err := newInput(ctx, d.options.In, d.screen, d.words.terminal("you")+"> ")
	if err != nil {
		return err
	}
	defer in.restore()
	defer d.screen.close()
	if err := d.converse(ctx, in); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func (d *Demo) introduce() {
	o := d.platform.options
	figures := lang.Vars{"Followers": o.Followers, "Blocking": o.Blocking, "Left": o.Left, "Joined": len(d.Topic().OpenIDs)}
	say := func(ids ...string) {
		for _, id := range ids {
			d.screen.print(wrap(d.words.terminal(id, figures), d.screen.width())...)
		}
	}
	say("intro.what", "intro.server", "intro.people", "intro.followers", "intro.groups")
	d.screen.print("")
	say("commands", "lines", "speakers")
	if d.canType() {
		say("leave")
	} else if !d.options.Browser {
		say("waits")
	}
}

// converse says line after line and shows what happens meanwhile.
func (d *Demo) converse(ctx context.Context, in *input) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case line, ok := <-in.lines:
			if !ok && d.options.Browser && !in.typed && *in.failed == nil {
				in.lines = nil // the browser goes on
				continue
			}
			if !ok || d.quits(line) {
				return d.end(ctx, in, ok)
			}
			if err := d.say(ctx, line, in.typed); err != nil {
				return err
			}
		case a := <-d.phones.asks:
			d.echo(a.who, a.text)
			if err := d.tell(ctx, a.who, a.text); err != nil {
				return err
			}
		case <-ticker.C:
			if err := d.observe(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (d *Demo) quits(line string) bool {
	return slices.Contains(strings.Fields(d.words.terminal("quit")), strings.ToLower(strings.TrimSpace(line)))
}

// end is what comes after the last line: nothing more for someone who leaves,
// the outcomes for a script.
func (d *Demo) end(ctx context.Context, in *input, quit bool) error {
	if in.typed {
		in.restore()
		d.screen.print(d.words.terminal("bye"))
		return nil
	}
	if !quit && *in.failed != nil {
		return *in.failed
	}
	if err := d.await(ctx, waitMove, d.quiet); err != nil {
		return err
	}
	for _, t := range d.inOrder() {
		d.conclude(t)
	}
	d.tellWaiting()
	d.screen.print("")
	d.screen.print(wrap(d.words.terminal("over"), d.screen.width())...)
	return nil
}

// noticed keeps what the account wrote to someone of its own accord until it is
// shown in its turn.
func (d *Demo) noticed(n simulator.Notice) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notices = append(d.notices, n)
}

// take returns what was kept by noticed and messaged.
func (d *Demo) take() (notices []simulator.Notice, messages []simulator.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	notices, messages = d.notices, d.messages
	d.notices, d.messages = nil, nil
	return notices, messages
}

// await observes until something holds, or has not for a time in which nothing
// else happened either.
func (d *Demo) await(ctx context.Context, patience time.Duration, holds func() bool) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for begun := time.Now(); !holds(); {
		if time.Since(begun) > patience && time.Since(d.last) > patience {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		if err := d.observe(ctx); err != nil {
			return err
		}
	}
	return nil
}
