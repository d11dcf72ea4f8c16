package main

type demoCommand struct{}

// Run is not there yet.
func (demoCommand) Run(*session) error { return nil }
