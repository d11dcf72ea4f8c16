package demo

import (
	"context"
	"errors"
	"fmt"

	"wechat-broadcast/simulator"
)

// The switches: what can be made to go wrong.
const (
	faultBusy   = "busy"   // 45011: it takes fewer calls a second than are made
	faultQuota  = "quota"  // 45009: the day's quota is used up
	faultErrors = "errors" // -1: the platform is busy
	faultLost   = "lost"   // messages taken, their answers lost
	linBlocks   = "blocks" // Lin refuses the account's messages
	linLeft     = "left"   // Lin no longer follows
)

const (
	sendPath   = "/cgi-bin/message/template/send"
	dailyQuota = 100_000
)

var errNoSwitch = errors.New("there is no such switch")

// switches are all of them, in the order in which they are shown.
func switches() []string {
	return []string{faultBusy, faultErrors, faultLost, faultQuota, linBlocks, linLeft}
}

// turn makes something go wrong, or puts it right. The error is for a switch
// that does not exist or that the platform did not take.
func (d *Account) turn(ctx context.Context, name string, on bool) error {
	d.turning.Lock()
	defer d.turning.Unlock()
	if d.isOn(name) == on {
		return nil
	}
	if err := d.apply(ctx, name, on); err != nil {
		return fmt.Errorf("switch %q: %w", name, err)
	}
	d.mu.Lock()
	d.on[name] = on
	d.mu.Unlock()
	d.tellTurn(name, on)
	return nil
}

func (d *Account) putRight(ctx context.Context) error {
	for _, name := range switches() {
		if err := d.turn(ctx, name, false); err != nil {
			return err
		}
	}
	return nil
}

func (d *Account) isOn(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.on[name]
}

func (d *Account) apply(ctx context.Context, name string, on bool) error {
	switch name {
	case faultBusy:
		limits := d.platform.options.Limits
		if on {
			limits.SendSecond = d.platform.pace / 3
		}
		d.platform.SetLimits(limits)
		return nil
	case faultErrors, faultLost:
		return d.platform.SetFaults(d.faultsWith(name, on))
	case faultQuota:
		used := dailyQuota
		if !on {
			used = int(d.platform.Stats().Accepted)
		}
		return d.platform.UseQuota(sendPath, used)
	case linBlocks:
		return d.platform.Block(d.ids.lin, on)
	case linLeft:
		if on {
			return d.platform.Unfollow(ctx, d.ids.lin)
		}
		return d.platform.Follow(ctx, d.ids.lin)
	}
	return errNoSwitch
}

// faultsWith are the platform's faults once a switch is turned.
func (d *Account) faultsWith(name string, on bool) simulator.Faults {
	is := func(other string) bool {
		if other == name {
			return on
		}
		return d.isOn(other)
	}
	f := d.platform.options.Faults
	if is(faultErrors) {
		f.SystemError = 0.3
	}
	if is(faultLost) {
		f.CutAccepted = 0.15
	}
	return f
}

// tellTurn says in both chats and on the screen that a switch was turned.
func (d *Account) tellTurn(name string, on bool) {
	way := "off"
	if on {
		way = "on"
	}
	n := note{"phone.note." + way, "phone." + name}
	if name == linBlocks || name == linLeft {
		n = note{id: "phone.note." + name + "." + way}
		d.phones.add(entry{phone: phoneLin, kind: entryNote, note: n})
	}
	d.phones.add(entry{phone: phoneAdmin, kind: entryNote, note: n})
	d.screen.print(hang("  ", d.words.of(d.words.note(n)), d.screen.width())...)
}
