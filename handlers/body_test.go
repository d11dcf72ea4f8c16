package handlers

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestReadBody(t *testing.T) {
	t.Parallel()
	c := &callback{large: make(chan struct{}, 1)}
	read := func(ctx context.Context, size int) ([]byte, error) {
		body := bytes.Repeat([]byte{'x'}, size)
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/wechat", bytes.NewReader(body))
		return c.readBody(httptest.NewRecorder(), r)
	}
	for _, size := range []int{0, 1, smallBody - 1, smallBody, smallBody + 1, maxBody} {
		if body, err := read(t.Context(), size); err != nil || len(body) != size {
			t.Errorf("%d bytes: read %d, %v", size, len(body), err)
		}
	}
	if _, err := read(t.Context(), maxBody+1); err == nil {
		t.Error("a body above the limit was read")
	}

	// With every place for a large body taken, large ones wait and small ones do not.
	c.large <- struct{}{}
	if _, err := read(t.Context(), smallBody-1); err != nil {
		t.Errorf("a small body waits for large ones: %v", err)
	}
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	if _, err := read(gone, smallBody+1); err == nil {
		t.Error("a large body was read without a place for it")
	}
	<-c.large
	if _, err := read(t.Context(), smallBody+1); err != nil {
		t.Errorf("with a place again: %v", err)
	}
}
