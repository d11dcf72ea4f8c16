package models

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
)

// Scope is what a token of the HTTP API may do, each with what the one before may.
type Scope string

// The scopes.
const (
	ScopeRead  Scope = "read"  // sees
	ScopeDraft Scope = "draft" // asks for broadcasts that somebody must approve in the chat
	ScopeSend  Scope = "send"  // sends as a sender does
)

// Scopes are all of them, each with what the one before may do.
var Scopes = []Scope{ScopeRead, ScopeDraft, ScopeSend}

// May tells whether a token with the scope s may do what takes another one. One that is
// not known may nothing.
func (s Scope) May(takes Scope) bool {
	return slices.Contains(Scopes, s) && slices.Index(Scopes, s) >= slices.Index(Scopes, takes)
}

// The Errors about tokens. They reach people on the command line alone.
const (
	TokenNameBad     = "token_name"    // Name, Limit: a token can't be called that
	TokenNameTaken   = "token_taken"   // Name: there is one of that name
	TokenNameUnknown = "token_unknown" // Name, Known: there is none of that name
)

// Token is a token of the HTTP API. Its secret is stored nowhere.
type Token struct {
	ID    int64 `gorm:"primaryKey"`
	Name  string
	Scope Scope
	// Hash is the SHA-256 of the secret, in hexadecimal digits.
	Hash      string
	CreatedAt Time
	// LastUsedAt is when it was used last, or a while before; zero for never.
	LastUsedAt Time
}

// tokenAsker begins what stands for a token where the OpenID of an admin stands else. It has
// a space, as no OpenID has.
const tokenAsker = "token "

// Asker stands for the token where the OpenID of an admin stands else: who asked for a
// broadcast, who did something.
func (t *Token) Asker() string { return tokenAsker + t.Name }

// TokenOf returns the name of the token that an Asker stands for; ok is false for an OpenID.
func TokenOf(asker string) (name string, ok bool) { return strings.CutPrefix(asker, tokenAsker) }

// AddToken stores a token and sets its number. One of the same name is an Error
// TokenNameTaken.
func (s *Store) AddToken(ctx context.Context, t *Token) error {
	err := s.w.WithContext(ctx).Create(t).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return NewError(Conflict, TokenNameTaken, "Name", t.Name)
	}
	return wrap(err, "add token")
}

// Tokens returns the tokens by their names.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	var list []Token
	err := s.r.WithContext(ctx).Order("name").Find(&list).Error
	return list, wrap(err, "list tokens")
}

// FindToken returns the token with a hash, nil if there is none.
func (s *Store) FindToken(ctx context.Context, hash string) (*Token, error) {
	t, err := first[Token](s.r.WithContext(ctx).Where("hash = ?", hash))
	return t, wrap(err, "find token")
}

// RemoveToken removes the token of a name. It tells whether there was one.
func (s *Store) RemoveToken(ctx context.Context, name string) (removed bool, err error) {
	done := s.w.WithContext(ctx).Where("name = ?", name).Delete(&Token{})
	return done.RowsAffected > 0, wrap(done.Error, "remove token")
}

// UsedToken records when a token was used.
func (s *Store) UsedToken(ctx context.Context, id int64, at time.Time) error {
	err := s.w.WithContext(ctx).Model(&Token{}).Where("id = ?", id).Update("last_used_at", At(at)).Error
	return wrap(err, "record the use of a token")
}
