package message

import (
	"slices"
	"strings"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

// CheckTemplate compares the message with its template on the platform. It returns
// a *models.Error if the message lacks one of the template's fields or has one
// that the template lacks. A template whose fields are not known fits.
func (d *Definition) CheckTemplate(t wechat.Template) error {
	if len(t.Keys) == 0 {
		return nil
	}
	keys := make([]string, len(d.Data))
	for i, f := range d.Data {
		keys[i] = f.Key
	}
	missing, unknown := without(t.Keys, keys), without(keys, t.Keys)
	if len(missing)+len(unknown) == 0 {
		return nil
	}
	for i, key := range missing {
		if name := t.Name(key); name != key { // who corrects a message file needs both
			missing[i] = name + "(" + key + ")"
		}
	}
	return models.NewError(models.Invalid, models.ErrTemplateField, "Name", d.Name,
		"Missing", strings.Join(missing, ", "), "Unknown", strings.Join(unknown, ", "))
}

// without returns the keys that are not among the others. The platform no longer
// shows the fields first and remark (since May 2023), so a message may have them
// or not.
func without(keys, others []string) (rest []string) {
	for _, key := range keys {
		if key != "first" && key != "remark" && !slices.Contains(others, key) {
			rest = append(rest, key)
		}
	}
	return rest
}
