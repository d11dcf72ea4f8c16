package lang

import (
	"regexp"
	"strings"
)

// yamlFaults are what the YAML parser says, and the sentences that stand for it. The
// first that is part of its words decides.
var yamlFaults = []struct{ part, id string }{
	{"unexpected end of stream", "yaml.quote"},
	{"mapping values are not allowed", "yaml.colon"},
	{"',' or", "yaml.bracket"},
	{"node content", "yaml.bracket"},
	{"did not find expected", "yaml.indent"},
	{"could not find expected", "yaml.indent"},
	{"cannot start any token", "yaml.start"},
	{"tab character", "yaml.start"},
	{"unknown anchor", "yaml.anchor"},
	{"escape", "yaml.escape"},
	{"control characters", "yaml.characters"},
	{"UTF-8", "yaml.characters"},
}

var yamlLine = regexp.MustCompile(`^line (\d+): `)

// YAMLFault says what the YAML parser found, from its words, such as "line 6: found
// unexpected end of stream". Of an open quote or bracket the parser notes the line
// after it.
func YAMLFault(words string) Words {
	id := "yaml.other_fault"
	for _, f := range yamlFaults {
		if strings.Contains(words, f.part) {
			id = f.id
			break
		}
	}
	return Sentence("yaml.at", "Where", firstOf(yamlLine, words), "What", Sentence(id))
}
