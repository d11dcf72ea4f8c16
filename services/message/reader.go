package message

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"wechat-broadcast/textfile"
)

const (
	// maxKeys is the most keys that one mapping holds.
	maxKeys = 1000
	// maxProblems is the most problems that are reported.
	maxProblems = 500
)

// Parse reads and checks the content of a message file. The error is Problems with
// everything that is wrong, or nil.
func Parse(data []byte) (*File, error) {
	root, err := textfile.ParseYAML(data)
	if err != nil {
		problem := words("problem.yaml", "Detail", err.Detail)
		if err.Second > 0 {
			problem = words("problem.second_document", "Line", err.Second)
		}
		return nil, Problems{{Path: "messages", Problem: problem, Hint: words("hint.quote")}}
	}
	if root == nil {
		return nil, Problems{{Path: "messages", Problem: words("problem.empty_file"), Hint: words("hint.define")}}
	}
	r := reader{unread: map[string]bool{}}
	file := r.file(root)
	if err := r.problems().or(); err != nil {
		return nil, err
	}
	return file, nil
}

// reader turns the nodes of a file into definitions. It finds what is wrong with
// the file's form; a Definition finds what is wrong with its values, and the reader
// adds their lines.
type reader struct {
	found []found
	steps int
	size  int // bytes of keys and values read, those behind an alias each time

	// The rest is about the message that is being read.

	places map[string]place // by path
	// unread are the paths whose values can't be checked, since the file's form is
	// wrong there. A path with a dot at its end stands for all that lies in it.
	unread map[string]bool
}

// place is where a path stands in the file. Step numbers the places in the order
// in which they are read, so that problems can be reported in that order.
type place struct{ line, step int }

// found is a problem that was found at a step.
type found struct {
	step int
	Problem
}

// problems returns what was found, in the order of the file.
func (r *reader) problems() Problems {
	slices.SortStableFunc(r.found, func(a, b found) int { return cmp.Compare(a.step, b.step) })
	var problems Problems
	for _, f := range r.found[:min(len(r.found), maxProblems)] {
		problems = append(problems, f.Problem)
	}
	return problems
}

func (r *reader) here(node *yaml.Node) place {
	r.steps++
	return place{node.Line, r.steps}
}

// add adds a problem of the file's form.
func (r *reader) add(path string, node *yaml.Node, problem, hint Words) {
	r.addAt(r.here(node), Problem{Path: path, Problem: problem, Hint: hint})
}

func (r *reader) addAt(at place, p Problem) {
	p.Line = at.line
	r.found = append(r.found, found{at.step, p})
}

// addValues adds problems of values, each at the place of its path.
func (r *reader) addValues(problems Problems) {
	for _, p := range problems {
		if !r.isUnread(p.Path) {
			r.addAt(r.places[p.Path], p)
		}
	}
}

// isUnread tells whether a path or what it lies in is unread.
func (r *reader) isUnread(path string) bool {
	for i, c := range path {
		if c == '.' && r.unread[path[:i+1]] {
			return true
		}
	}
	return r.unread[path]
}

// pair is one key of a mapping with its value.
type pair struct {
	key         string
	node, value *yaml.Node
}

// pairs returns a mapping's content without duplicates and, if allowed are named,
// without all other keys.
func (r *reader) pairs(path string, node *yaml.Node, allowed ...string) []pair {
	node = dereference(node)
	if node.Kind != yaml.MappingNode {
		r.add(path, node, words("problem.shape"), words("hint.example"))
		r.unread[path+"."] = true
		return nil
	}
	if len(node.Content) > 2*maxKeys {
		r.add(path, node, words("problem.too_many_keys", "Max", maxKeys), words("hint.example"))
		return nil
	}
	var pairs []pair
	for i := 0; i+1 < len(node.Content) && r.size <= textfile.MaxBytes; i += 2 {
		key, value := dereference(node.Content[i]), dereference(node.Content[i+1])
		name := key.Value
		r.size += len(name)
		same := slices.IndexFunc(pairs, func(p pair) bool { return p.key == name })
		switch {
		case key.Kind != yaml.ScalarNode || name == "":
			r.add(path, key, words("problem.bad_key"), words("hint.example"))
		case same >= 0:
			r.add(join(path, name), key, words("problem.twice", "First", pairs[same].node.Line), words("hint.one_of_two"))
		case len(allowed) > 0 && !slices.Contains(allowed, name):
			hint := words("hint.known", "Names", allowed)
			if near := textfile.Nearest(name, allowed); near != "" {
				hint = words("hint.near", "Near", near)
			}
			r.add(join(path, name), key, words("problem.unknown_key"), hint)
		default:
			pairs = append(pairs, pair{name, key, value})
		}
	}
	return pairs
}

// text returns a scalar's text without surrounding space.
func (r *reader) text(path string, node *yaml.Node) string {
	if node.Kind != yaml.ScalarNode {
		r.add(path, node, words("problem.not_single"), words("hint.text"))
		r.unread[path] = true
		return ""
	}
	r.size += len(node.Value)
	return strings.TrimSpace(textfile.Scalar(node))
}

func (r *reader) file(root *yaml.Node) *File {
	f := &File{}
	if root.Kind != yaml.MappingNode {
		r.add("messages", root, words("problem.file_shape"), words("hint.example"))
		return f
	}
	if r.foreign(root) {
		return f
	}
	var defaultNode, messagesNode *yaml.Node
	for _, p := range r.pairs("", root, "default", "messages") {
		switch p.key {
		case "default":
			f.Default = r.text("default", p.value)
			defaultNode = p.value
		case "messages":
			messagesNode = p.value
		}
	}
	if messagesNode == nil || textfile.IsNull(messagesNode) {
		r.add("messages", root, words("problem.missing"), words("hint.define"))
		return f
	}
	for _, p := range r.pairs("messages", messagesNode) {
		f.list = append(f.list, r.message(f, p))
		// Without aliases no file can say more than it is long.
		if r.size > textfile.MaxBytes {
			r.found = nil
			r.add("messages", messagesNode, words("problem.aliases", "Max", textfile.MaxBytes), words("hint.aliases"))
			return f
		}
	}
	if messagesNode.Kind == yaml.MappingNode && len(f.list) == 0 {
		r.add("messages", messagesNode, words("problem.no_message"), words("hint.define"))
	}
	r.setDefault(f, defaultNode)
	return f
}

func (r *reader) setDefault(f *File, node *yaml.Node) {
	if f.Default == "" {
		if len(f.list) == 1 {
			f.Default = f.list[0].Name
		}
		return
	}
	if d, ok := f.Get(f.Default); ok {
		f.Default, f.Named = d.Name, true
	} else {
		r.add("default", node, words("problem.no_such_message", "Name", f.Default), words("hint.name_one", "Names", f.Names()))
	}
}

// foreign tells whether this is no message file, and adds the problem. The keys of
// such a file are not repeated: MESSAGES_FILE may name one that is full of secrets.
func (r *reader) foreign(root *yaml.Node) bool {
	known := []string{"default", "messages"}
	near := -1
	for i := 0; i+1 < len(root.Content); i += 2 {
		switch key := root.Content[i].Value; {
		case key == "messages":
			return false
		case textfile.Nearest(key, known) == "messages":
			near = i
		}
	}
	if near >= 0 {
		key := root.Content[near]
		r.add(key.Value, key, words("problem.unknown_key"), words("hint.near", "Near", "messages"))
	} else {
		r.add("messages", root, words("problem.missing"), words("hint.define"))
	}
	return true
}

// message reads one message and checks it; f has those before it.
func (r *reader) message(f *File, p pair) *Definition {
	d := &Definition{Name: p.key}
	path := d.path()
	if other, ok := f.Get(p.key); ok {
		r.add(path, p.node, words("problem.same_name", "Other", other.Name), words("hint.rename_one"))
	}
	r.unread = map[string]bool{}
	r.places = map[string]place{path: r.here(p.node)}
	r.addValues(d.CheckName())

	before := len(r.found)
	r.entries(path, p.node, p.value,
		entry{"template_id", r.into(&d.TemplateID), words("hint.template_id")},
		entry{"url", r.into(&d.URL), Words{}},
		entry{"miniprogram", func(at string, node *yaml.Node) { d.MiniProgram = r.miniProgram(at, node) }, Words{}},
		entry{"data", func(at string, node *yaml.Node) { d.Data = r.data(at, node) }, words("hint.fields")})
	r.addValues(d.checkValues())
	if len(r.found) == before {
		_, problems := d.compile()
		for _, problem := range problems {
			r.addAt(r.here(p.node), problem)
		}
	}
	return d
}

// entry is a key that a mapping may have: how its value is read and, if the key must
// not be missing, how to write it.
type entry struct {
	key     string
	read    func(path string, node *yaml.Node)
	missing Words
}

// into returns how a text is read into a place.
func (r *reader) into(to *string) func(path string, node *yaml.Node) {
	return func(path string, node *yaml.Node) { *to = r.text(path, node) }
}

// entries reads the entries of a mapping. of is where it is said that one is missing.
func (r *reader) entries(path string, of, mapping *yaml.Node, entries ...entry) {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.key
	}
	var given []string
	for _, p := range r.pairs(path, mapping, names...) {
		at := join(path, p.key)
		r.places[at] = r.here(p.value)
		entries[slices.Index(names, p.key)].read(at, p.value)
		given = append(given, p.key)
	}
	for _, e := range entries {
		if !e.missing.none() && mapping.Kind == yaml.MappingNode && !slices.Contains(given, e.key) {
			r.add(join(path, e.key), of, words("problem.missing"), e.missing)
			r.unread[join(path, e.key)] = true
		}
	}
}

func (r *reader) miniProgram(path string, node *yaml.Node) *MiniProgram {
	if textfile.IsNull(node) {
		return nil
	}
	p := &MiniProgram{}
	r.entries(path, node, node,
		entry{"appid", r.into(&p.AppID), words("hint.appid")},
		entry{"pagepath", r.into(&p.PagePath), Words{}})
	return p
}

func (r *reader) data(path string, node *yaml.Node) []Field {
	if textfile.IsNull(node) || (node.Kind == yaml.MappingNode && len(node.Content) == 0) {
		return nil
	}
	var fields []Field
	for _, p := range r.pairs(path, node) {
		at := join(path, p.key)
		r.places[at] = r.here(p.node)
		fields = append(fields, r.field(at, p))
	}
	if len(fields) == 0 { // it is not empty, it can't be read
		r.unread[path] = true
	}
	return fields
}

func (r *reader) field(path string, p pair) Field {
	f := Field{Key: p.key}
	if p.value.Kind == yaml.ScalarNode {
		r.add(path, p.value, words("problem.bare_value"), words("hint.write", "As", p.key+`: {value: "…"}`))
		r.unread[join(path, "value")] = true
		return f
	}
	color := func(at string, node *yaml.Node) {
		f.Color = r.text(at, node)
		// Without quotes # begins a comment, and the colour is lost unseen.
		if node.Kind == yaml.ScalarNode && f.Color == "" {
			r.add(at, node, words("problem.color"), words("hint.color"))
		}
	}
	r.entries(path, p.node, p.value,
		entry{"value", r.into(&f.Value), words("hint.write", "As", p.key+`: {value: "…"}`)},
		entry{"color", color, Words{}})
	return f
}

// dereference follows an alias (*name) to what it stands for.
func dereference(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}
