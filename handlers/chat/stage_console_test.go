package chat

import (
	"context"

	"wechat-broadcast/models"
)

// stageConsole stands in for the sessions of the console.
type stageConsole struct{ *stage }

func (s stageConsole) Link(_ context.Context, openID, key string) (string, error) {
	s.record("link for %s by %s", openID, key)
	return "https://p.example.com/console/enter/secret", s.err
}

func (s stageConsole) Out(_ context.Context, openID string) (int64, error) {
	s.record("out %s", openID)
	return 2, s.err
}

func (s stageConsole) Prepare(_ context.Context, openID, command, digest string) (string, error) {
	s.record("prepare %s %s %s", openID, command, digest)
	return "482193", s.err
}

func (s stageConsole) Take(_ context.Context, openID, code, key string) (*models.ConsoleConfirm, bool, error) {
	s.record("take %s %s %s", openID, code, key)
	if s.err != nil {
		return nil, false, s.err
	}
	return &models.ConsoleConfirm{ID: 3, OpenID: openID, Command: `{"Name":"broadcast_all","Message":"notice"}`, Digest: "seen"}, false, nil
}
