package message

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxNameRunes = 64
	maxIDLength  = 128
)

var (
	colorShape = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)
	keyShape   = regexp.MustCompile(`^[\p{L}\p{N}_-]{1,64}$`)
)

// reservedNames have another meaning after "broadcast all" in the chat.
var reservedNames = []string{"again", "再发", "at", "定时", "now", "现在", "canary", "试发", "except", "不含"}

func (d *Definition) path() string { return join("messages", d.Name) }

// checkName checks that the message can be named in a chat command.
func (d *Definition) checkName() (problems Problems) {
	switch {
	case strings.ContainsFunc(d.Name, func(c rune) bool { return unicode.IsSpace(c) || !unicode.IsPrint(c) }):
		problems.add(d.path(), words("problem.spaces"), words("hint.one_word"))
	case utf8.RuneCountInString(d.Name) > maxNameRunes:
		problems.add(d.path(), words("problem.long_name", "Max", maxNameRunes), words("hint.shorten"))
	case strings.HasPrefix(fold(d.Name), "#") || slices.Contains(reservedNames, fold(d.Name)):
		problems.add(d.path(), words("problem.reserved"), words("hint.rename"))
	}
	return problems
}

// checkValues checks everything but the name and the templates.
func (d *Definition) checkValues() (problems Problems) {
	path := d.path()
	problems.addID(join(path, "template_id"), d.TemplateID, words("hint.template_id"))
	if !isWebURLTemplate(d.URL) {
		problems.add(join(path, "url"), words("problem.url"), words("hint.url"))
	}
	if d.MiniProgram != nil {
		problems.addID(join(path, "miniprogram.appid"), d.MiniProgram.AppID, words("hint.appid"))
	}
	if len(d.Data) == 0 {
		problems.add(join(path, "data"), words("problem.empty"), words("hint.fields"))
	}
	for _, f := range d.Data {
		at := join(path, "data."+f.Key)
		switch {
		case strings.HasSuffix(f.Key, ".DATA"):
			problems.add(at, words("problem.dot_data"), words("hint.write", "As", strings.TrimSuffix(f.Key, ".DATA")))
		case !keyShape.MatchString(f.Key):
			problems.add(at, words("problem.field_name"), words("hint.field_name"))
		}
		if f.Value == "" {
			problems.add(join(at, "value"), words("problem.empty"), words("hint.value"))
		}
		if f.Color != "" && !colorShape.MatchString(f.Color) {
			problems.add(join(at, "color"), words("problem.color"), words("hint.color"))
		}
	}
	return problems
}

// addID adds what is wrong with an id of the platform, if anything.
func (p *Problems) addID(path, id string, hint Words) {
	switch {
	case id == "":
		p.add(path, words("problem.empty"), hint)
	case len(id) > maxIDLength || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }):
		p.add(path, words("problem.id_shape", "Max", maxIDLength), hint)
	}
}

// isWebURLTemplate tells whether a template can become a web address, as far as
// its fixed beginning shows; the filled one is checked again. None is fine, too.
func isWebURLTemplate(address string) bool {
	if address == "" || strings.HasPrefix(address, "{{") {
		return true
	}
	fixed, _, isTemplate := strings.Cut(address, "{{")
	if isTemplate {
		// Something must stand in for the variable part of a host's name.
		fixed += "x"
	}
	return isWebURL(fixed)
}

// isWebURL tells whether a follower's phone can open the address.
func isWebURL(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" &&
		!strings.ContainsFunc(address, unicode.IsSpace)
}
