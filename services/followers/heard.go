package followers

import (
	"context"
	"time"

	"wechat-broadcast/models"
)

const (
	// maxHeard is how many texts wait to be stored at most; further ones are dropped.
	maxHeard = 1024
	// heardEvery is how often texts are stored at most: one transaction for all that
	// came meanwhile, so that a flood of texts does not hold up the sends.
	heardEvery = 500 * time.Millisecond
	// heardWithin is how long storing them may take.
	heardWithin = 2 * time.Second
	// awaitHeard is how long somebody who asks about a person waits for that.
	awaitHeard = time.Second
)

// Heard keeps a text as the last one of a person, for Who. It returns at once: the text
// is stored in the background, or dropped if too many wait or the database is away.
func (s *Service) Heard(openID, text string) {
	select {
	case s.heard <- models.Heard{OpenID: openID, Text: text, At: s.now()}:
		s.storeHeard()
	default:
	}
}

// heardSoFar has the texts stored that came before it, and waits for that for a second at
// most: who is asked about right after a word is shown with it.
func (s *Service) heardSoFar(ctx context.Context) {
	s.storeHeard()
	ctx, cancel := context.WithTimeout(ctx, awaitHeard)
	defer cancel()
	stored := make(chan struct{})
	select {
	case s.askHeard <- stored:
	case <-s.background.Done():
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-stored:
	case <-ctx.Done():
	}
}

// startHeard has texts stored until Close, which waits for those that came before it.
func (s *Service) startHeard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.background.Err() != nil {
		return
	}
	s.tasks.Go(func() {
		texts := s.heard
		var pause <-chan time.Time
		for s.background.Err() == nil {
			select {
			case first := <-texts:
				s.storeTexts(first)
				texts, pause = nil, time.After(heardEvery)
			case <-pause:
				texts, pause = s.heard, nil
			case stored := <-s.askHeard:
				s.storeWaiting()
				close(stored)
			case <-s.background.Done():
			}
		}
		s.storeWaiting()
	})
}

// storeWaiting stores the texts that wait, if there are any.
func (s *Service) storeWaiting() {
	select {
	case first := <-s.heard:
		s.storeTexts(first)
	default:
	}
}

// storeTexts stores a text and all that wait, the last one of each person.
func (s *Service) storeTexts(first models.Heard) {
	last := map[string]models.Heard{first.OpenID: first}
	for more := true; more; {
		select {
		case h := <-s.heard:
			last[h.OpenID] = h
		default:
			more = false
		}
	}
	texts := make([]models.Heard, 0, len(last))
	for _, h := range last {
		texts = append(texts, h)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.background), heardWithin)
	defer cancel()
	if err := s.store.StoreHeard(ctx, texts); err != nil {
		s.log.WarnContext(ctx, "what people wrote is not kept", "people", len(texts), "err", err)
	}
}
