package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/width"
)

// Messages is the message file: the template messages that can be broadcast.
type Messages struct {
	// Default is the name of the message that is meant when none is given: the
	// one the file says, or the only one there is. Empty if neither holds.
	Default string

	list []*Message
}

// Message is one template message as the operator defined it. Its JSON is
// stored with a broadcast and is what the broadcast sends, whatever becomes of
// the file.
type Message struct {
	Name        string       `json:"name"`
	TemplateID  string       `json:"template_id"`
	URL         string       `json:"url,omitempty"` // a template; where a tap leads
	MiniProgram *MiniProgram `json:"miniprogram,omitempty"`
	Data        []Field      `json:"data"` // in the order of the file
}

// MiniProgram is the page of a mini program that a tap on the message opens.
// It wins over the URL, which old clients fall back to (WeChat: template/send
// docs).
type MiniProgram struct {
	AppID    string `json:"appid"`
	PagePath string `json:"pagepath,omitempty"` // a template
}

// Field is one value of a message's template.
type Field struct {
	Key   string `json:"key"`   // the platform's name, such as thing1
	Value string `json:"value"` // a template in a Message, the text itself once rendered
	Color string `json:"color,omitempty"`
}

// LoadMessages reads and checks the message file, a regular file of at most
// maxFileBytes. The error is a Faults with everything that is wrong with it, or
// says why it cannot be read.
func LoadMessages(path string) (*Messages, error) {
	data, err := readFile(path, maxFileBytes)
	switch {
	case errors.Is(err, errNotFile):
		return nil, Faults{{Key: "MESSAGES_FILE", Problem: words(problemNotFile, "Path", path), Mend: words(mendNameFile)}}
	case errors.Is(err, errBigFile):
		return nil, Faults{{Key: "MESSAGES_FILE", Problem: words(problemBigFile, "Path", path, "Max", maxFileBytes), Mend: words(mendNameFile)}}
	case err != nil:
		return nil, fmt.Errorf("read messages: %w", err)
	}
	return ParseMessages(data)
}

// Names returns the messages' names in the order of the file.
func (m *Messages) Names() []string {
	names := make([]string, len(m.list))
	for i, message := range m.list {
		names[i] = message.Name
	}
	return names
}

// Get returns the message of that name. Case, full-width letters and
// surrounding space do not matter; no two names in a file differ only in them.
func (m *Messages) Get(name string) (*Message, bool) {
	wanted := fold(name)
	i := slices.IndexFunc(m.list, func(message *Message) bool { return fold(message.Name) == wanted })
	if i < 0 {
		return nil, false
	}
	return m.list[i], true
}

// fold brings the spellings of one name together.
func fold(name string) string {
	return strings.ToLower(strings.TrimSpace(width.Fold.String(name)))
}

// Digest returns a hash of what the message says, in hex. Its name and the
// order of its fields have no part in it.
func (m *Message) Digest() string {
	definition := *m
	definition.Name = ""
	definition.Data = slices.SortedFunc(slices.Values(m.Data), func(a, b Field) int { return cmp.Compare(a.Key, b.Key) })
	// Strings and structs of strings always encode.
	content, _ := json.Marshal(definition)
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
