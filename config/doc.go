// Package config reads and checks the settings that the operator chose, from the
// environment and a file. It checks all of them before anything starts and never
// prints a secret.
package config
