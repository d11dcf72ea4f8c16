// Package codec has what Gin names of github.com/ugorji/go/codec, and refuses all of it.
// README.md says why.
package codec

import (
	"errors"
	"io"
)

var errNoMessagePack = errors.New("MessagePack is not built into this program: see nomsgpack/README.md")

// MsgpackHandle has no options.
type MsgpackHandle struct{}

// Decoder decodes nothing.
type Decoder struct{}

// NewDecoder returns a Decoder.
func NewDecoder(io.Reader, *MsgpackHandle) *Decoder { return &Decoder{} }

// Decode returns an error.
func (*Decoder) Decode(any) error { return errNoMessagePack }

// Encoder encodes nothing.
type Encoder struct{}

// NewEncoder returns an Encoder.
func NewEncoder(io.Writer, *MsgpackHandle) *Encoder { return &Encoder{} }

// Encode returns an error.
func (*Encoder) Encode(any) error { return errNoMessagePack }
