package models

import (
	"context"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// APIRequestsLast is how long the answer to a request of the HTTP API is kept for the same
// request.
const APIRequestsLast = 24 * time.Hour

// APIRequest is a request of the HTTP API that is answered once: the same one again gets the
// same answer.
type APIRequest struct {
	TokenID int64 `gorm:"primaryKey;autoIncrement:false"`
	// KeyHash and BodyDigest are the SHA-256 of its Idempotency-Key and of its body, in
	// hexadecimal digits.
	KeyHash    string `gorm:"primaryKey"`
	BodyDigest string
	// Status and Response are the answer, a JSON text; Status is 0 until there is one.
	Status    int
	Response  string
	CreatedAt Time `gorm:"autoCreateTime:false"`
}

// TableName tells GORM the table.
func (APIRequest) TableName() string { return "api_requests" }

// BeginAPIRequest stores that a request came at its CreatedAt, unless one with its key came
// within APIRequestsLast before: then it returns that one, with what became of it so far. One
// without an answer is either still under way or was cut off by the end of its process; what
// it asks for must be known by a name of its own, so that it can be asked for again. Of two at
// the same moment one is stored.
func (s *Store) BeginAPIRequest(ctx context.Context, r APIRequest) (before *APIRequest, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		if err := lockFact(tx, "api"); err != nil {
			return err
		}
		before, err = first[APIRequest](tx.Where("token_id = ? AND key_hash = ?", r.TokenID, r.KeyHash))
		if err != nil || before != nil && r.CreatedAt.Sub(before.CreatedAt.Time) < APIRequestsLast {
			return err
		}
		before = nil
		return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&r).Error
	})
	return before, wrap(err, "store a request")
}

// AnswerAPIRequest stores the answer to a request. One that has an answer keeps it.
func (s *Store) AnswerAPIRequest(ctx context.Context, r APIRequest) error {
	err := s.w.WithContext(ctx).Model(&APIRequest{}).Where("token_id = ? AND key_hash = ? AND status = 0", r.TokenID, r.KeyHash).
		Updates(map[string]any{"status": r.Status, "response": r.Response}).Error
	return wrap(err, "store the answer to a request")
}

// DropAPIRequest drops a request that has no answer, since it was refused: the same one may
// be asked again, with another body too.
func (s *Store) DropAPIRequest(ctx context.Context, r APIRequest) error {
	err := s.w.WithContext(ctx).Where("token_id = ? AND key_hash = ? AND status = 0", r.TokenID, r.KeyHash).Delete(&APIRequest{}).Error
	return wrap(err, "drop a request")
}

// PurgeAPIRequests deletes the requests that are not found any more.
func (s *Store) PurgeAPIRequests(ctx context.Context, now time.Time) error {
	err := s.w.WithContext(ctx).Where("created_at <= ?", At(now.Add(-APIRequestsLast))).Delete(&APIRequest{}).Error
	return wrap(err, "delete old requests")
}
