package simulator

import (
	"encoding/json"
	"net/url"
	"slices"
)

// urlLength is how many bytes a message's url may have. That there is a limit shows from its error code, 40039 (WeChat:
// global return codes); the number is unconfirmed.
const urlLength = 2048

// checkLinks gives 0 if a tap on a message leads somewhere that the platform allows, or nowhere, else the error code.
func (s *Simulator) checkLinks(m *sendRequest) int {
	if len(m.URL) > urlLength {
		return 40039
	}
	// 45051 is "template msg use invalid link" (WeChat: global return codes). What counts as invalid is unconfirmed.
	if u, err := url.Parse(m.URL); m.URL != "" && (err != nil || u.Host == "" || !oneOf(u.Scheme, "http", "https")) {
		return 45051
	}
	var target struct {
		AppID    string `json:"appid"`
		PagePath string `json:"pagepath"`
	}
	switch {
	case len(m.MiniProgram) > 0 && json.Unmarshal(m.MiniProgram, &target) != nil:
		return 47001
	case target.AppID == "" && target.PagePath == "":
		return 0 // some SDKs always send an empty one
	case !slices.Contains(s.opts.MiniPrograms, target.AppID):
		// It has to be linked to the account (WeChat: sendTemplateMessage docs). Of 40013 and 40166, which speaks of mini
		// programs too, the first is reported for this API; the second is unconfirmed.
		return 40013
	default:
		return 0
	}
}
