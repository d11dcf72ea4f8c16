// wechat-broadcast runs template-message broadcasts of a WeChat Official
// Account by chat. See README.md.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log" //nolint:depguard // net/http writes to it
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"wechat-broadcast/config"
	"wechat-broadcast/lang"
)

// defaultConfig is the settings file that is read if it exists.
const defaultConfig = "config.yaml"

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // the command line or the configuration is wrong
)

// commands is the command line.
type commands struct {
	Config  string `help:"${usage_config}" placeholder:"FILE" type:"path"`
	Account string `help:"${usage_account}" placeholder:"NAME"`

	Serve     serveCommand     `cmd:"" default:"1" help:"${usage_serve}"`
	Demo      demoCommand      `cmd:"" help:"${usage_demo}"`
	Init      initCommand      `cmd:"" help:"${usage_init}"`
	Check     checkCommand     `cmd:"" help:"${usage_check}"`
	Sync      syncCommand      `cmd:"" help:"${usage_sync}"`
	Import    importCommand    `cmd:"" help:"${usage_import}"`
	Export    exportCommand    `cmd:"" help:"${usage_export}"`
	Say       sayCommand       `cmd:"" help:"${usage_say}"`
	Token     tokenCommand     `cmd:"" help:"${usage_token}"`
	Copy      copyCommand      `cmd:"" help:"${usage_copy}"`
	Simulator simulatorCommand `cmd:"" help:"${usage_simulator}"`
	Version   versionCommand   `cmd:"" help:"${usage_version}"`

	Healthcheck healthcheckCommand `cmd:"" help:"${usage_healthcheck}"`
}

// session is what a command works with.
type session struct {
	ctx            context.Context
	words          *lang.Locale // lang.Terminal in the language of the settings
	configFile     string
	account        string // chosen by --account; empty for none
	stdin          io.Reader
	stdout, stderr io.Writer
}

func main() {
	// net/http writes answers that nobody asked for to it. They may hold secrets.
	log.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(untilHangUp(), os.Interrupt, syscall.SIGTERM)
	// A second one of these ends the program at once.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// untilHangUp returns a context that ends when the terminal closes (SIGHUP). A
// further SIGHUP changes nothing: the shell and the kernel both send one, and
// systemd may send one after SIGTERM. Under nohup the terminal does not matter.
func untilHangUp() context.Context {
	if signal.Ignored(syscall.SIGHUP) {
		return context.Background()
	}
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGHUP) // held to the end of the program
	return ctx
}

// run carries out a command line and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	words, err := terminalWords(config.Language(configFile(args), os.LookupEnv))
	if err != nil {
		fmt.Fprintln(stderr, "wechat-broadcast:", err)
		return exitFailed
	}
	var c commands
	parser, err := newParser(&c, words, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "wechat-broadcast:", err)
		return exitFailed
	}
	command, err := parser.Parse(args)
	if errors.Is(err, errHelpShown) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "wechat-broadcast: %s\n%s\n", usageFault(words, err), words.Say("usage.try"))
		return exitUsage
	}
	err = command.Run(&session{ctx: ctx, words: words, configFile: c.Config, account: c.Account, stdin: stdin, stdout: stdout, stderr: stderr})
	var faults config.Faults
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &faults):
		fmt.Fprintln(stderr, faults)
		return exitUsage
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "wechat-broadcast:", usage)
		return exitUsage
	default:
		fmt.Fprintln(stderr, "wechat-broadcast:", err)
		return exitFailed
	}
}

// load reads the settings and returns them with the logger that they ask for.
func (s *session) load() (*config.Settings, *slog.Logger, error) {
	settings, err := s.readSettings()
	if err != nil {
		return nil, nil, err
	}
	log := newLogger(settings.Process, s.stderr)
	for _, w := range settings.Warnings {
		log.Warn("settings", "warning", w)
	}
	return settings, log, nil
}

// readSettings reads the settings of every account.
func (s *session) readSettings() (*config.Settings, error) {
	return config.Load(cmp.Or(s.configFile, defaultConfig), s.configFile != "", os.LookupEnv, os.Environ())
}

// open returns the account that a command works once with, alone in its process and
// with its database migrated. The process's close must follow.
func (s *session) open() (*account, error) {
	a, err := s.wire()
	if err != nil {
		return nil, err
	}
	if err := a.migrate(s.ctx); err != nil {
		_ = a.process.close()
		return nil, startFault(err, a.settings.Language)
	}
	return a, nil
}

// wire is open without a look at the database.
func (s *session) wire() (*account, error) {
	settings, log, err := s.load()
	if err != nil {
		return nil, err
	}
	if err := s.choose(settings); err != nil {
		return nil, err
	}
	p, err := newProcess(settings, log)
	if err != nil {
		return nil, err
	}
	return p.only(), nil
}

// choose leaves only the account in the settings that --account names.
func (s *session) choose(settings *config.Settings) error {
	names := lang.Vars{"Name": s.account, "Names": strings.Join(settings.Names(), s.words.Say("account.and"))}
	switch {
	case !settings.Several() && s.account != "":
		return usageError(s.words.Say("account.only_one"))
	case !settings.Several():
		return nil
	case s.account == "":
		return usageError(s.words.Say("account.choose", names))
	}
	for _, a := range settings.Accounts {
		if a.Name == s.account {
			settings.Accounts = []config.Account{a}
			return nil
		}
	}
	return usageError(s.words.Say("account.unknown", names))
}

// usageError is what is wrong with a command line, in words.
type usageError string

func (e usageError) Error() string { return string(e) }

func newLogger(settings config.Process, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: settings.LogLevel}
	if settings.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
