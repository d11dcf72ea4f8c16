package e2e

import (
	"io"
	"net"
	"sync"
	"testing"
)

// proxy stands between the server and what it talks to, and can take that away.
type proxy struct {
	t      *testing.T
	target string
	addr   string

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	work     sync.WaitGroup
}

// newProxy returns a proxy to target, an address, that lets nothing through yet.
func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	p := &proxy{t: t, target: target, addr: "127.0.0.1:0", conns: map[net.Conn]bool{}}
	p.open()
	p.refuse()
	t.Cleanup(func() {
		p.refuse()
		p.work.Wait()
	})
	return p
}

// open lets connections through from now on.
func (p *proxy) open() {
	p.t.Helper()
	listener, err := new(net.ListenConfig).Listen(p.t.Context(), "tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener, p.addr = listener, listener.Addr().String()
	p.work.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.work.Go(func() { p.carry(conn) })
		}
	})
}

// refuse cuts every connection, and has new ones refused.
func (p *proxy) refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	for conn := range p.conns {
		_ = conn.Close()
	}
}

// carry moves the bytes of one connection both ways until either side ends it.
func (p *proxy) carry(near net.Conn) {
	defer func() { _ = near.Close() }()
	far, err := new(net.Dialer).DialContext(p.t.Context(), "tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	if !p.keep(near, far) {
		return
	}
	defer p.drop(near, far)
	var ways sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{near: far, far: near} {
		ways.Go(func() {
			_, _ = io.Copy(to, from)
			_ = to.Close()
			_ = from.Close()
		})
	}
	ways.Wait()
}

// keep notes connections so that refuse can cut them; false if it came first.
func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil {
		return false
	}
	for _, conn := range conns {
		p.conns[conn] = true
	}
	return true
}

func (p *proxy) drop(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		delete(p.conns, conn)
	}
}
