package message

import (
	"fmt"
	"log/slog"
	"math"
	"sync"

	"wechat-broadcast/lang"
)

// Words are a sentence for a person: its code, and what fills it.
type Words struct {
	Code string
	Args lang.Vars
}

// none tells whether there is no sentence.
func (w Words) none() bool { return w.Code == "" }

// words returns the sentence of a code; args are alternating names and values.
func words(code string, args ...any) Words {
	w := Words{Code: code}
	for i := 0; i+1 < len(args); i += 2 {
		if w.Args == nil {
			w.Args = lang.Vars{}
		}
		w.Args[fmt.Sprint(args[i])] = args[i+1]
	}
	return w
}

// ID is that of the sentence in lang.
func (w Words) ID() string { return "file." + w.Code }

// String returns the sentence in English, for the terminal and the log.
func (w Words) String() string {
	if w.none() {
		return ""
	}
	return english().Say(w.ID(), w.Args)
}

// english says what is wrong with messages on the terminal and in the log.
var english = sync.OnceValue(func() *lang.Locale {
	l, err := lang.New("en", slog.New(slog.DiscardHandler), lang.Problems, lang.Plain)
	if err != nil {
		panic(err) // the sentences are part of the program
	}
	l.SeparatorsFrom = math.MaxInt64
	return l
})

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
