package message

import (
	"fmt"
	"strings"
)

// Words are a sentence for a person: in English, and as a code with its arguments
// for a translation.
type Words struct {
	Code    string
	Args    map[string]any
	English string
}

// none tells whether there is no sentence.
func (w Words) none() bool { return w.Code == "" }

// words returns the sentence of a code; args are alternating names and values,
// in the order in which the English sentence takes the values.
func words(code string, args ...any) Words {
	w := Words{Code: code}
	var values []any
	for i := 0; i+1 < len(args); i += 2 {
		if w.Args == nil {
			w.Args = map[string]any{}
		}
		w.Args[fmt.Sprint(args[i])] = args[i+1]
		value := args[i+1]
		if list, ok := value.([]string); ok {
			value = strings.Join(list, ", ")
		}
		values = append(values, value)
	}
	w.English = fmt.Sprintf(english[code], values...)
	return w
}

// The codes of what can be wrong with a message, and what fills their sentences.
const (
	problemYAML         = "problem.yaml"            // Detail
	problemSecond       = "problem.second_document" // Line
	problemEmptyFile    = "problem.empty_file"
	problemFileShape    = "problem.file_shape"
	problemShape        = "problem.shape"
	problemBadKey       = "problem.bad_key"
	problemTwice        = "problem.twice" // First
	problemUnknownKey   = "problem.unknown_key"
	problemNotSingle    = "problem.not_single"
	problemMissing      = "problem.missing"
	problemEmpty        = "problem.empty"
	problemNoMessage    = "problem.no_message"
	problemNoSuch       = "problem.no_such_message" // Name
	problemSameName     = "problem.same_name"       // Other
	problemSpaces       = "problem.spaces"
	problemLongName     = "problem.long_name" // Max
	problemReserved     = "problem.reserved"
	problemID           = "problem.id_shape" // Max
	problemURL          = "problem.url"
	problemDotData      = "problem.dot_data"
	problemFieldName    = "problem.field_name"
	problemBareValue    = "problem.bare_value"
	problemColor        = "problem.color"
	problemLong         = "problem.long"     // Max
	problemTemplate     = "problem.template" // Detail
	problemFunction     = "problem.function" // Name
	problemLoneDot      = "problem.lone_dot"
	problemNoVariable   = "problem.no_variable"   // Name
	problemNotAvailable = "problem.not_available" // What
	problemBlank        = "problem.blank"
	problemBlankRemark  = "problem.blank_remark"
	problemNoValue      = "problem.no_value"
	problemNotKnown     = "problem.not_known"
	problemHalf         = "problem.half"
	problemPrintf       = "problem.printf"
	problemFailed       = "problem.failed" // Detail
	problemWidth        = "problem.width"  // Max
	problemLayout       = "problem.layout"
	problemNotFile      = "problem.not_a_file"    // Path
	problemBigFile      = "problem.big_file"      // Path, Max
	problemTooMany      = "problem.too_many_keys" // Max
	problemAliases      = "problem.aliases"       // Max
)

// The codes of what to do about it.
const (
	hintQuote      = "hint.quote"
	hintDefine     = "hint.define"
	hintExample    = "hint.example"
	hintOneOfTwo   = "hint.one_of_two"
	hintNear       = "hint.near"  // Near
	hintKnown      = "hint.known" // Names
	hintText       = "hint.text"
	hintNameOne    = "hint.name_one" // Names
	hintRenameOne  = "hint.rename_one"
	hintOneWord    = "hint.one_word"
	hintShorten    = "hint.shorten"
	hintRename     = "hint.rename"
	hintTemplateID = "hint.template_id"
	hintAppID      = "hint.appid"
	hintFields     = "hint.fields"
	hintURL        = "hint.url"
	hintWrite      = "hint.write" // As
	hintFieldName  = "hint.field_name"
	hintValue      = "hint.value"
	hintColor      = "hint.color"
	hintBraces     = "hint.braces"
	hintUseOne     = "hint.use_one" // Names
	hintUseIf      = "hint.use_if"
	hintNarrow     = "hint.narrow"
	hintLayout     = "hint.layout"
	hintNameFile   = "hint.name_file"
	hintAliases    = "hint.aliases"
)

// english has the sentence of every code. The chat's are in its locale files.
var english = map[string]string{
	problemYAML:         "it is not valid YAML: %s",
	problemSecond:       "line %d: a second document begins",
	problemEmptyFile:    "the file is empty",
	problemFileShape:    "the file is not a list of keys and values",
	problemShape:        "is not a list of keys and values",
	problemBadKey:       "has a key that is not a plain text",
	problemTwice:        "is given twice, first in line %d",
	problemUnknownKey:   "is not known",
	problemNotSingle:    "is not a single value",
	problemMissing:      "is missing",
	problemEmpty:        "is empty",
	problemNoMessage:    "has no message",
	problemNoSuch:       "there is no message %q",
	problemSameName:     "differs from %q only in case or width, which the chat cannot tell apart",
	problemSpaces:       "a name holds no spaces",
	problemLongName:     "a name has at most %d characters",
	problemReserved:     "means something else in a chat command",
	problemID:           "holds a space, a character that is not visible ASCII, or more than %d characters",
	problemURL:          "is not an http or https address",
	problemDotData:      "ends in .DATA",
	problemFieldName:    "is not the name of a field",
	problemBareValue:    "has no value of its own",
	problemColor:        "is not a colour",
	problemLong:         "is longer than %d bytes",
	problemTemplate:     "is not a valid template: %s",
	problemFunction:     "the function %s is not available",
	problemLoneDot:      "a lone dot is not a variable",
	problemNoVariable:   "there is no variable %s",
	problemNotAvailable: "%s is not available in a template",
	problemBlank:        "is blank",
	problemBlankRemark:  "is blank for somebody: most people have no remark, so write what they read instead, as in {{if .Remark}}{{.Remark}}{{else}}reader{{end}}",
	problemNoValue:      "has no value: no list with such a field exists yet, so take it out of the message",
	problemNotKnown:     "is not known for this recipient",
	problemHalf:         "is not valid text: a character was cut in two",
	problemPrintf:       "its format does not fit what it is given",
	problemFailed:       "%s",
	problemWidth:        "its format has a width or a precision above %d",
	problemLayout:       "the layout of Format is not a text in quotes",
	problemNotFile:      "%s is not a regular file",
	problemBigFile:      "%s is larger than %d bytes",
	problemTooMany:      "has more than %d keys",
	problemAliases:      "is more than %d bytes with its aliases (*) filled in",

	hintQuote:      "put a value that holds : # { } * & or a quote in quotes",
	hintDefine:     "define a message as in the example",
	hintExample:    "write it as in the example",
	hintOneOfTwo:   "remove or rename one of the two",
	hintNear:       "did you mean %s?",
	hintKnown:      "remove it; known here: %s",
	hintText:       "write a text",
	hintNameOne:    "name one of: %s",
	hintRenameOne:  "rename one of the two",
	hintOneWord:    "write it as one word",
	hintShorten:    "shorten it",
	hintRename:     "rename it",
	hintTemplateID: "copy the template's id from the platform",
	hintAppID:      "give the AppID (wx…) of a mini program that is linked to the account",
	hintFields:     "give the template's fields",
	hintURL:        "write it as https://example.com/page",
	hintWrite:      "write %s",
	hintFieldName:  "copy the name from the template, such as thing1",
	hintValue:      "write what followers shall read there",
	hintColor:      `write it as "#173177", in quotes`,
	hintBraces:     "correct what stands between {{ and }}",
	hintUseOne:     "use one of: %s",
	hintUseIf:      "use variables and {{if}}",
	hintNarrow:     "write a smaller number",
	hintLayout:     `write it as {{.Now.Format "2006-01-02 15:04"}}`,
	hintNameFile:   "name the file with the messages",
	hintAliases:    "write what differs, with fewer aliases",
}
