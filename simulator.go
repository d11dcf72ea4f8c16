package main

import (
	"fmt"

	"wechat-broadcast/simulator"
)

type simulatorCommand struct {
	Addr    string            `help:"Address to serve." default:"127.0.0.1:9000"`
	Options simulator.Options `embed:""`
}

// Run serves the simulated platform until the program is told to stop.
func (c simulatorCommand) Run(s *session) error {
	sim, err := simulator.New(c.Options)
	if err != nil {
		return err
	}
	if err := sim.Start(c.Addr); err != nil {
		return err
	}
	fmt.Fprintf(s.stdout, "simulating the platform at %s with %d followers\n", sim.URL(), c.Options.Followers)
	<-s.ctx.Done()
	return sim.Close()
}
