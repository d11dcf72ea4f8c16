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

// parseFile reads the settings file into entries by the names of the options.
// It takes every scalar as the text that stands in the file: YAML's own types
// would turn a token like 0123456 into another number.
func parseFile(path string, data []byte) (map[string]entry, []finding) {
	f := fileReader{name: filepath.Base(path), entries: map[string]entry{}}
	root, err := textfile.ParseYAML(data)
	if err != nil {
		return nil, []finding{{key: f.name, problem: yamlProblem(err), hint: hint("example")}}
	}
	if root == nil {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, []finding{{key: f.name, problem: lang.Sentence("problem.no_mapping"), hint: hint("example")}}
	}
	f.mapping("", root)
	return f.entries, f.faults
}

type fileReader struct {
	name    string
	entries map[string]entry
	faults  []finding
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
	return fmt.Sprintf("%s:%d", f.name, node.Line)
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
