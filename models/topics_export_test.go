package models

import (
	"context"

	"gorm.io/gorm"
)

// FillConsents has people join topics.
func FillConsents(ctx context.Context, s *Store, topics, recipients []int64) error {
	return s.inTx(ctx, func(tx *gorm.DB) error {
		for _, topic := range topics {
			var said []Consent
			for _, r := range recipients {
				said = append(said, Consent{TopicID: topic, RecipientID: r, Joined: true, Via: ViaText})
			}
			if err := tx.CreateInBatches(&said, maxRows).Error; err != nil {
				return err
			}
			var in []Membership
			for _, c := range said {
				in = append(in, Membership{TopicID: topic, RecipientID: c.RecipientID, Joined: true, ConsentID: c.ID})
			}
			if err := tx.CreateInBatches(&in, maxRows).Error; err != nil {
				return err
			}
		}
		return nil
	})
}
