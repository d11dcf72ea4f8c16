package config

import (
	"fmt"
	"strings"
)

// Words are a sentence for a person: in English, and as a code and what fills
// it, for whoever says it in another language.
type Words struct {
	// Code is empty for what is only ever said in English.
	Code    string
	Args    map[string]any
	English string
}

// plain returns Words that are only ever said in English.
func plain(english string) Words { return Words{English: english} }

// none tells whether nothing is said.
func (w Words) none() bool { return w.Code == "" && w.English == "" }

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

// What can be wrong with the message file and with what fills it.
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

// What to do about it.
const (
	mendQuote      = "mend.quote"
	mendDefine     = "mend.define"
	mendExample    = "mend.example"
	mendOneOfTwo   = "mend.one_of_two"
	mendNear       = "mend.near"  // Near
	mendKnown      = "mend.known" // Names
	mendText       = "mend.text"
	mendNameOne    = "mend.name_one" // Names
	mendRenameOne  = "mend.rename_one"
	mendOneWord    = "mend.one_word"
	mendShorten    = "mend.shorten"
	mendRename     = "mend.rename"
	mendTemplateID = "mend.template_id"
	mendAppID      = "mend.appid"
	mendFields     = "mend.fields"
	mendURL        = "mend.url"
	mendWrite      = "mend.write" // As
	mendFieldName  = "mend.field_name"
	mendValue      = "mend.value"
	mendColor      = "mend.color"
	mendBraces     = "mend.braces"
	mendUseOne     = "mend.use_one" // Names
	mendUseIf      = "mend.use_if"
	mendNarrow     = "mend.narrow"
	mendLayout     = "mend.layout"
	mendNameFile   = "mend.name_file"
	mendAliases    = "mend.aliases"
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

	mendQuote:      "put a value that holds : # { } * & or a quote in quotes",
	mendDefine:     "define a message as in the example",
	mendExample:    "write it as in the example",
	mendOneOfTwo:   "remove or rename one of the two",
	mendNear:       "did you mean %s?",
	mendKnown:      "remove it; known here: %s",
	mendText:       "write a text",
	mendNameOne:    "name one of: %s",
	mendRenameOne:  "rename one of the two",
	mendOneWord:    "write it as one word",
	mendShorten:    "shorten it",
	mendRename:     "rename it",
	mendTemplateID: "copy the template's id from the platform",
	mendAppID:      "give the AppID (wx…) of a mini program that is linked to the account",
	mendFields:     "give the template's fields",
	mendURL:        "write it as https://example.com/page",
	mendWrite:      "write %s",
	mendFieldName:  "copy the name from the template, such as thing1",
	mendValue:      "write what followers shall read there",
	mendColor:      `write it as "#173177", in quotes`,
	mendBraces:     "correct what stands between {{ and }}",
	mendUseOne:     "use one of: %s",
	mendUseIf:      "use variables and {{if}}",
	mendNarrow:     "write a smaller number",
	mendLayout:     `write it as {{.Now.Format "2006-01-02 15:04"}}`,
	mendNameFile:   "name the file with the messages",
	mendAliases:    "write what differs, with fewer aliases",
}
