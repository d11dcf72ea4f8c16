package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"wechat-broadcast/lang"
	"wechat-broadcast/textfile"
)

// maxSecretBytes is the greatest size of a file that holds one secret.
const maxSecretBytes = 4 << 10

// Load reads the settings: the environment over the file at path over the
// defaults. lookup answers for one variable, as os.LookupEnv does; environ
// holds all of them as NAME=value, as os.Environ does, and serves only to warn
// of mistyped names. The variables that name a proxy are checked, too. Without
// pathGiven a missing file is no fault; with an empty path none is read.
//
// An empty variable counts as not set, and space around a value is dropped. A
// secret may stand in a file of its own, named by the variable with _FILE at
// its end. Inside the settings file keys are the variables' names in any case,
// whole (wechat_app_id) or nested (wechat: {app_id: …}). What stands there under
// accounts: and a name is that account's, over the environment.
//
// The error is a Faults with everything that is wrong, or nil.
func Load(path string, pathGiven bool, lookup func(string) (string, bool), environ []string) (*Settings, error) {
	l := newLoader(path, pathGiven, lookup)
	settings := &Settings{}
	l.values = &values{}
	for _, o := range options {
		if o.process {
			l.set(o)
		}
	}
	settings.Process = l.values.Process
	if l.file.accounts == nil {
		settings.Accounts = []Account{l.account("")}
	}
	for _, section := range l.file.accounts {
		of := *l
		of.faults, of.warnings = nil, nil
		of.layers = append([]layer{section.layer()}, l.layers...)
		settings.Accounts = append(settings.Accounts, of.account(section.name))
		l.take(of.faults, of.warnings)
	}
	l.compare(settings.Accounts)
	l.checkProxies(lookup)
	l.lookForMistakes(environ)
	if len(l.faults) > 0 {
		return nil, faultsIn(l.language(), l.faults)
	}
	settings.Warnings = l.warnings
	return settings, nil
}

// Language returns the language of the settings as Load finds it, whatever else is
// wrong with them: the file's and the environment's, not that of one of several
// accounts. It is meant for what is said before they are loaded.
func Language(path string, lookup func(string) (string, bool)) string {
	languageOnly := func(name string) (string, bool) {
		if name != "LANGUAGE" {
			return "", false
		}
		return lookup(name)
	}
	return newLoader(path, false, languageOnly).language()
}

// language returns the language in which faults are told.
func (l *loader) language() string {
	quiet := *l
	quiet.values, quiet.faults, quiet.warnings = &values{}, nil, nil
	for _, o := range options {
		if o.name == "LANGUAGE" {
			quiet.set(o)
		}
	}
	return cmp.Or(quiet.values.Language, lang.Languages[0])
}

// newLoader returns a loader that has read the file at path.
func newLoader(path string, pathGiven bool, lookup func(string) (string, bool)) *loader {
	l := &loader{}
	l.readFile(path, pathGiven)
	environment := func(name string) (entry, bool) {
		value, _ := lookup(name)
		value = strings.TrimSpace(value)
		return entry{value: value}, value != ""
	}
	l.layers = []layer{l.withoutLocale(environment), l.file.top.layer()}
	return l
}

// entry is a value as somebody wrote it. origin says where, and is empty for
// the environment.
type entry struct{ value, origin string }

// layer answers for one source of settings; only non-empty values are there.
type layer func(name string) (entry, bool)

type loader struct {
	file     *settingsFile
	name     string  // of the account that is loaded, if it has one
	values   *values // what is loaded
	layers   []layer // the first that has a setting decides
	faults   []finding
	warnings []string
}

func (l *loader) fault(key, origin string, problem error, hint lang.Words) {
	l.faults = append(l.faults, finding{key: key, origin: origin, problem: wordsOf(problem), hint: hint})
}

func (l *loader) readFile(path string, pathGiven bool) {
	l.file = &settingsFile{}
	if path == "" {
		return
	}
	data, err := textfile.Read(path, textfile.MaxBytes)
	if errors.Is(err, fs.ErrNotExist) && !pathGiven {
		return
	}
	if err != nil {
		l.fault("--config", "", cannotRead(path, textfile.MaxBytes, err), hint("readable"))
		return
	}
	l.file, l.faults = parseFile(path, data)
}

func (l *loader) set(o option) {
	e, found, ok := l.find(o)
	if !ok {
		return
	}
	if !found {
		if o.required {
			l.fault(o.name, l.under(), wrong("required"), hint(o.name))
		}
		if o.fallback == "" {
			return
		}
		e = entry{value: l.fallback(o), origin: "default"}
	}
	if err := o.parse(l.values, l.filled(o, e.value)); err != nil {
		l.fault(o.name, e.origin, err, hint(o.name))
	}
}

// find returns what the first layer says that says anything. ok is false
// after a fault.
func (l *loader) find(o option) (e entry, found, ok bool) {
	for _, get := range l.layers {
		direct, hasDirect := get(o.name)
		if !o.secret {
			if hasDirect {
				return direct, true, true
			}
			continue
		}
		named, hasNamed := get(o.fileName())
		switch {
		case hasDirect && hasNamed:
			l.fault(o.name, named.origin, wrong("twice_named", "One", o.name, "Other", o.fileName()), hint("one_of_two"))
			return entry{}, false, false
		case hasDirect:
			return direct, true, true
		case hasNamed:
			e, ok := l.readSecret(o, named)
			return e, ok, ok
		}
	}
	return entry{}, false, true
}

// readSecret reads a value from the file that a _FILE setting names.
func (l *loader) readSecret(o option, named entry) (entry, bool) {
	data, err := textfile.Read(named.value, maxSecretBytes)
	if err != nil {
		l.fault(o.fileName(), named.origin, cannotRead(named.value, maxSecretBytes, err),
			hint("readable_value"))
		return entry{}, false
	}
	value := strings.TrimSpace(string(data))
	if value == "" {
		l.fault(o.fileName(), named.origin, wrong("empty_file", "Path", named.value), hint("fill"))
		return entry{}, false
	}
	return entry{value: value, origin: named.value}, true
}

// cannotRead says why textfile.Read failed.
func cannotRead(path string, limit int, err error) error {
	switch {
	case errors.Is(err, textfile.ErrNotRegular):
		return wrong("not_regular", "Path", path)
	case errors.Is(err, textfile.ErrTooLarge):
		return wrong("too_large", "Path", path, "Limit", limit)
	}
	return wrong("unreadable", "Path", path, "Reason", lang.SystemFault(err))
}

// withoutLocale hides a LANGUAGE that is meant for gettext, such as
// en_US:en. Desktops and server images set it for every program; taking it for
// ours would stop the start or override the operator's file.
func (l *loader) withoutLocale(environment layer) layer {
	e, _ := environment("LANGUAGE")
	if !strings.ContainsAny(e.value, "_:.@") {
		return environment
	}
	l.warnings = append(l.warnings, fmt.Sprintf(
		"LANGUAGE=%s is the system's list of locales and is ignored; give LANGUAGE=zh or LANGUAGE=en to choose the language of the replies", e.value))
	return func(name string) (entry, bool) {
		if name == "LANGUAGE" {
			return entry{}, false
		}
		return environment(name)
	}
}

// ownPrefixes begin names that hardly anybody else uses. Names that begin
// otherwise are warned of only if they are near one of ours.
var ownPrefixes = []string{"WECHAT_", "SEND_", "ADMIN_", "UNDO_", "MESSAGES_", "QUOTA_"}

// servicePrefix begins the variables that a container platform adds for a
// service named after this program.
const servicePrefix = "WECHAT_BROADCAST_"

// lookForMistakes warns of what is allowed and yet likely to be a mistake.
func (l *loader) lookForMistakes(environ []string) {
	known := optionNames()
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if slices.Contains(known, name) || strings.HasPrefix(name, servicePrefix) {
			continue
		}
		own := slices.ContainsFunc(ownPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
		near := textfile.Nearest(name, known)
		switch {
		case near != "" && (own || sharesPrefix(name, near)):
			l.warn("%s is not a setting and is ignored; did you mean %s?", name, near)
		case own:
			l.warn("%s is not a setting and is ignored", name)
		}
	}
}

func (l *loader) warn(format string, args ...any) {
	l.warnings = append(l.warnings, fmt.Sprintf(format, args...))
}

// sharesPrefix tells whether two names agree up to their first underscore, so
// that LOG_LEVL is warned of and LESS_LEVEL is somebody else's.
func sharesPrefix(a, b string) bool {
	first, _, _ := strings.Cut(a, "_")
	second, _, _ := strings.Cut(b, "_")
	return first == second
}

// isPlatformToken follows the rule of the platform's form for the callback.
func isPlatformToken(token string) bool {
	return len(token) >= 3 && len(token) <= 32 && !strings.ContainsFunc(token, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}
