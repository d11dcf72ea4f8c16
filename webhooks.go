package main

import (
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/webhooks"
)

// newWebhooks has the account's events kept and posted; nil without WEBHOOK_URL.
func (a *account) newWebhooks() *webhooks.Sender {
	if a.settings.WebhookURL == "" {
		return nil
	}
	a.store.KeepWebhooks()
	version, _ := build()
	return webhooks.New(webhooks.Config{
		URL: a.settings.WebhookURL, Secret: a.settings.WebhookSecret.Reveal(), Account: a.settings.Name, Version: version,
		Store: a.store, Leads: a.engine.Leads, Counted: a.engine.Counted,
		Recent: func(id int64) (models.Broadcast, models.Counts, error) {
			st, err := a.engine.Recent(id)
			if err != nil {
				return models.Broadcast{}, models.Counts{}, err
			}
			return st.Broadcast, st.Counts, nil
		},
		Metrics: a.metrics, Now: time.Now, Log: a.log,
	})
}
