// Package lang says what people read, in Chinese and in English, with the numbers,
// times and spans of time in it.
package lang

import (
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"
)

//go:embed sentences
var files embed.FS

// Languages are those that there are; the first is the default.
var Languages = []string{"zh", "en"}

// The parts of the program that have sentences of their own: each in a file, with what
// belongs to one subject of it in further ones, such as chat_voice.zh.yaml.
const (
	Chat     = "chat"
	Platform = "platform" // the platform's error codes
	Problems = "problems" // of messages and their file
	Plain    = "plain"    // what the terminal says otherwise of problems; English only
	Pages    = "pages"
	Console  = "console"
	Demo     = "demo"
	Terminal = "terminal" // of the commands but the demo: what is wrong at a start, help, progress
)

// Vars fill a sentence. Numbers get separators (save those that are names, such as
// ID and Code), and spans and moments become words; Count also picks the plural.
type Vars map[string]any

// Locale says sentences in one language. It is safe for concurrent use.
type Locale struct {
	Language string

	localizer *i18n.Localizer
	log       *slog.Logger
}

// New returns a Locale with the sentences of those parts. A sentence of a later
// part replaces that of the same id of an earlier one. Sentences that are missing
// are told to the log. Locales with the same sentences share them in memory.
func New(lang string, log *slog.Logger, parts ...string) (*Locale, error) {
	localizer, err := loaded.get(lang, parts)
	if err != nil {
		return nil, err
	}
	return &Locale{Language: lang, localizer: localizer, log: log}, nil
}

// loaded are the sentences that were read before. A process has only a few sets of them, and
// as many accounts as it likes.
var loaded = localizers{by: map[string]*i18n.Localizer{}}

type localizers struct {
	mu sync.Mutex
	by map[string]*i18n.Localizer // by language and parts
}

// get returns the sentences of parts in a language, read once.
func (l *localizers) get(lang string, parts []string) (*i18n.Localizer, error) {
	key := lang + " " + strings.Join(parts, " ")
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by[key] == nil {
		localizer, err := load(lang, parts)
		if err != nil {
			return nil, err
		}
		l.by[key] = localizer
	}
	return l.by[key], nil
}

// load reads the sentences of parts in a language.
func load(lang string, parts []string) (*i18n.Localizer, error) {
	bundle := i18n.NewBundle(language.Make(lang))
	bundle.RegisterUnmarshalFunc("yaml", yaml.Unmarshal)
	for _, part := range append([]string{"common"}, parts...) {
		more, _ := fs.Glob(files, "sentences/"+part+"_*."+lang+".yaml") // only a wrong pattern is an error
		for _, file := range append([]string{"sentences/" + part + "." + lang + ".yaml"}, more...) {
			if _, err := bundle.LoadMessageFileFS(files, file); err != nil {
				return nil, fmt.Errorf("load sentences: %w", err)
			}
		}
	}
	return i18n.NewLocalizer(bundle, lang), nil
}

// Say returns the sentence of that id, filled with the vars.
func (l *Locale) Say(id string, vars ...Vars) string {
	data := map[string]any{}
	sentence := &i18n.LocalizeConfig{MessageID: id, TemplateData: data}
	for _, v := range vars {
		for name, value := range v {
			data[name] = l.write(name, value)
		}
		if n, ok := v["Count"].(int64); ok {
			sentence.PluralCount = n
		}
	}
	text, err := l.localizer.Localize(sentence)
	if err != nil {
		l.log.Error("a sentence is missing", "id", id, "error", err)
	}
	if text == "" {
		return id
	}
	return text
}

// SayIf is Say, but returns "" if there is no sentence of that id.
func (l *Locale) SayIf(id string, vars ...Vars) string {
	if !l.Has(id) {
		return ""
	}
	return l.Say(id, vars...)
}

// Has tells whether there is a sentence of that id.
func (l *Locale) Has(id string) bool {
	_, err := l.localizer.Localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: map[string]any{}})
	return err == nil
}

// Other is the language for whoever cannot read this one.
func (l *Locale) Other() string {
	if l.Language == Languages[0] {
		return Languages[1]
	}
	return Languages[0]
}
