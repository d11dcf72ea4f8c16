package config

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const (
	maxNameRunes = 64
	maxIDLength  = 128
	// maxKeys is how many keys stand side by side at most.
	maxKeys = 1000
	// maxFaults is how many are told of at most.
	maxFaults = 500
)

var (
	colorShape = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)
	keyShape   = regexp.MustCompile(`^[\p{L}\p{N}_-]{1,64}$`)
)

// reservedNames have a meaning of their own behind "broadcast all" in the chat.
var reservedNames = []string{"again", "再发", "at"}

// ParseMessages reads and checks the content of a message file. The error is a
// Faults with everything that is wrong, or nil.
func ParseMessages(data []byte) (*Messages, error) {
	root, problem := parseYAML(data)
	if !problem.none() {
		return nil, Faults{{Key: "messages", Problem: problem, Mend: words(mendQuote)}}
	}
	if root == nil {
		return nil, Faults{{Key: "messages", Problem: words(problemEmptyFile), Mend: words(mendDefine)}}
	}
	var r messageReader
	messages := r.file(root)
	if err := r.faults.or(); err != nil {
		return nil, err
	}
	return messages, nil
}

// messageReader walks the file's nodes and gathers every fault on the way.
type messageReader struct {
	faults Faults
	read   int // bytes of keys and values, those behind an alias each time
}

func (r *messageReader) fault(path string, node *yaml.Node, problem, mend Words) {
	if len(r.faults) == maxFaults {
		return
	}
	r.faults = append(r.faults, Fault{Key: path, Problem: problem, Line: node.Line, Mend: mend})
}

// pair is one key of a mapping with its value.
type pair struct {
	key         string
	node, value *yaml.Node
}

// pairs returns a mapping's content, having refused duplicates and, if allowed
// are named, all other keys.
func (r *messageReader) pairs(path string, node *yaml.Node, allowed ...string) []pair {
	node = dereference(node)
	if node.Kind != yaml.MappingNode {
		r.fault(path, node, words(problemShape), words(mendExample))
		return nil
	}
	if len(node.Content) > 2*maxKeys {
		r.fault(path, node, words(problemTooMany, "Max", maxKeys), words(mendExample))
		return nil
	}
	var pairs []pair
	for i := 0; i+1 < len(node.Content) && r.read <= maxFileBytes; i += 2 {
		key, value := dereference(node.Content[i]), dereference(node.Content[i+1])
		name := key.Value
		r.read += len(name)
		same := slices.IndexFunc(pairs, func(p pair) bool { return p.key == name })
		switch {
		case key.Kind != yaml.ScalarNode || name == "":
			r.fault(path, key, words(problemBadKey), words(mendExample))
		case same >= 0:
			r.fault(join(path, name), key, words(problemTwice, "First", pairs[same].node.Line), words(mendOneOfTwo))
		case len(allowed) > 0 && !slices.Contains(allowed, name):
			mend := words(mendKnown, "Names", allowed)
			if near := nearest(name, allowed); near != "" {
				mend = words(mendNear, "Near", near)
			}
			r.fault(join(path, name), key, words(problemUnknownKey), mend)
		default:
			pairs = append(pairs, pair{name, key, value})
		}
	}
	return pairs
}

// text returns a scalar's text without surrounding space.
func (r *messageReader) text(path string, node *yaml.Node) string {
	if node.Kind != yaml.ScalarNode {
		r.fault(path, node, words(problemNotSingle), words(mendText))
		return ""
	}
	r.read += len(node.Value)
	return strings.TrimSpace(scalarText(node))
}

func (r *messageReader) file(root *yaml.Node) *Messages {
	m := &Messages{}
	if root.Kind != yaml.MappingNode {
		r.fault("messages", root, words(problemFileShape), words(mendExample))
		return m
	}
	if r.foreign(root) {
		return m
	}
	var defaultNode, messagesNode *yaml.Node
	for _, p := range r.pairs("", root, "default", "messages") {
		switch p.key {
		case "default":
			m.Default = r.text("default", p.value)
			defaultNode = p.value
		case "messages":
			messagesNode = p.value
		}
	}
	if messagesNode == nil || isNull(messagesNode) {
		r.fault("messages", root, words(problemMissing), words(mendDefine))
		return m
	}
	for _, p := range r.pairs("messages", messagesNode) {
		r.name(m, p)
		m.list = append(m.list, r.message(p))
		// Without aliases no file can say more than it is long.
		if r.read > maxFileBytes {
			r.faults = Faults{{Key: "messages", Problem: words(problemAliases, "Max", maxFileBytes), Line: messagesNode.Line, Mend: words(mendAliases)}}
			return m
		}
	}
	if messagesNode.Kind == yaml.MappingNode && len(m.list) == 0 {
		r.fault("messages", messagesNode, words(problemNoMessage), words(mendDefine))
	}
	if m.Default == "" {
		if len(m.list) == 1 {
			m.Default = m.list[0].Name
		}
		return m
	}
	if message, ok := m.Get(m.Default); ok {
		m.Default = message.Name
	} else {
		r.fault("default", defaultNode, words(problemNoSuch, "Name", m.Default), words(mendNameOne, "Names", m.Names()))
	}
	return m
}

// foreign tells whether this is no message file, and says so. The keys of such a
// file are not repeated: MESSAGES_FILE may name one that is full of secrets.
func (r *messageReader) foreign(root *yaml.Node) bool {
	known := []string{"default", "messages"}
	near := -1
	for i := 0; i+1 < len(root.Content); i += 2 {
		switch key := root.Content[i].Value; {
		case key == "messages":
			return false
		case nearest(key, known) == "messages":
			near = i
		}
	}
	if near >= 0 {
		key := root.Content[near]
		r.fault(key.Value, key, words(problemUnknownKey), words(mendNear, "Near", "messages"))
	} else {
		r.fault("messages", root, words(problemMissing), words(mendDefine))
	}
	return true
}

// name checks that a message can be asked for in the chat.
func (r *messageReader) name(m *Messages, p pair) {
	path := join("messages", p.key)
	if other, ok := m.Get(p.key); ok {
		r.fault(path, p.node, words(problemSameName, "Other", other.Name), words(mendRenameOne))
	}
	switch {
	case strings.ContainsFunc(p.key, func(c rune) bool { return unicode.IsSpace(c) || !unicode.IsPrint(c) }):
		r.fault(path, p.node, words(problemSpaces), words(mendOneWord))
	case utf8.RuneCountInString(p.key) > maxNameRunes:
		r.fault(path, p.node, words(problemLongName, "Max", maxNameRunes), words(mendShorten))
	case strings.HasPrefix(fold(p.key), "#") || slices.Contains(reservedNames, fold(p.key)):
		r.fault(path, p.node, words(problemReserved), words(mendRename))
	}
}

func (r *messageReader) message(p pair) *Message {
	path := join("messages", p.key)
	m := &Message{Name: p.key}
	given := map[string]bool{}
	before := len(r.faults)
	for _, part := range r.pairs(path, p.value, "template_id", "url", "miniprogram", "data") {
		given[part.key] = true
		at := join(path, part.key)
		switch part.key {
		case "template_id":
			m.TemplateID = r.id(at, part.value, words(mendTemplateID))
		case "url":
			m.URL = r.url(at, part.value)
		case "miniprogram":
			m.MiniProgram = r.miniProgram(at, part.value)
		case "data":
			m.Data = r.data(at, part.value)
		}
	}
	if dereference(p.value).Kind == yaml.MappingNode {
		if !given["template_id"] {
			r.fault(join(path, "template_id"), p.node, words(problemMissing), words(mendTemplateID))
		}
		if !given["data"] {
			r.fault(join(path, "data"), p.node, words(problemMissing), words(mendFields))
		}
	}
	// The templates are worth a look only where the rest is sound: every fault
	// once.
	if len(r.faults) == before {
		r.templates(m, p.node)
	}
	return m
}

// templates checks what Compile checks.
func (r *messageReader) templates(m *Message, node *yaml.Node) {
	_, faults := m.compile()
	for _, f := range faults {
		f.Line = node.Line
		r.faults = append(r.faults, f)
	}
}

func (r *messageReader) id(path string, node *yaml.Node, mend Words) string {
	id := r.text(path, node)
	switch {
	case node.Kind != yaml.ScalarNode:
	case id == "":
		r.fault(path, node, words(problemEmpty), mend)
	case !isVisible(id) || len(id) > maxIDLength:
		r.fault(path, node, words(problemID, "Max", maxIDLength), mend)
	}
	return id
}

// url checks an address as far as it is no template; the rendered one is
// checked again.
func (r *messageReader) url(path string, node *yaml.Node) string {
	address := r.text(path, node)
	if address == "" || strings.HasPrefix(address, "{{") {
		return address
	}
	fixed, _, isTemplate := strings.Cut(address, "{{")
	if isTemplate {
		// Something must stand in for the variable part of a host's name.
		fixed += "x"
	}
	if !isWebURL(fixed) {
		r.fault(path, node, words(problemURL), words(mendURL))
	}
	return address
}

// isWebURL tells whether a follower's phone can open the address.
func isWebURL(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" &&
		!strings.ContainsFunc(address, unicode.IsSpace)
}

func (r *messageReader) miniProgram(path string, node *yaml.Node) *MiniProgram {
	if isNull(node) {
		return nil
	}
	p := &MiniProgram{}
	named := false
	for _, part := range r.pairs(path, node, "appid", "pagepath") {
		at := join(path, part.key)
		switch part.key {
		case "appid":
			p.AppID = r.id(at, part.value, words(mendAppID))
			named = true
		case "pagepath":
			p.PagePath = r.text(at, part.value)
		}
	}
	if !named && node.Kind == yaml.MappingNode {
		r.fault(join(path, "appid"), node, words(problemMissing), words(mendAppID))
	}
	return p
}

func (r *messageReader) data(path string, node *yaml.Node) []Field {
	if isNull(node) || (node.Kind == yaml.MappingNode && len(node.Content) == 0) {
		r.fault(path, node, words(problemEmpty), words(mendFields))
		return nil
	}
	var fields []Field
	for _, p := range r.pairs(path, node) {
		at := join(path, p.key)
		switch {
		case strings.HasSuffix(p.key, ".DATA"):
			r.fault(at, p.node, words(problemDotData), words(mendWrite, "As", strings.TrimSuffix(p.key, ".DATA")))
		case !keyShape.MatchString(p.key):
			r.fault(at, p.node, words(problemFieldName), words(mendFieldName))
		}
		fields = append(fields, r.field(at, p))
	}
	return fields
}

func (r *messageReader) field(path string, p pair) Field {
	f := Field{Key: p.key}
	if p.value.Kind == yaml.ScalarNode {
		r.fault(path, p.value, words(problemBareValue), words(mendWrite, "As", p.key+`: {value: "…"}`))
		return f
	}
	given := false
	for _, part := range r.pairs(path, p.value, "value", "color") {
		at := join(path, part.key)
		switch part.key {
		case "value":
			given = true
			f.Value = r.text(at, part.value)
			if f.Value == "" && part.value.Kind == yaml.ScalarNode {
				r.fault(at, part.value, words(problemEmpty), words(mendValue))
			}
		case "color":
			f.Color = r.text(at, part.value)
			// Without quotes # begins a comment, and the colour is lost unseen.
			if part.value.Kind == yaml.ScalarNode && !colorShape.MatchString(f.Color) {
				r.fault(at, part.value, words(problemColor), words(mendColor))
			}
		}
	}
	if !given && p.value.Kind == yaml.MappingNode {
		r.fault(join(path, "value"), p.node, words(problemMissing), words(mendWrite, "As", p.key+`: {value: "…"}`))
	}
	return f
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// dereference follows an alias (*name) to what it stands for.
func dereference(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}
