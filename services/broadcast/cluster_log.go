package broadcast

import (
	"fmt"
	"log/slog"
)

// queueLog has asynq write to the program's log. What it calls an error is
// mostly that Redis is away, which passes.
type queueLog struct{ log *slog.Logger }

// Debug implements asynq.Logger.
func (l queueLog) Debug(args ...any) { l.log.Debug("queue", "says", fmt.Sprint(args...)) }

// Info implements asynq.Logger.
func (l queueLog) Info(args ...any) { l.log.Info("queue", "says", fmt.Sprint(args...)) }

// Warn implements asynq.Logger.
func (l queueLog) Warn(args ...any) { l.log.Warn("queue", "says", fmt.Sprint(args...)) }

// Error implements asynq.Logger.
func (l queueLog) Error(args ...any) { l.log.Warn("queue", "says", fmt.Sprint(args...)) }

// Fatal implements asynq.Logger. It ends nothing: that is not asynq's to decide.
func (l queueLog) Fatal(args ...any) { l.log.Error("queue", "says", fmt.Sprint(args...)) }
