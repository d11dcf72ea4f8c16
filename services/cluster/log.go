package cluster

import (
	"fmt"
	"log/slog"
)

// queueLog has asynq write to the program's log. What it calls an error is that
// Redis is away, which Sync logs once, or that Redis forgot a task,
// which is put back; so all of it is for who looks closely.
type queueLog struct{ log *slog.Logger }

// Debug implements asynq.Logger.
func (l queueLog) Debug(args ...any) { l.say(args) }

// Info implements asynq.Logger.
func (l queueLog) Info(args ...any) { l.say(args) }

// Warn implements asynq.Logger.
func (l queueLog) Warn(args ...any) { l.say(args) }

// Error implements asynq.Logger.
func (l queueLog) Error(args ...any) { l.say(args) }

// Fatal implements asynq.Logger. It ends nothing: that is not asynq's to decide.
func (l queueLog) Fatal(args ...any) { l.log.Error("queue", "says", fmt.Sprint(args...)) }

func (l queueLog) say(args []any) { l.log.Debug("queue", "says", fmt.Sprint(args...)) }
