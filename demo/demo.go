// Package demo shows the program at work with nothing to set up: it starts a
// simulated platform on loopback for each account, and holds a conversation with the server
// that it is given. On a terminal one can type in it; from elsewhere it says the
// lines that it reads, waits for the broadcasts that they began, and ends.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"wechat-broadcast/lang"
)

const (
	lookEvery = 100 * time.Millisecond
	// looked is how many broadcasts are followed at once.
	looked = 50
	// few recipients have a broadcast that is awaited before the next line of a
	// script, and that needs no bar.
	few = 10

	waitNotice = 20 * time.Second       // for the account's word that one has ended
	waitReport = 15 * time.Second       // for receipts after that
	waitMove   = 30 * time.Second       // for anything to happen
	waitQuiet  = 600 * time.Millisecond // without an event before the end
)

// Options are what a Demo is made of.
type Options struct {
	// Followers is how many follow each simulated account, 10 to 100,000.
	Followers int
	// Accounts is how many accounts there are, 1 to 4. Only several have names.
	Accounts int
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
	var errs []error
	if o.Followers < 10 || o.Followers > 100_000 {
		errs = append(errs, fmt.Errorf("the demo takes 10 to 100,000 followers, not %d", o.Followers))
	}
	if o.Accounts < 1 || o.Accounts > len(places) {
		errs = append(errs, fmt.Errorf("the demo takes 1 to %d accounts, not %d", len(places), o.Accounts))
	}
	return errors.Join(errs...)
}

// Demo is a conversation with a server, and a simulated platform for each of its accounts.
type Demo struct {
	options  Options
	words    words // of the terminal
	screen   *screen
	accounts []*Account
	at       *Account // where a line is said that names no account
	asks     chan ask // from the browsers
}

// New starts the platforms. Close must follow.
func New(o Options) (*Demo, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	languages, err := newWords()
	if err != nil {
		return nil, err
	}
	d := &Demo{options: o, words: languages[o.Language], screen: newScreen(o.Out), asks: make(chan ask, asksAhead)}
	for number := range o.Accounts {
		a, err := d.newAccount(number, languages)
		if err != nil {
			return nil, errors.Join(err, d.Close())
		}
		d.accounts = append(d.accounts, a)
	}
	d.at = d.accounts[0]
	return d, nil
}

// Close ends the platforms.
func (d *Demo) Close() error {
	var errs []error
	for _, a := range d.accounts {
		errs = append(errs, a.platform.Close())
	}
	return errors.Join(errs...)
}

// Accounts are the accounts of the demo.
func (d *Demo) Accounts() []*Account { return d.accounts }

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

// Run holds the conversation with the server of the accounts, each of which Connect has
// told of it. It returns when the person leaves or ctx ends, or when the lines are
// said and their broadcasts have ended.
func (d *Demo) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.introduce()
	end, err := d.browse(ctx)
	if err != nil {
		return err
	}
	defer end()
	in, err := newInput(ctx, d.options.In, d.screen, d.prompt())
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

// prompt is what stands before a line that is typed.
func (d *Demo) prompt() string { return d.at.words.of(d.words.terminal("you")) + "> " }

func (d *Demo) introduce() {
	o := d.at.platform.options
	figures := lang.Vars{"Followers": o.Followers, "Blocking": o.Blocking, "Left": o.Left, "Joined": len(d.at.Topic().OpenIDs)}
	say := func(ids ...string) {
		for _, id := range ids {
			d.screen.print(wrap(d.words.terminal(id, figures), d.screen.width())...)
		}
	}
	say("intro.what", "intro.server", "intro.people", "intro.followers", "intro.groups")
	if d.several() {
		d.screen.print(wrap(d.words.terminal("intro.accounts", d.listed()), d.screen.width())...)
	}
	d.screen.print("")
	say("commands", "lines", "speakers")
	if d.several() {
		d.screen.print(wrap(d.words.terminal("moving", lang.Vars{"Second": d.accounts[1].Name()}), d.screen.width())...)
	}
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
		case a := <-d.asks:
			a.account.echo(a.who, a.text)
			if err := a.account.tell(ctx, a.who, a.text); err != nil {
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
	if err := d.await(ctx, d.quiet); err != nil {
		return err
	}
	for _, a := range d.accounts {
		for _, t := range a.inOrder() {
			a.conclude(t)
		}
		a.tellWaiting()
	}
	d.screen.print("")
	d.screen.print(wrap(d.words.terminal("over"), d.screen.width())...)
	return nil
}

// await observes until something holds, or has not for waitMove in which nothing
// else happened either.
func (d *Demo) await(ctx context.Context, holds func() bool) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for begun := time.Now(); !holds(); {
		if time.Since(begun) > waitMove && time.Since(d.last()) > waitMove {
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

// observe looks at what has happened in each account and shows it.
func (d *Demo) observe(ctx context.Context) error {
	var bar func(columns int) string // the account's in which one speaks, or another's
	for _, a := range d.accounts {
		if err := a.observe(ctx); err != nil {
			return err
		}
		if bar == nil || a == d.at && a.bar != nil {
			bar = a.bar
		}
	}
	d.screen.setBar(bar)
	return nil
}

// last is when the last event was.
func (d *Demo) last() (at time.Time) {
	for _, a := range d.accounts {
		if a.last.After(at) {
			at = a.last
		}
	}
	return at
}

// quiet tells whether every broadcast is over and nothing has happened for a
// moment.
func (d *Demo) quiet() bool {
	for _, a := range d.accounts {
		if !a.idle() {
			return false
		}
	}
	return time.Since(d.last()) > waitQuiet
}
