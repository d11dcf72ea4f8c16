package message

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/services/wechat/field"
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

// ShownFields are the fields that a phone shows of a template. Since May 2023 it shows
// no first and no remark, so a message may have them or not; one of a template with no
// other field has those.
func ShownFields(t wechat.Template) []wechat.TemplateField {
	shown := slices.DeleteFunc(slices.Clone(t.Fields), func(f wechat.TemplateField) bool { return f.Key == "first" || f.Key == "remark" })
	if len(shown) == 0 {
		return t.Fields
	}
	return shown
}

// InWords returns the error of a Content with the fields as a template calls them.
func InWords(err error, t wechat.Template) error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, InWords(e, t))
		}
		return errors.Join(all...)
	}
	var (
		unfilled *RenderError
		misfit   *field.Error
	)
	switch {
	case errors.As(err, &unfilled):
		named := *unfilled
		named.Field = t.Name(named.Field)
		return &named
	case errors.As(err, &misfit):
		named := *misfit
		named.Key = t.Name(named.Key)
		return fmt.Errorf("field %s: %w", misfit.Key, &named)
	}
	return err
}
