// Package messages knows every message that can be sent: those of the message file and
// those that were written in the chat. It checks what admins write of them.
package messages

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
)

// MaxKept is how many messages the database may hold.
const MaxKept = 200

// words are those about what is wrong; their sentences are in lang.
var words = message.NewWords

const (
	// askPlatform is how long somebody who writes a message waits for the platform.
	askPlatform = 2 * time.Second
	// templatesLast is how old the account's templates may be for that: the platform
	// counts the calls, and a template number is that of a list that was just shown.
	templatesLast = 10 * time.Minute
	// templatesSoon is how old they may be when a template is not among them.
	templatesSoon = 10 * time.Second
)

// store is what a Source asks of a *models.Store.
type store interface {
	Messages(ctx context.Context) ([]models.Message, error)
	SaveMessage(ctx context.Context, was *models.Message, m models.Message, limit int) (saved bool, err error)
	RemoveMessage(ctx context.Context, folded string) (removed bool, err error)
}

// templates is what a Source asks of a *wechat.Client.
type templates interface {
	KnownTemplates(ctx context.Context, age time.Duration) ([]wechat.Template, time.Time, error)
}

// SourceConfig is what a Source needs. All fields but the Path are required.
type SourceConfig struct {
	// Path is that of the message file; there may be none.
	Path string
	// Language is that in which dates are written, one of lang.Languages.
	Language  string
	Store     store
	Templates templates
	Now       func() time.Time
}

// Source has every message that can be sent: those of the message file, which is read
// anew for every call, so that a change takes effect without a restart, and those that
// were written in the chat.
type Source struct{ config SourceConfig }

// NewSource returns a Source. It reads nothing yet.
func NewSource(c SourceConfig) *Source { return &Source{c} }

// Listed is a message that can be sent.
type Listed struct {
	*message.Definition
	// Kept is the row of a message that was written in the chat; nil for one of the file.
	Kept *models.Message

	draft draft
}

// List is every message that there is.
type List struct {
	// Default is the name of the message that is meant when none is given: the one
	// that the file names, or the only one there is. Empty if neither holds.
	Default string
	// Messages are those of the file, in its order, and then the others by their names.
	Messages []Listed
	// FileFault says why the message file can't be used: Problems, or an error of the
	// system. It is nil if it can, or if there is no file.
	FileFault error
}

// List returns every message. The error is that of the database.
func (s *Source) List(ctx context.Context) (*List, error) {
	kept, err := s.config.Store.Messages(ctx)
	if err != nil {
		return nil, err
	}
	l := &List{}
	named := false
	file, err := message.ReadFile(s.config.Path)
	switch {
	case err == nil:
		for _, d := range file.Messages() {
			l.Messages = append(l.Messages, Listed{Definition: d, draft: draftOf(d)})
		}
		l.Default, named = file.Default, file.Named
	case !errors.Is(err, fs.ErrNotExist):
		l.FileFault = err
	}
	for i, row := range kept {
		d := draft{Name: row.Name}
		if err := json.Unmarshal([]byte(row.Content), &d); err != nil {
			return nil, fmt.Errorf("read message %s: %w", row.Name, err)
		}
		l.Messages = append(l.Messages, Listed{d.definition(s.config.Language), &kept[i], d})
	}
	if !named {
		l.Default = ""
		if len(l.Messages) == 1 && l.FileFault == nil {
			l.Default = l.Messages[0].Name
		}
	}
	return l, nil
}

// Names returns the messages' names.
func (l *List) Names() []string {
	names := make([]string, len(l.Messages))
	for i, m := range l.Messages {
		names[i] = m.Name
	}
	return names
}

// find returns the message of that name in the file and the one that was written in
// the chat, nil for none. Case, full-width letters and surrounding space do not matter.
func (l *List) find(name string) (inFile, kept *Listed) {
	for i := range l.Messages {
		m := &l.Messages[i]
		switch {
		case message.Fold(m.Name) != message.Fold(name):
		case m.Kept == nil:
			inFile = m
		default:
			kept = m
		}
	}
	return inFile, kept
}

// get returns the message of that name, or the default one for an empty name. The
// error is a *models.Error for the admin who asked.
func (l *List) get(name string) (*Listed, error) {
	wanted := name
	if wanted == "" {
		wanted = l.Default
	}
	inFile, kept := l.find(wanted)
	switch {
	case inFile != nil && kept != nil:
		return nil, models.NewError(models.Conflict, models.ErrMessageTwice, "Name", inFile.Name)
	case inFile != nil:
		return inFile, nil
	case kept != nil:
		return kept, nil
	case l.FileFault != nil:
		return nil, models.NewError(models.Invalid, models.ErrMessagesFile, "Reason", l.FileFault)
	case len(l.Messages) == 0:
		return nil, models.NewError(models.NotFound, models.ErrNoMessages)
	case name == "":
		return nil, models.NewError(models.Invalid, models.ErrNoDefaultMessage, "Known", strings.Join(l.Names(), ", "))
	default:
		return nil, models.NewError(models.Invalid, models.ErrMessageUnknown, "Name", name, "Known", strings.Join(l.Names(), ", "))
	}
}

// Resolve returns the message of that name, or the default one for an empty name, with
// changes for one broadcast. The error is a *models.Error for the admin who asked.
func (s *Source) Resolve(ctx context.Context, name string, changes []Change) (*message.Definition, error) {
	l, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	m, err := l.get(name)
	if err != nil {
		return nil, err
	}
	return s.Apply(ctx, m.Definition, changes)
}

// Templates returns the account's templates as they were read less than age ago. The
// error is a *models.Error if the platform does not tell them within two seconds.
func (s *Source) Templates(ctx context.Context, age time.Duration) ([]wechat.Template, error) {
	asking, cancel := context.WithTimeout(ctx, askPlatform)
	defer cancel()
	list, _, err := s.config.Templates.KnownTemplates(asking, age)
	if err == nil || ctx.Err() != nil {
		return list, err
	}
	told := models.NewError(models.Unavailable, models.ErrTemplatesUnchecked, "Code", 0)
	told.Err = err
	var refused *wechat.APIError
	if errors.As(err, &refused) {
		told.Args["Code"] = refused.Code
	}
	return nil, told
}

// Template returns the account's template of that id, and whether it is known.
func (s *Source) Template(ctx context.Context, id string) (t wechat.Template, known bool) {
	ctx, cancel := context.WithTimeout(ctx, askPlatform)
	defer cancel()
	has := func(t wechat.Template) bool { return t.ID == id }
	for _, age := range []time.Duration{templatesLast, templatesSoon} { // it may have been added just now
		list, err := s.Templates(ctx, age)
		if err != nil {
			return wechat.Template{}, false
		}
		if i := slices.IndexFunc(list, has); i >= 0 {
			return list[i], true
		}
	}
	return wechat.Template{}, false
}
