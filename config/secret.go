package config

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
)

// mask stands in for whatever must not be printed.
const mask = "***"

// Secret is a text that does not let itself be printed: every verb of fmt,
// log/slog, and the encoders that honour encoding.TextMarshaler (JSON, YAML,
// XML) show "***", or nothing when it is empty. Reveal gives the text itself.
type Secret string

// Reveal returns the text. Use it only where the text is needed: in a
// signature, a request body or a connection.
func (s Secret) Reveal() string { return string(s) }

// String returns "***", or "" for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// GoString returns the quoted mask.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// Format writes the mask for every verb, %x and %q included.
func (s Secret) Format(f fmt.State, _ rune) { format(f, s) }

// MarshalText returns the mask, and never an error.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue returns the mask.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// format writes what masks itself. fmt keeps no error of a Formatter.
func format(f fmt.State, v fmt.Stringer) { _, _ = io.WriteString(f, v.String()) }
