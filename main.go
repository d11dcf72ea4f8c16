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
	"syscall"

	"github.com/alecthomas/kong"

	"wechat-broadcast/config"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // the command line or the configuration is wrong
)

// commands is the command line.
type commands struct {
	Config string `help:"Configuration file (default: config.yaml if it exists)." placeholder:"FILE" type:"path"`

	Serve     serveCommand     `cmd:"" default:"1" help:"Serve the account's callback and run broadcasts (the default)."`
	Demo      demoCommand      `cmd:"" help:"Try it with nothing to set up: a simulated platform, 1,000 followers and a chat."`
	Sync      syncCommand      `cmd:"" help:"Pull every follower into the recipients table once."`
	Export    exportCommand    `cmd:"" help:"Print a table as CSV with a header."`
	Simulator simulatorCommand `cmd:"" help:"Run the platform simulator alone, for rehearsals and load tests."`
	Version   versionCommand   `cmd:"" help:"Print version, commit and Go version."`

	Healthcheck healthcheckCommand `cmd:"" help:"Ask the program that serves on LISTEN_ADDR for a sign of life (for containers)."`
}

// session is what a command works with.
type session struct {
	ctx            context.Context
	configFile     string
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
	var c commands
	parser, err := kong.New(&c, kong.Name("wechat-broadcast"),
		kong.Description("Template-message broadcasts of a WeChat Official Account, run by chat."),
		kong.Writers(stdout, stderr), kong.Help(showHelp),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		fmt.Fprintln(stderr, "wechat-broadcast:", err)
		return exitFailed
	}
	command, err := parser.Parse(args)
	if errors.Is(err, errHelpShown) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "wechat-broadcast: %v\nTry: wechat-broadcast --help\n", err)
		return exitUsage
	}
	err = command.Run(&session{ctx: ctx, configFile: c.Config, stdin: stdin, stdout: stdout, stderr: stderr})
	var faults config.Faults
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &faults):
		fmt.Fprintln(stderr, faults)
		return exitUsage
	default:
		fmt.Fprintln(stderr, "wechat-broadcast:", err)
		return exitFailed
	}
}

// errHelpShown ends the parsing once the help was printed.
var errHelpShown = errors.New("the help is shown")

func showHelp(options kong.HelpOptions, c *kong.Context) error {
	return cmp.Or(kong.DefaultHelpPrinter(options, c), errHelpShown)
}

// load reads the settings and returns them with the logger that they ask for.
func (s *session) load() (*config.Settings, *slog.Logger, error) {
	path, given := s.configFile, s.configFile != ""
	if !given {
		path = "config.yaml"
	}
	settings, err := config.Load(path, given, os.LookupEnv, os.Environ())
	if err != nil {
		return nil, nil, err
	}
	log := newLogger(settings.Process, s.stderr)
	for _, w := range settings.Warnings {
		log.Warn("settings", "warning", w)
	}
	return settings, log, nil
}

func newLogger(settings config.Process, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: settings.LogLevel}
	if settings.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
