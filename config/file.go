package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"wechat-broadcast/textfile"
)

// parseFile reads the settings file into entries by the names of the options.
// It takes every scalar as the text that stands in the file: YAML's own types
// would turn a token like 0123456 into another number.
func parseFile(path string, data []byte) (map[string]entry, Faults) {
	f := fileReader{name: filepath.Base(path), entries: map[string]entry{}}
	root, err := textfile.ParseYAML(data)
	if err != nil {
		return nil, Faults{{Key: f.name, Problem: err.Error(), Hint: "write keys and values as in the example: wechat_app_id: wx…"}}
	}
	if root == nil {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, Faults{{Key: f.name, Problem: "it is not a list of keys and values", Hint: "write them as in the example: wechat_app_id: wx…"}}
	}
	f.mapping("", root)
	return f.entries, f.faults
}

type fileReader struct {
	name    string
	entries map[string]entry
	faults  Faults
}

func (f *fileReader) fault(key string, node *yaml.Node, problem, hint string) {
	f.faults = append(f.faults, Fault{Key: key, Problem: problem + " (" + f.origin(node) + ")", Hint: hint})
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
			f.fault(name, value, "is an alias (*)", "write the value itself, in quotes if it begins with *")
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
		hint := "remove it"
		if near := textfile.Nearest(name, known); near != "" {
			hint = "did you mean " + near + "?"
		}
		f.fault(name, key, "is not a setting", hint)
		return
	}
	if earlier, ok := f.entries[name]; ok {
		f.fault(name, key, "is given twice, first at "+earlier.origin, "remove one of the two")
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
		f.fault(name, value, "is a list", "give a single value")
		return "", false
	}
	parts := make([]string, len(value.Content))
	for i, item := range value.Content {
		if item.Kind != yaml.ScalarNode {
			f.fault(name, item, "holds something that is not a single value", "give a list of single values")
			return "", false
		}
		parts[i] = textfile.Scalar(item)
	}
	return strings.Join(parts, ","), true
}
