package config

import _ "embed"

// ExampleConfig is a settings file to start from. Everything optional in it is
// commented out.
//
//go:embed config.example.yaml
var ExampleConfig string
