package handlers

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"wechat-broadcast/services/wechat"
)

const (
	titlesLast  = 10 * time.Minute
	titlesRetry = time.Minute     // after the platform did not answer
	titlesWait  = time.Second     // of a page
	titlesAsk   = 5 * time.Second // of the question to the platform
)

// titles keeps the account's templates for the cards of messages. The platform
// counts the questions, so few are put; a page waits a moment for the answer and
// does without it otherwise.
type titles struct {
	ask func(ctx context.Context) ([]wechat.Template, error)
	now func() time.Time
	log *slog.Logger

	mu     sync.Mutex
	known  map[string]wechat.Template
	next   time.Time     // when to ask again
	asking chan struct{} // closed when the question under way is answered
}

// find returns a template by its id, or one without content. run starts what
// outlasts the call.
func (t *titles) find(ctx context.Context, id string, run func(f func(ctx context.Context))) wechat.Template {
	t.mu.Lock()
	asking := t.asking
	if asking == nil && !t.now().Before(t.next) {
		asking = make(chan struct{})
		t.asking = asking
		run(t.refresh)
	}
	fallback := t.known != nil
	t.mu.Unlock()
	if asking != nil && !fallback {
		timer := time.NewTimer(titlesWait)
		defer timer.Stop()
		select {
		case <-asking:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known[id]
}

func (t *titles) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, titlesAsk)
	defer cancel()
	list, err := t.ask(ctx)
	if err != nil {
		t.log.DebugContext(ctx, "read the account's templates for a page", "err", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.asking)
	t.asking, t.next = nil, t.now().Add(titlesRetry)
	if err != nil {
		return
	}
	t.next = t.now().Add(titlesLast)
	t.known = make(map[string]wechat.Template, len(list))
	for _, template := range list {
		t.known[template.ID] = template
	}
}
