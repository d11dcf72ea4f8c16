// Package config holds what the operator chose: the settings, from the
// environment and a file, and the message file with its templates. It checks
// everything before anything starts and never prints a secret. It imports no
// other package of this module.
package config
