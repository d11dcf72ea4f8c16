// Package sessions says who is in the console: an admin asks for a link in the chat, enters
// by it once, and has a session. What they prepare there they confirm in the chat by a code.
// Only hashes of what is secret are stored.
package sessions

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"wechat-broadcast/models"
)

const (
	// LinkLasts is how long a link can be used.
	LinkLasts = 5 * time.Minute
	// SessionLasts is how long a session lasts.
	SessionLasts = 12 * time.Hour

	secretSize = 32 // bytes of what is secret
	macSize    = 16 // bytes of the signature: 128 bits
	// tokenLength is that of a link's and of a cookie's token.
	tokenLength = (secretSize + macSize) / 3 * 4
)

// roles is what a Service asks of an *admins.Service.
type roles interface {
	RoleOf(ctx context.Context, openID string) models.Role
	Known(ctx context.Context) bool
}

// Config is what a Service needs. All fields are required but PublicURL.
type Config struct {
	Store *models.Store
	Roles roles
	// Account is the account's name, empty if it is the only one and has none.
	Account string
	// Secret is the account's: what was made with another one is not taken.
	Secret string
	// PublicURL is the address of the server, without a slash at its end; without it there
	// are no links.
	PublicURL string
	Now       func() time.Time
	Log       *slog.Logger
}

// Service makes and checks links, sessions and codes. It is safe for concurrent use.
type Service struct {
	config Config
	key    []byte
	origin string

	strangers strangers
}

// New returns a Service.
func New(c Config) (*Service, error) {
	key, err := hkdf.Key(sha256.New, []byte(c.Secret), nil, "wechat-broadcast: console, 1", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive the key of the console: %w", err)
	}
	s := &Service{config: c, key: key}
	if u, err := url.Parse(c.PublicURL); err == nil && u.Host != "" {
		host := strings.ToLower(u.Host)
		for scheme, port := range map[string]string{"http": ":80", "https": ":443"} {
			if strings.EqualFold(u.Scheme, scheme) { // browsers leave out the usual one
				host = strings.TrimSuffix(host, port)
			}
		}
		s.origin = strings.ToLower(u.Scheme) + "://" + host
	}
	return s, nil
}

// Origin is the scheme and the host of PublicURL, as browsers name it; empty without one.
func (s *Service) Origin() string { return s.origin }

// The purposes of what is signed: what was made for one is worth nothing for another.
const (
	forLink    = "link"
	forAsked   = "asked"
	forSession = "session"
	forForm    = "form"
	forCode    = "code"
)

// mac signs texts for a purpose.
func (s *Service) mac(purpose string, texts ...string) []byte {
	h := hmac.New(sha256.New, s.key)
	for _, text := range append([]string{purpose}, texts...) {
		fmt.Fprintf(h, "%d:%s", len(text), text)
	}
	return h.Sum(nil)
}

// token returns what is secret with a signature, so that what nobody was given is known
// without a look into the database.
func (s *Service) token(purpose string, secret []byte) string {
	return base64.RawURLEncoding.EncodeToString(append(secret, s.mac(purpose, string(secret))[:macSize]...))
}

// made tells whether a token is one of this account for that purpose.
func (s *Service) made(purpose, token string) bool {
	// The decoder skips line breaks, so one token would have many forms.
	if len(token) != tokenLength || strings.ContainsAny(token, "\r\n") {
		return false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != secretSize+macSize {
		return false
	}
	return hmac.Equal(raw[secretSize:], s.mac(purpose, string(raw[:secretSize]))[:macSize])
}

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Link returns the address by which an admin enters once, within five minutes. key names the
// chat message that asks: the same one gets the same link, so that its reply need not be
// kept anywhere. Without a public address: models.ErrNoPublicURL.
func (s *Service) Link(ctx context.Context, openID, key string) (string, error) {
	if s.origin == "" {
		return "", models.NewError(models.Conflict, models.ErrNoPublicURL)
	}
	token := s.token(forLink, s.mac(forAsked, openID, key))
	err := s.config.Store.AddConsoleLink(ctx, models.ConsoleLink{
		Hash: hash(token), OpenID: openID, ExpiresAt: models.At(s.config.Now().Add(LinkLasts)),
	})
	if err != nil {
		return "", err
	}
	return s.config.PublicURL + "/console/enter/" + token, nil
}

// MadeLink tells whether a token is that of a link of this account, also of one that was
// used or has expired.
func (s *Service) MadeLink(token string) bool { return s.made(forLink, token) }

// Enter uses a link and returns the value of the cookie for the session that begins. A link
// that can't be used, or whose admin is none any more: models.ErrConsoleLink.
func (s *Service) Enter(ctx context.Context, token string) (cookie string, who *Visitor, err error) {
	refused := models.NewError(models.Conflict, models.ErrConsoleLink)
	if !s.MadeLink(token) {
		return "", nil, refused
	}
	secret := make([]byte, secretSize, secretSize+macSize)
	_, _ = rand.Read(secret) // it never fails
	own := s.token(forSession, secret)
	now := s.config.Now()
	session := &models.ConsoleSession{Hash: hash(own), StartedAt: models.At(now), ExpiresAt: models.At(now.Add(SessionLasts))}
	entered, err := s.config.Store.EnterConsole(ctx, hash(token), session)
	if err != nil {
		return "", nil, err
	}
	if !entered {
		return "", nil, refused
	}
	who, err = s.visitor(ctx, session)
	switch {
	case err != nil:
		return "", nil, err
	case who == nil:
		return "", nil, refused
	}
	s.config.Log.InfoContext(ctx, "an admin entered the console", "session", who.ID, "from", models.MaskOpenID(who.OpenID))
	return s.config.Account + "." + own, who, nil
}

// Visitor is an admin who is in the console.
type Visitor struct {
	// ID is the session's number.
	ID     int64
	OpenID string
	Role   models.Role
	// Language is the one that they chose; empty for the account's.
	Language string
	Until    time.Time
}

// own returns the token of a cookie; ok is false if it is none that this account gave.
func (s *Service) own(cookie string) (token string, ok bool) {
	account, token, found := strings.Cut(cookie, ".")
	return token, found && account == s.config.Account && s.made(forSession, token)
}

// MadeCookie tells whether a cookie is one that this account gave, also of a session that is
// over.
func (s *Service) MadeCookie(cookie string) bool {
	_, ok := s.own(cookie)
	return ok
}

// Visitor returns whose session a cookie is, with their role of now; nil if it is none or
// over, or if they are no admin any more.
func (s *Service) Visitor(ctx context.Context, cookie string) (*Visitor, error) {
	token, ok := s.own(cookie)
	if !ok {
		return nil, nil
	}
	session, err := s.config.Store.ConsoleSessionOf(ctx, hash(token), s.config.Now())
	if err != nil || session == nil {
		return nil, err
	}
	return s.visitor(ctx, session)
}

// visitor returns whose session it is. Of whoever is no admin any more everything ends.
func (s *Service) visitor(ctx context.Context, session *models.ConsoleSession) (*Visitor, error) {
	role := s.config.Roles.RoleOf(ctx, session.OpenID)
	if role == "" {
		_, err := s.endStranger(ctx, session.OpenID)
		return nil, err
	}
	return &Visitor{session.ID, session.OpenID, role, session.Language, session.ExpiresAt.Time}, nil
}

// endStranger ends the console of somebody without a role. While it is not known who has
// one, it is an error.
func (s *Service) endStranger(ctx context.Context, openID string) (int64, error) {
	if !s.config.Roles.Known(ctx) {
		return 0, fmt.Errorf("the admins are not known yet")
	}
	n, err := s.config.Store.EndConsole(ctx, openID)
	if err == nil {
		s.config.Log.WarnContext(ctx, "who is no admin any more was still in the console; that has ended",
			"sessions", n, "from", models.MaskOpenID(openID))
	}
	return n, err
}

// FormToken returns what a form of a session must bring along. It says nothing of the cookie.
func (s *Service) FormToken(cookie string) string {
	return base64.RawURLEncoding.EncodeToString(s.mac(forForm, cookie)[:macSize])
}

// SetLanguage sets the language of a session.
func (s *Service) SetLanguage(ctx context.Context, id int64, language string) error {
	return s.config.Store.SetConsoleLanguage(ctx, id, language)
}

// End ends a session.
func (s *Service) End(ctx context.Context, id int64) error {
	return s.config.Store.EndConsoleSession(ctx, id)
}

// Out ends all that an admin holds: sessions, links, and what they have not confirmed. It
// returns how many sessions that were.
func (s *Service) Out(ctx context.Context, openID string) (int64, error) {
	return s.config.Store.EndConsole(ctx, openID)
}

// EndStrangers ends the console of all who have no role any more, such as an owner who was
// taken out of the settings.
func (s *Service) EndStrangers(ctx context.Context) error {
	people, err := s.config.Store.ConsolePeople(ctx)
	if err != nil {
		return err
	}
	for _, openID := range people {
		if s.config.Roles.RoleOf(ctx, openID) != "" {
			continue
		}
		if _, err := s.endStranger(ctx, openID); err != nil {
			return err
		}
	}
	return nil
}
