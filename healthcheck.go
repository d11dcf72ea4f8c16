package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

type healthcheckCommand struct{}

// Run asks the program that serves on LISTEN_ADDR for /healthz. Containers use it,
// since the image has no HTTP client.
func (healthcheckCommand) Run(s *session) error {
	settings, _, err := s.load()
	if err != nil {
		return err
	}
	return askHealth(s.ctx, settings.ListenAddr)
}

// askHealth asks the program that listens at an address for /healthz.
func askHealth(ctx context.Context, listens string) error {
	host, port, err := net.SplitHostPort(listens)
	if err != nil {
		return fmt.Errorf("LISTEN_ADDR: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/healthz", http.NoBody)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask for a sign of life: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 200))
	if err != nil {
		return fmt.Errorf("ask for a sign of life: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("/healthz answers %d %s", res.StatusCode, body)
	}
	return nil
}
