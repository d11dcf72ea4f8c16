// Package message is what a broadcast says: the definitions of messages and the
// file that holds them, their validation, and the message for each recipient.
package message

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
)

// Definition is one template message as the operator wrote it. Its JSON is stored
// with a broadcast, which sends that whatever becomes of the file.
type Definition struct {
	Name        string       `json:"name"`
	TemplateID  string       `json:"template_id"`
	URL         string       `json:"url,omitempty"` // a template; where a tap leads
	MiniProgram *MiniProgram `json:"miniprogram,omitempty"`
	Data        []Field      `json:"data"` // in the order of the file
	// Plain are the keys of the data, and "url", that were written as plain text: what
	// is wrong with them is told in its terms.
	Plain []string `json:"plain,omitempty"`
}

// MiniProgram is the page of a mini program that a tap on the message opens.
// It wins over the URL, which old clients fall back to (WeChat: template/send
// docs).
type MiniProgram struct {
	AppID    string `json:"appid"`
	PagePath string `json:"pagepath,omitempty"` // a template
}

// Field is one value of a message.
type Field struct {
	Key   string `json:"key"`   // the platform's name, such as thing1
	Value string `json:"value"` // a template
	Color string `json:"color,omitempty"`
}

// Digest returns a hash of what the message says, in hex. The message's name and
// the order of its fields do not change it, nor does the way in which it was written.
func (d *Definition) Digest() string {
	said := *d
	said.Name, said.Plain = "", nil
	said.Data = slices.SortedFunc(slices.Values(d.Data), func(a, b Field) int { return cmp.Compare(a.Key, b.Key) })
	// Strings and structs of strings always encode.
	content, _ := json.Marshal(said)
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
