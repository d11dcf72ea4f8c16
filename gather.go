package main

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"wechat-broadcast/cache"
	"wechat-broadcast/handlers"
)

// gatherWithin is how long an account may take to say its metrics. It is more than its checks
// take, and well below the 10 s after which Prometheus gives up by default.
const gatherWithin = 5 * time.Second

// gathered are the metrics of an account.
type gathered struct {
	families []*dto.MetricFamily
	err      error
}

// newGatherer gathers the metrics of the account in a slot, by its number, once for all who
// ask at the same time.
func newGatherer(p *process) *cache.Cache[int, gathered] {
	return cache.New(1, cache.For[gathered](0), func(_ context.Context, number int) (of gathered, _ error) {
		if a, _ := p.slots[number].opened(); a != nil { // else notServed shows it
			of.families, of.err = a.registry.Gather()
		}
		return of, nil
	})
}

// gather returns the metrics of the process and of the accounts that are open, which it asks at
// once. It shows an account that does not answer in time as a check that failed.
func (p *process) gather() ([]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(context.Background(), gatherWithin)
	defer cancel()
	all := make(prometheus.Gatherers, len(p.slots), len(p.slots)+1)
	var asked sync.WaitGroup
	for i, s := range p.slots {
		asked.Go(func() {
			of := p.gatherSlot(ctx, i, s)
			all[i] = prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return of.families, of.err })
		})
	}
	asked.Wait()
	return append(all, p.registry).Gather()
}

func (p *process) gatherSlot(ctx context.Context, number int, s *slot) gathered {
	of, err := p.gatherer.Get(ctx, number)
	if err == nil {
		return of
	}
	late := prometheus.NewRegistry()
	if err := prometheus.WrapRegistererWith(p.labels, late).Register(handlers.NoMetrics(s.settings.Name)); err != nil {
		return gathered{err: err}
	}
	of.families, of.err = late.Gather()
	return of
}
