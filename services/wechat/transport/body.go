package transport

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

var (
	// errTooLong is an answer above the limit.
	errTooLong = errors.New("the answer is too long")
	errNotGzip = errors.New("the answer is not the gzip that it says it is")
)

// ReadBody reads the answer to its end, so that the connection can be used
// again. A request should ask for no encoding; gzip is read all the same, because
// machines on the way compress without being asked. limit is for the bytes on
// the wire and for what they unpack to.
func ReadBody(res *http.Response, limit int64) ([]byte, error) {
	wire := &io.LimitedReader{R: res.Body, N: limit + 1}
	var body []byte
	var err error
	switch encoding := encodingOf(res); encoding {
	case "":
		body, err = readUpTo(wire, limit, res.ContentLength)
	case "gzip", "x-gzip":
		body, err = unpack(wire, limit)
	default:
		return nil, fmt.Errorf("the answer has the Content-Encoding %q, which nobody asked for", encoding)
	}
	switch {
	case wire.N <= 0, errors.Is(err, errTooLong):
		return nil, errTooLong
	case err != nil:
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return body, nil
}

// encodingOf returns how an answer is encoded, in lower case; "" for not at all.
func encodingOf(res *http.Response) string {
	var encodings []string
	for e := range strings.SplitSeq(strings.Join(res.Header.Values("Content-Encoding"), ","), ",") {
		if e = strings.ToLower(strings.TrimSpace(e)); e != "" && e != "identity" {
			encodings = append(encodings, e)
		}
	}
	return strings.Join(encodings, ", ")
}

// readUpTo reads to the end, or fails beyond limit; length is how much is
// expected, -1 if that is not known.
func readUpTo(r io.Reader, limit, length int64) ([]byte, error) {
	var buf bytes.Buffer
	if length > 0 && length <= limit {
		// ReadFrom wants this much room to see the end without growing.
		buf.Grow(int(length) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(io.LimitReader(r, limit+1)); err != nil {
		return nil, err
	}
	if int64(buf.Len()) > limit {
		return nil, errTooLong
	}
	return buf.Bytes(), nil
}

// unpack reads gzip.
func unpack(r io.Reader, limit int64) ([]byte, error) {
	unpacked, err := gzip.NewReader(r)
	var body []byte
	if err == nil {
		body, err = readUpTo(unpacked, limit, -1)
	}
	var corrupt flate.CorruptInputError
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt) || errors.Is(err, io.EOF) {
		return nil, errNotGzip
	}
	return body, err
}
