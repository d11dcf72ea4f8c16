// Package tokens makes the tokens of the HTTP API, and finds the one that a request shows.
package tokens

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"wechat-broadcast/models"
)

const (
	// prefix begins every secret, so that scanners for leaked secrets can find them.
	prefix = "wb_"
	// secretBytes is how many random bytes a secret has, and secretChars how they are written.
	secretBytes = 32
	secretChars = 43
	// maxName is how many characters the name of a token may have.
	maxName = 64
	// usedEvery is how exactly it is known when a token was used last, and usedWithin how long
	// a request waits until that is stored.
	usedEvery  = 10 * time.Minute
	usedWithin = 300 * time.Millisecond
)

// nameLike is what a token may be called: its name stands in columns that hold OpenIDs.
var nameLike = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// Service knows the tokens of an account. All fields are required. It keeps none of them in
// memory, so that one that is removed ends at once.
type Service struct {
	Store *models.Store
	// Account is the account's name, empty if it is the only one and has none.
	Account string
	Now     func() time.Time
	Log     *slog.Logger
}

// Add makes a token and returns its secret, which nobody can tell later. The Errors are
// models.TokenNameBad and models.TokenNameTaken.
func (s *Service) Add(ctx context.Context, name string, scope models.Scope) (secret string, err error) {
	if len(name) > maxName || !nameLike.MatchString(name) {
		return "", models.NewError(models.Invalid, models.TokenNameBad, "Name", name, "Limit", int64(maxName))
	}
	random := make([]byte, secretBytes)
	_, _ = rand.Read(random) // it never fails
	secret = prefix
	if s.Account != "" {
		secret += s.Account + "_"
	}
	secret += base64.RawURLEncoding.EncodeToString(random)
	err = s.Store.AddToken(ctx, &models.Token{Name: name, Scope: scope, Hash: hash(secret), CreatedAt: models.At(s.Now())})
	return secret, err
}

// Remove removes a token. One that is not there is an Error models.TokenNameUnknown.
func (s *Service) Remove(ctx context.Context, name string) error {
	removed, err := s.Store.RemoveToken(ctx, name)
	if err != nil || removed {
		return err
	}
	list, err := s.Store.Tokens(ctx)
	if err != nil {
		return err
	}
	known := make([]string, len(list))
	for i, t := range list {
		known[i] = t.Name
	}
	return models.NewError(models.NotFound, models.TokenNameUnknown, "Name", name, "Known", strings.Join(known, ", "))
}

// Find returns the token of a secret, nil if there is none. It is found by its hash, so that
// how long that takes tells nothing of the secret.
func (s *Service) Find(ctx context.Context, secret string) (*models.Token, error) {
	t, err := s.Store.FindToken(ctx, hash(secret))
	if err != nil || t == nil {
		return nil, err
	}
	if now := s.Now(); now.Sub(t.LastUsedAt.Time) >= usedEvery {
		s.used(ctx, t.ID, now)
	}
	return t, nil
}

// used records the use of a token. A database that is busy makes no request wait for that.
func (s *Service) used(ctx context.Context, id int64, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, usedWithin)
	defer cancel()
	if err := s.Store.UsedToken(ctx, id, now); err != nil {
		s.Log.DebugContext(ctx, "record the use of a token", "err", err)
	}
}

// AccountOf returns the name of the account in a secret, empty for none; ok is false for what
// can't be a secret.
func AccountOf(secret string) (account string, ok bool) {
	rest, ok := strings.CutPrefix(secret, prefix)
	if !ok || len(rest) < secretChars {
		return "", false
	}
	account, ok = rest[:len(rest)-secretChars], len(rest) == secretChars
	if !ok {
		account, ok = strings.CutSuffix(account, "_")
		ok = ok && account != ""
	}
	return account, ok
}

func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
