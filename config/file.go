package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"wechat-broadcast/lang"
	"wechat-broadcast/textfile"
)

// settingsFile is what the settings file says.
type settingsFile struct {
	top      section
	accounts []section // nil without accounts:
}

// section is a part of the file: entries by the names of the options.
type section struct {
	name    string // the account's, empty at the top
	entries map[string]entry
}

// layer returns the section as a source of settings.
func (s section) layer() layer {
	return func(name string) (entry, bool) {
		e, ok := s.entries[name]
		return e, ok
	}
}

// parseFile reads the settings file. It takes every scalar as the text that stands in
// the file: YAML's own types would turn a token like 0123456 into another number.
func parseFile(path string, data []byte) (*settingsFile, []finding) {
	f := fileReader{file: filepath.Base(path), section: section{entries: map[string]entry{}}}
	file := &settingsFile{}
	root, err := textfile.ParseYAML(data)
	if err != nil {
		return file, []finding{{key: f.file, problem: yamlProblem(err), hint: hint("example")}}
	}
	if root == nil {
		return file, nil
	}
	if root.Kind != yaml.MappingNode {
		return file, []finding{{key: f.file, problem: lang.Sentence("problem.no_mapping"), hint: hint("example")}}
	}
	top := *root
	top.Content = nil
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if strings.EqualFold(key.Value, "accounts") {
			file.accounts = append(f.accounts(key, value), file.accounts...)
			continue
		}
		top.Content = append(top.Content, key, value)
	}
	f.mapping("", &top)
	file.top = f.section
	return file, f.faults
}

// accounts reads the accounts of the file, each with the settings under its name.
func (f *fileReader) accounts(key, node *yaml.Node) []section {
	if node.Kind != yaml.MappingNode || len(node.Content) == 0 {
		f.fault("accounts", key, wrong("no_accounts"), hint("accounts"))
		return []section{}
	}
	sections := []section{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		of := fileReader{file: f.file, section: section{name: name.Value, entries: map[string]entry{}}}
		switch {
		case !isAccountName(name.Value):
			f.fault("accounts", name, wrong("account_name", "Name", name.Value), hint("account_name"))
		case slices.ContainsFunc(sections, func(s section) bool { return s.name == name.Value }):
			f.fault("accounts", name, wrong("account_twice", "Name", name.Value), hint("one_of_two"))
		}
		switch {
		case value.Kind == yaml.MappingNode:
			of.mapping("", value)
		case value.Kind != yaml.ScalarNode || textfile.Scalar(value) != "":
			f.fault("accounts", value, wrong("account_settings", "Name", name.Value), hint("accounts"))
		}
		f.faults = append(f.faults, of.faults...)
		sections = append(sections, of.section)
	}
	return sections
}

// fileReader reads one section of the file.
type fileReader struct {
	section

	file   string // its name
	faults []finding
}

// yamlProblem says why a file is not one YAML document.
func yamlProblem(err *textfile.YAMLError) lang.Words {
	if err.Second > 0 {
		return lang.Sentence("problem.second_document", "Line", err.Second)
	}
	return lang.Sentence("problem.yaml", "Detail", lang.YAMLFault(err.Detail))
}

func (f *fileReader) fault(key string, node *yaml.Node, problem error, hint lang.Words) {
	f.faults = append(f.faults, finding{key: key, origin: f.origin(node), problem: wordsOf(problem), hint: hint})
}

func (f *fileReader) origin(node *yaml.Node) string {
	return fmt.Sprintf("%s:%d", f.file, node.Line)
}

func (f *fileReader) mapping(prefix string, node *yaml.Node) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		name := strings.ToUpper(prefix + key.Value)
		switch {
		case value.Kind == yaml.AliasNode:
			f.fault(name, value, wrong("alias"), hint("no_alias"))
		case value.Kind == yaml.MappingNode:
			f.mapping(name+"_", value)
		default:
			f.value(name, key, value)
		}
	}
}

func (f *fileReader) value(name string, key, value *yaml.Node) {
	known := optionNames()
	if !slices.Contains(known, name) {
		mend := hint("remove")
		if near := textfile.Nearest(name, known); near != "" {
			mend = hint("near", "Name", near)
		}
		f.fault(name, key, wrong("unknown"), mend)
		return
	}
	if f.name != "" && isOfProcess(name) {
		f.fault(name, key, wrong("of_process"), hint("at_the_top"))
		return
	}
	if earlier, ok := f.entries[name]; ok {
		f.fault(name, key, wrong("twice", "Where", earlier.origin), hint("one_of_two"))
		return
	}
	text, ok := f.text(name, value)
	if text = strings.TrimSpace(text); ok && text != "" {
		f.entries[name] = entry{value: text, origin: f.origin(value)}
	}
}

// text returns a scalar's text, or a list's joined by commas where a list may
// stand.
func (f *fileReader) text(name string, value *yaml.Node) (string, bool) {
	if value.Kind == yaml.ScalarNode {
		return textfile.Scalar(value), true
	}
	if !slices.ContainsFunc(options, func(o option) bool { return o.name == name && o.list }) {
		f.fault(name, value, wrong("list"), hint("single"))
		return "", false
	}
	parts := make([]string, len(value.Content))
	for i, item := range value.Content {
		if item.Kind != yaml.ScalarNode {
			f.fault(name, item, wrong("list_of_lists"), hint("singles"))
			return "", false
		}
		parts[i] = textfile.Scalar(item)
	}
	return strings.Join(parts, ","), true
}

// isOfProcess tells whether a setting is one for all accounts.
func isOfProcess(name string) bool {
	return slices.ContainsFunc(options, func(o option) bool { return o.name == name && o.process })
}
