package simulator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Close ends listening and callbacks, and waits until everything has ended.
func (s *Simulator) Close() error {
	s.stop()
	err := s.listen.close()
	s.work.Wait()
	s.client.CloseIdleConnections()
	return err
}

// listening is the simulator's own server, which can go down and come up again at the same address.
type listening struct {
	mu     sync.Mutex
	addr   string
	server *http.Server
	served chan struct{}
	closed bool
	down   atomic.Bool
}

// Start listens at addr, such as "127.0.0.1:0", and serves until Close.
func (s *Simulator) Start(addr string) error {
	s.listen.mu.Lock()
	defer s.listen.mu.Unlock()
	if s.listen.server != nil {
		return errors.New("the simulator listens already")
	}
	return s.listen.open(addr, s, s.opts.Logger)
}

// open begins to serve. The caller holds mu.
func (l *listening) open(addr string, handler http.Handler, logger *slog.Logger) error {
	if l.closed {
		return http.ErrServerClosed
	}
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	l.addr = ln.Addr().String()
	l.server = &http.Server{
		Handler: handler, ReadHeaderTimeout: 30 * time.Second,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	l.served = make(chan struct{})
	server, served := l.server, l.served
	go func() {
		defer close(served)
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("serve", "error", err)
		}
	}()
	return nil
}

func (l *listening) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.server == nil {
		return nil
	}
	// Handlers end at once when the simulator closes; what is left after a moment are connections without a request.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if l.server.Shutdown(ctx) != nil {
		_ = l.server.Close() // it reports what Shutdown did
	}
	<-l.served
	l.server = nil
	return nil
}

// URL is the base URL of the API once Start was called.
func (s *Simulator) URL() string {
	s.listen.mu.Lock()
	defer s.listen.mu.Unlock()
	return "http://" + s.listen.addr
}

// Down lets the platform's API go away: connections are cut and new ones refused. What the platform knows it keeps,
// and callbacks go on.
func (s *Simulator) Down() {
	s.listen.down.Store(true)
	s.listen.mu.Lock()
	defer s.listen.mu.Unlock()
	if s.listen.server != nil {
		_ = s.listen.server.Close() // cutting connections is the purpose
		<-s.listen.served
		s.listen.server = nil
	}
}

// Up brings the platform back at the same address.
func (s *Simulator) Up() error {
	s.listen.down.Store(false)
	s.listen.mu.Lock()
	defer s.listen.mu.Unlock()
	if s.listen.server != nil || s.listen.addr == "" {
		return nil
	}
	return s.listen.open(s.listen.addr, s, s.opts.Logger)
}
