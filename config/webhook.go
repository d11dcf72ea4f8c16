package config

import (
	"strings"
	"unicode/utf8"
)

// minWebhookSecret is the least length of a secret that nobody guesses.
const minWebhookSecret = 16

// webhookSecret takes what webhooks are signed with.
func webhookSecret(dst *Secret, v string) error {
	if n := utf8.RuneCountInString(v); n < minWebhookSecret {
		return wrong("short_secret", "N", n, "Least", minWebhookSecret)
	}
	return visible(dst, v)
}

// checkWebhook refuses one of the two settings without the other. It says nothing of the
// other if that is there and wrong.
func (l *loader) checkWebhook() {
	url, secret := l.values.WebhookURL != "", l.values.WebhookSecret != ""
	if url == secret {
		return
	}
	for _, f := range l.faults {
		if strings.HasPrefix(f.key, "WEBHOOK_") {
			return
		}
	}
	if url {
		l.fault("WEBHOOK_SECRET", l.under(), wrong("no_webhook_secret"), hint("WEBHOOK_SECRET"))
		return
	}
	l.fault("WEBHOOK_URL", l.under(), wrong("no_webhook_url"), hint("no_webhook_url"))
}
