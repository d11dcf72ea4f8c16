package sessions

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math/big"
	"time"

	"wechat-broadcast/models"
)

const (
	// ConfirmLasts is how long what was prepared can be confirmed.
	ConfirmLasts = 10 * time.Minute
	// codes is how many there are.
	codes = 1_000_000
	// maxWrong is how many wrong codes void what was prepared.
	maxWrong = 5
)

// Prepare stores a command that an admin is to confirm, with the digest of the message as
// they saw it, and returns the code. What they had not confirmed before is void.
func (s *Service) Prepare(ctx context.Context, openID, command, digest string) (code string, err error) {
	n, err := rand.Int(rand.Reader, big.NewInt(codes))
	if err != nil {
		return "", fmt.Errorf("make a code: %w", err)
	}
	code = fmt.Sprintf("%06d", n)
	err = s.config.Store.PrepareConfirm(ctx, &models.ConsoleConfirm{
		OpenID: openID, CodeHash: s.codeHash(openID, code), Command: command, Digest: digest,
		ExpiresAt: models.At(s.config.Now().Add(ConfirmLasts)),
	})
	if err != nil {
		return "", err
	}
	return code, nil
}

// codeHash is what is stored of a code. With the account's secret in it, nobody finds the
// code by trying all of them.
func (s *Service) codeHash(openID, code string) string {
	return hex.EncodeToString(s.mac(forCode, openID, code))
}

// Take returns what an admin confirms with a code. key names the chat message: the same one
// gets it again. Used says that another message took it before. The error is a *models.Error
// for the admin.
func (s *Service) Take(ctx context.Context, openID, code, key string) (c *models.ConsoleConfirm, used bool, err error) {
	c, taken, err := s.config.Store.TakeConfirm(ctx, openID, s.codeHash(openID, code), key, s.config.Now(), maxWrong)
	if err != nil {
		return nil, false, err
	}
	switch taken {
	case models.ConfirmOK:
		return c, false, nil
	case models.ConfirmUsed:
		return c, true, nil
	case models.ConfirmExpired:
		return nil, false, models.NewError(models.Conflict, models.ErrConfirmExpired)
	case models.ConfirmWrong:
		s.wrong(ctx, openID, taken)
		return nil, false, models.NewError(models.Invalid, models.ErrConfirmWrong)
	case models.ConfirmVoid:
		s.wrong(ctx, openID, taken)
		return nil, false, models.NewError(models.Invalid, models.ErrConfirmVoid)
	case models.ConfirmNone:
	}
	s.wrong(ctx, openID, models.ConfirmNone)
	return nil, false, models.NewError(models.NotFound, models.ErrConfirmNone)
}

// wrong logs a code that was refused.
func (s *Service) wrong(ctx context.Context, openID string, taken models.ConfirmTaken) {
	s.config.Log.WarnContext(ctx, "a wrong code for what was prepared in the console",
		"from", models.MaskOpenID(openID), "came", string(taken))
}
