package main

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"

	"wechat-broadcast/lang"
)

// terminalWords returns the sentences that the commands say on the terminal.
func terminalWords(language string) (*lang.Locale, error) {
	return lang.New(language, slog.New(slog.DiscardHandler), lang.Terminal, lang.People)
}

// configFile returns the settings file that a command line names, before it is parsed.
func configFile(args []string) string {
	for i, arg := range args {
		if path, found := strings.CutPrefix(arg, "--config="); found {
			return path
		}
		if arg == "--config" && i+1 < len(args) {
			return args[i+1]
		}
	}
	return defaultConfig
}

// usages are the sentences of the help. Tags name them with _ for the dot.
var usages = []string{
	"usage.config", "usage.account", "usage.serve", "usage.demo", "usage.sync", "usage.export", "usage.export_audit",
	"usage.export_consents", "usage.export_lists", "usage.export_list", "usage.import", "usage.import_file",
	"usage.import_list", "usage.import_dry_run", "usage.import_skip_bad", "usage.simulator", "usage.version",
	"usage.healthcheck", "usage.say", "usage.say_line", "usage.say_as", "usage.followers", "usage.verbose", "usage.browser",
	"usage.check", "usage.check_json", "usage.init", "usage.init_out", "usage.init_app_id", "usage.init_app_secret",
	"usage.init_app_secret_file", "usage.init_token", "usage.init_aes_key", "usage.init_admin", "usage.init_public_url",
	"usage.init_database_url", "usage.init_api_base_url", "usage.copy", "usage.copy_to", "usage.copy_undo",
	"usage.import_testers", "usage.import_table", "usage.export_followers", "usage.export_deliveries",
	"usage.export_broadcast", "usage.accounts", "usage.token", "usage.token_add", "usage.token_list", "usage.token_remove",
	"usage.token_name", "usage.token_scope",
}

// newParser returns the parser of the command line, whose help is in the language of
// the words.
func newParser(c *commands, words *lang.Locale, stdout, stderr io.Writer) (*kong.Kong, error) {
	sentences := kong.Vars{}
	for _, id := range usages {
		sentences[strings.ReplaceAll(id, ".", "_")] = words.Say(id)
	}
	return kong.New(c, kong.Name("wechat-broadcast"), kong.Description(words.Say("usage.program")), sentences,
		kong.Writers(stdout, stderr), kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Help(helpIn(words)))
}

// errHelpShown ends the parsing once the help was printed.
var errHelpShown = errors.New("the help is shown")

// helpIn prints the help. Its headings are kong's, in English, and are replaced.
func helpIn(words *lang.Locale) kong.HelpPrinter {
	headings := strings.NewReplacer(
		"Usage: ", words.Say("usage.usage"), "\nArguments:\n", "\n"+words.Say("usage.arguments")+"\n", "\nFlags:\n", "\n"+words.Say("usage.flags")+"\n", "\nCommands:\n", "\n"+words.Say("usage.commands")+"\n",
		"Show context-sensitive help.", words.Say("usage.help"),
		`Run "wechat-broadcast <command> --help" for more information on a command.`, words.Say("usage.more"),
	)
	return func(options kong.HelpOptions, c *kong.Context) error {
		out := c.Stdout
		var text bytes.Buffer
		c.Stdout = &text
		err := kong.DefaultHelpPrinter(options, c)
		c.Stdout = out
		if err == nil {
			_, err = headings.WriteString(out, text.String())
		}
		return cmp.Or(err, errHelpShown)
	}
}

// usageFaults are what kong says of a command line, with their sentences.
var usageFaults = []struct {
	said *regexp.Regexp
	id   string
}{
	{regexp.MustCompile(`^unknown flag (\S+)`), "usage.unknown_flag"},
	{regexp.MustCompile(`^unexpected argument (\S+)`), "usage.unknown_argument"},
	{regexp.MustCompile(`^missing flags: (.+)`), "usage.missing"},
	{regexp.MustCompile(`^expected "(.+)"`), "usage.missing"},
	{regexp.MustCompile(`^(--\S+): (?:missing value|expected)`), "usage.no_value"},
}

// usageFault says what is wrong with a command line. What has no sentence is repeated.
func usageFault(words *lang.Locale, err error) string {
	for _, f := range usageFaults {
		if said := f.said.FindStringSubmatch(err.Error()); said != nil {
			return words.Say(f.id, lang.Vars{"What": strings.Trim(said[1], ",")})
		}
	}
	return err.Error()
}
