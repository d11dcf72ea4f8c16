package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version and commit are set when a release is built (see the Makefile).
var version, commit string

type versionCommand struct{}

// Run prints what this binary was built from.
func (versionCommand) Run(s *session) error {
	v, c := build()
	_, err := fmt.Fprintf(s.stdout, "wechat-broadcast %s\ncommit %s\n%s %s/%s\n", v, c, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// build returns version and commit: those of the release, else what the Go tool
// noted.
func build() (v, c string) {
	v, c = version, commit
	if info, ok := debug.ReadBuildInfo(); ok {
		v = cmp.Or(v, info.Main.Version)
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				c = cmp.Or(c, s.Value)
			}
		}
	}
	if v == "(devel)" {
		v = ""
	}
	return cmp.Or(v, "development"), cmp.Or(c, "unknown")
}
