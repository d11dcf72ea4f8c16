package main

import (
	"log/slog"

	"github.com/coreos/go-systemd/v22/daemon"
)

// tellSystemd tells the service manager how the program is, such as daemon.SdNotifyReady.
// Without a service manager that asked for it (Type=notify) it does nothing.
func tellSystemd(state string, log *slog.Logger) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("can't tell systemd how the program is", "err", err)
	}
}
