package textfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// YAMLError says why a text is not one YAML document.
type YAMLError struct {
	// Second is the line in which a second document begins; 0 for invalid YAML.
	Second int
	// Detail is the parser's reason, without what it repeats from the text.
	Detail string
}

func (e *YAMLError) Error() string {
	if e.Second > 0 {
		return fmt.Sprintf("line %d: a second document begins", e.Second)
	}
	return "it is not valid YAML: " + e.Detail
}

// ParseYAML returns the root of a text's only document, or nil for an empty text.
func ParseYAML(data []byte) (*yaml.Node, *YAMLError) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, more yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, invalid(err)
	}
	switch err := decoder.Decode(&more); {
	case err == nil:
		return nil, &YAMLError{Second: more.Line}
	case !errors.Is(err, io.EOF):
		return nil, invalid(err)
	}
	if len(document.Content) == 0 || IsNull(document.Content[0]) {
		return nil, nil
	}
	return document.Content[0], nil
}

// repeated matches what the YAML parser repeats from the text, which may be a
// secret: it takes a password that begins with * for the name of an anchor. It
// quotes single characters such as ',' of its own; those stay.
var repeated = regexp.MustCompile("(?s)(anchor) '.*'|'[^']{2,}'|\".{2,}\"|`.*`")

func invalid(err error) *YAMLError {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	return &YAMLError{Detail: repeated.ReplaceAllString(text, "$1 …")}
}

// IsNull tells whether a node is YAML's null: nothing, ~ or null.
func IsNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// Scalar returns a scalar's text as it is written, so that 007 and true keep their
// spelling; "" for null.
func Scalar(n *yaml.Node) string {
	if IsNull(n) {
		return ""
	}
	return n.Value
}
