// Package webhooks posts to the operator's other program that a broadcast paused or ended:
// signed, and again until it is taken.
package webhooks

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
)

const (
	lookEvery = 2 * time.Second
	// atOnce is how many webhooks are looked at in one go.
	atOnce = 100
	// firstPause is the pause after the first post that came to nothing, twice as long after
	// each further one, and mostPause at most; each a fifth longer or shorter by chance.
	firstPause, mostPause, jitter = 5 * time.Second, time.Hour, .2
	// tryFor is how long after it happened an event is posted.
	tryFor = 24 * time.Hour
	// claimFor is how long nobody else makes a post that was begun. It is longer than a post
	// takes.
	claimFor = time.Minute
	// recordFor is how long the database may take to keep what came of a post.
	recordFor = 5 * time.Second

	dropEvery = time.Hour
	keepFor   = 7 * 24 * time.Hour // after it was taken or given up
)

// Config is what a Sender needs. All fields are required, but for Account.
type Config struct {
	// URL is https://, or http:// on this machine; Secret signs what is posted there.
	URL, Secret string
	// Account is the account's name, if it has one, and Version that of the program.
	Account, Version string
	Store            *models.Store
	// Leads tells whether this process runs the broadcasts of the database: only that one
	// posts.
	Leads func() bool
	// Counted tells whether the last calls of a broadcast that does not run are counted, and
	// Recent returns a broadcast and its counts, which may be a little old.
	Counted func(ctx context.Context, b models.Broadcast) (bool, error)
	Recent  func(id int64) (models.Broadcast, models.Counts, error)
	Metrics prometheus.Registerer
	Now     func() time.Time
	Log     *slog.Logger
}

// Sender posts webhooks.
type Sender struct {
	Config
	client *http.Client
	posts  *prometheus.CounterVec
}

// The outcomes of a post, for Prometheus.
const (
	outcomeDelivered = "delivered"
	outcomeFailed    = "failed"   // it is posted again
	outcomeGivenUp   = "given_up" // it is not
)

// New returns a Sender. Run makes it post.
func New(c Config) *Sender {
	s := &Sender{Config: c, client: newClient(c.URL), posts: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "webhooks_total",
		Help: "Posts of events to WEBHOOK_URL, by outcome.",
	}, []string{"outcome"})}
	for _, outcome := range []string{outcomeDelivered, outcomeFailed, outcomeGivenUp} {
		s.posts.WithLabelValues(outcome)
	}
	c.Metrics.MustRegister(s.posts)
	return s
}

// Run posts what is due until ctx ends.
func (s *Sender) Run(ctx context.Context) {
	var loops sync.WaitGroup
	loops.Go(func() { loop.Every(ctx, lookEvery, func() { s.look(ctx) }) })
	loops.Go(func() {
		loop.Every(ctx, dropEvery, func() {
			if err := s.Store.DropWebhooks(ctx, s.Now().Add(-keepFor)); err != nil && ctx.Err() == nil {
				s.Log.WarnContext(ctx, "drop old webhooks", "err", err)
			}
		})
	})
	loops.Wait()
}

// look posts what is due, one after the other: there is one receiver.
func (s *Sender) look(ctx context.Context) {
	if !s.Leads() {
		return
	}
	list, err := s.Store.DueWebhooks(ctx, s.Now(), atOnce)
	if err != nil {
		if ctx.Err() == nil {
			s.Log.WarnContext(ctx, "look for webhooks, trying again", "err", err)
		}
		return
	}
	for _, w := range list {
		if ctx.Err() != nil {
			return
		}
		if err := s.deliver(ctx, w); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "post a webhook, trying again", "event", w.EventID, "broadcast", w.BroadcastID, "err", err)
		}
	}
}

// deliver posts a webhook once, if what it tells is known, and records what came of that.
// The error is the database's.
func (s *Sender) deliver(ctx context.Context, w models.Webhook) error {
	if w.Payload == "" {
		payload, err := s.payload(ctx, w)
		if err != nil || payload == "" {
			return err
		}
		if err := s.Store.FillWebhook(ctx, w.ID, payload); err != nil {
			return err
		}
		w.Payload = payload
	}
	claimed, err := s.Store.ClaimWebhook(ctx, &w, s.Now().Add(claimFor))
	if err != nil || !claimed {
		return err
	}
	fault := s.post(ctx, w)
	// What was taken must not be posted again since the program ends.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordFor)
	defer cancel()
	if fault != nil {
		return s.refused(ctx, w, fault)
	}
	s.posts.WithLabelValues(outcomeDelivered).Inc()
	s.Log.DebugContext(ctx, "webhook delivered", "event", w.EventID, "type", w.Type, "broadcast", w.BroadcastID, "attempts", w.Attempts)
	return s.Store.WebhookTaken(ctx, w, s.Now())
}

// refused records that a post came to nothing. The last one is made when tryFor is over.
func (s *Sender) refused(ctx context.Context, w models.Webhook, fault error) error {
	now, last := s.Now(), w.At.Add(tryFor)
	log := s.Log.With("event", w.EventID, "type", w.Type, "broadcast", w.BroadcastID, "attempts", w.Attempts, "err", fault)
	if errors.Is(fault, errGone) || !now.Before(last) {
		s.posts.WithLabelValues(outcomeGivenUp).Inc()
		log.ErrorContext(ctx, "a webhook is given up: the receiver did not take it")
		return s.Store.WebhookGivenUp(ctx, w, fault.Error(), now)
	}
	next := now.Add(pauseAfter(w.Attempts))
	if next.After(last) {
		next = last
	}
	s.posts.WithLabelValues(outcomeFailed).Inc()
	log.WarnContext(ctx, "the receiver did not take a webhook, trying again", "next", next)
	return s.Store.WebhookRefused(ctx, w, fault.Error(), next)
}

// pauseAfter is how long a webhook rests after so many posts that came to nothing. It
// depends on nothing else, so that a restart changes nothing.
func pauseAfter(attempts int64) (pause time.Duration) {
	b := backoff.ExponentialBackOff{InitialInterval: firstPause, RandomizationFactor: jitter, Multiplier: 2, MaxInterval: mostPause}
	b.Reset()
	for range attempts {
		pause = b.NextBackOff()
	}
	return pause
}
