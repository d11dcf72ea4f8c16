package main

import (
	"strconv"

	"wechat-broadcast/models"
	"wechat-broadcast/services/people"
)

type exportFollowers struct{}

// Run prints everyone who follows or followed as CSV.
func (exportFollowers) Run(s *session) error {
	return s.exporting(func(a *account) error {
		read := func(after int64, n int) ([]models.Recipient, error) { return a.store.FollowersAfter(s.ctx, after, n) }
		header := []string{"openid", "subscribed", "opted_out", "tester", "subscribed_at", "scene"}
		return writeRows(s.stdout, header, read, func(r models.Recipient) (int64, []string) {
			return r.ID, []string{
				people.Cell(r.OpenID), strconv.FormatBool(r.Subscribed), strconv.FormatBool(r.OptedOut),
				strconv.FormatBool(r.Tester), people.Moment(r.SubscribedAt), people.Cell(r.Scene),
			}
		})
	})
}
