package config

import "os"

// NotifySocket is where the service manager wants to hear that the process is ready, reloads or stops, as sd_notify(3)
// of systemd tells it; empty where nobody waits. It is no setting: systemd alone says it.
func NotifySocket() string { return os.Getenv("NOTIFY_SOCKET") }
