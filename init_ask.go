package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"wechat-broadcast/lang"
	"wechat-broadcast/services/diagnosis"
)

// errEnded says that standard input ended before every question was answered.
var errEnded = errors.New("the answers ended")

// ask asks for one value after the other, tries each at once, and lets one correct it.
func (i *installation) ask() error {
	fmt.Fprintln(i.stdout, i.words.Say("init.welcome"))
	for _, step := range []func() error{
		i.askAccount,
		func() error { return i.value("WECHAT_TOKEN", "init.ask.token", false, nil) },
		func() error { return i.value("WECHAT_ENCODING_AES_KEY", "init.ask.key", false, nil) },
		i.askDatabase,
		func() error { return i.value("ADMIN_OPENIDS", "init.ask.admin", false, nil) },
		func() error { return i.value("PUBLIC_URL", "init.ask.url", false, nil) },
	} {
		err := step()
		if errors.Is(err, errEnded) {
			return usageError(i.words.Say("init.ended"))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// askAccount asks for the credentials until WeChat accepts them, this server and the
// account's right to send.
func (i *installation) askAccount() error {
	again := false
	for {
		if err := i.credentials(again); err != nil {
			return err
		}
		settings, err := i.settings()
		if err != nil {
			return err
		}
		fmt.Fprintln(i.stdout, i.words.Say("init.trying"))
		i.show(i.doctor, i.tryAccount(settings))
		switch {
		case i.account.OK():
			return nil
		case i.account.Credentials.OK && i.account.IPWhitelist.OK: // an account may get the right later
			skip, err := i.line(i.words.Say("init.ask.skip"), false)
			if err != nil || strings.EqualFold(skip, "skip") {
				return err
			}
			again = false
		default:
			edit, err := i.line(i.words.Say("init.ask.again"), false)
			if err != nil {
				return err
			}
			again = strings.EqualFold(edit, "edit")
		}
	}
}

// credentials asks for the AppID and the AppSecret where there is none, or, if they are
// to be corrected, for both.
func (i *installation) credentials(correct bool) error {
	if correct || i.values["WECHAT_APP_ID"] == "" {
		if err := i.value("WECHAT_APP_ID", "init.ask.app_id", true, nil); err != nil {
			return err
		}
	}
	if correct || i.values["WECHAT_APP_SECRET"]+i.values["WECHAT_APP_SECRET_FILE"] == "" {
		before := i.values["WECHAT_APP_SECRET_FILE"]
		i.values["WECHAT_APP_SECRET_FILE"] = ""
		if err := i.value("WECHAT_APP_SECRET", "init.ask.app_secret", before == "", nil); err != nil {
			return err
		}
		if i.values["WECHAT_APP_SECRET"] == "" {
			i.values["WECHAT_APP_SECRET_FILE"] = before
		}
	}
	return nil
}

// askDatabase asks for the database until it can be used.
func (i *installation) askDatabase() error {
	return i.value("DATABASE_URL", "init.ask.database", false, func() bool {
		settings, err := i.settings()
		if err != nil {
			fmt.Fprintln(i.stdout, err)
			return false
		}
		point := i.tryDatabase(settings)
		i.show(i.doctor, []diagnosis.Point{point})
		return point.OK
	})
}

// value asks for a setting until it is right and passes a trial, if there is one. An
// empty answer leaves it as it is, which one that is required must not be empty for. A
// value that a flag gave is only tried.
func (i *installation) value(name, question string, required bool, trial func() bool) error {
	given := i.values[name] != "" && !required
	for {
		if !given {
			answer, err := i.line(i.words.Say(question, lang.Vars{"Now": i.shown(name)}), name == "WECHAT_APP_SECRET")
			if err != nil {
				return err
			}
			if fault := i.checkValue(name, answer); fault != nil {
				fmt.Fprintln(i.stdout, fault)
				continue
			}
			if answer != "" {
				i.values[name] = answer
			}
		}
		switch {
		case required && i.values[name] == "":
			fmt.Fprintln(i.stdout, i.words.Say("init.needed"))
		case trial == nil || trial():
			return nil
		default:
			given, i.values[name] = false, ""
		}
	}
}

// shown is a value as it may be printed.
func (i *installation) shown(name string) string {
	if name == "WECHAT_APP_SECRET" && i.values[name] != "" {
		return "***"
	}
	return i.values[name]
}

// line prints a question and reads the answer, without an echo if it is secret and typed.
func (i *installation) line(question string, secret bool) (string, error) {
	fmt.Fprintf(i.stdout, "\n%s\n> ", question)
	type answer struct {
		text string
		err  error
	}
	read, restore := func() (string, error) { return readLine(i.stdin) }, func() {}
	if file, is := i.stdin.(*os.File); is && term.IsTerminal(int(file.Fd())) && secret {
		state, err := term.GetState(int(file.Fd()))
		if err != nil {
			return "", fmt.Errorf("prepare the terminal: %w", err)
		}
		restore = func() { _ = term.Restore(int(file.Fd()), state) }
		read = func() (string, error) {
			text, err := term.ReadPassword(int(file.Fd()))
			fmt.Fprintln(i.stdout)
			return string(text), err
		}
	}
	answers := make(chan answer, 1)
	go func() { // it is left behind when the program is told to stop
		text, err := read()
		answers <- answer{text, err}
	}()
	select {
	case <-i.ctx.Done():
		restore()
		fmt.Fprintln(i.stdout)
		return "", context.Cause(i.ctx)
	case a := <-answers:
		if a.err != nil && a.text == "" {
			fmt.Fprintln(i.stdout)
			return "", errEnded
		}
		return strings.TrimSpace(a.text), nil
	}
}

// maxAnswer is the longest answer, in bytes.
const maxAnswer = 4 << 10

// readLine reads up to the end of a line, and nothing of the next.
func readLine(r io.Reader) (string, error) {
	var line []byte
	one := make([]byte, 1)
	for len(line) < maxAnswer {
		n, err := r.Read(one)
		switch {
		case n == 1 && one[0] == '\n':
			return string(line), nil
		case n == 1:
			line = append(line, one[0])
		case err != nil:
			return string(line), err
		}
	}
	return string(line), nil
}
