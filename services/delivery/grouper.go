package delivery

import (
	"context"
	"errors"
	"time"
)

// errClosed says that a grouper takes nothing more.
var errClosed = errors.New("the program is stopping")

// grouper gathers what comes in one by one and hands it on in groups, so that
// one statement serves many.
type grouper[T any] struct {
	in     chan T
	most   int           // a group's size
	linger time.Duration // how long the first of a group waits for company
	flush  func([]T)
	stop   chan struct{}
	done   chan struct{}
}

func newGrouper[T any](most int, linger time.Duration, flush func([]T)) *grouper[T] {
	g := &grouper[T]{
		in: make(chan T), most: most, linger: linger, flush: flush,
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	go g.run()
	return g
}

// put hands one in. It fails if ctx ends first or the grouper is closed.
func (g *grouper[T]) put(ctx context.Context, v T) error {
	select {
	case g.in <- v:
		return nil
	case <-g.stop:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close flushes what is being gathered and ends the grouper.
func (g *grouper[T]) close() {
	close(g.stop)
	<-g.done
}

func (g *grouper[T]) run() {
	defer close(g.done)
	groups := make(chan []T)
	defer close(groups)
	flushed := make(chan struct{}, 1)
	flushed <- struct{}{}
	go func() {
		for group := range groups {
			g.flush(group)
			flushed <- struct{}{}
		}
	}()
	for {
		select {
		case first := <-g.in:
			group := g.gather(first, flushed)
			groups <- group
		case <-g.stop:
			<-flushed
			return
		}
	}
}

// gather fills a group for as long as it lingers and the flush of the one
// before it lasts.
func (g *grouper[T]) gather(first T, flushed <-chan struct{}) []T {
	group := append(make([]T, 0, g.most), first)
	timer := time.NewTimer(g.linger)
	defer timer.Stop()
	linger, stop := timer.C, g.stop
	for {
		in := g.in
		if len(group) == g.most {
			in, linger = nil, nil
		}
		ready := flushed
		if linger != nil {
			ready = nil
		}
		select {
		case next := <-in:
			group = append(group, next)
		case <-linger:
			linger = nil
		case <-stop:
			linger, stop = nil, nil
		case <-ready:
			return group
		}
	}
}
