package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

const (
	// maxBody is how large a body may be, in bytes: 10,000 recipients with fields fit.
	maxBody = 8 << 20
	// bodiesAtOnce is how many bodies are read at a time: they are held in memory.
	bodiesAtOnce = 4
	// bodyWithin is how long a body may take to arrive. Whoever has a token may be slow.
	bodyWithin = time.Minute
)

// body returns the body of a request, which must be JSON. done must follow when it is not
// needed any more.
func (a *API) body(c *call) (body []byte, done func(), err error) {
	kind, parameters, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if charset := parameters["charset"]; err != nil || kind != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, nil, newFault(http.StatusUnsupportedMediaType, "no_json")
	}
	if c.Request.ContentLength > maxBody {
		return nil, nil, tooLarge()
	}
	select {
	case a.bodies <- struct{}{}:
	case <-c.ctx.Done():
		return nil, nil, newFault(http.StatusServiceUnavailable, "busy").later(askAgain)
	}
	done = func() { <-a.bodies }
	control, now := http.NewResponseController(c.Writer), time.Now()
	_ = control.SetReadDeadline(now.Add(bodyWithin)) // a recorder in a test has none
	_ = control.SetWriteDeadline(now.Add(bodyWithin + answerWithin + askAgain))
	body, err = io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	_ = control.SetReadDeadline(time.Time{}) // else the server takes the request for broken off then
	if err != nil {
		done()
		if errors.As(err, new(*http.MaxBytesError)) {
			return nil, nil, tooLarge()
		}
		return nil, nil, newFault(http.StatusBadRequest, "body_broken")
	}
	return body, done, nil
}

func tooLarge() *fault {
	return newFault(http.StatusRequestEntityTooLarge, "too_large", "Most", int64(maxBody>>20))
}

// decode reads one JSON object without unknown fields.
func decode(body []byte, into any) error {
	in := json.NewDecoder(bytes.NewReader(body))
	in.DisallowUnknownFields()
	err := in.Decode(into)
	if err == nil {
		if _, more := in.Token(); !errors.Is(more, io.EOF) {
			return newFault(http.StatusBadRequest, "more_json")
		}
		return nil
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return newFault(http.StatusBadRequest, "json_type", "Field", firstOf(wrong.Field), "Found", wrong.Value, "Wanted", typeName(wrong))
	}
	// The library has no type for this one.
	if field, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return newFault(http.StatusBadRequest, "json_field", "Field", firstOf(strings.Trim(field, `"`)))
	}
	return newFault(http.StatusBadRequest, "json_broken", "Reason", firstOf(strings.TrimPrefix(err.Error(), "json: ")))
}

// typeName is the kind of JSON value that a field takes.
func typeName(wrong *json.UnmarshalTypeError) string {
	switch wrong.Type.Kind().String() {
	case "bool":
		return "true | false"
	case "slice":
		return "array"
	case "struct", "map":
		return "object"
	default:
		return "string"
	}
}
