package chat

import "strings"

// Reason says why something was refused that was not asked for in the chat: what the
// chat would answer, or the faults of a message file.
func (c *Composer) Reason(err error) string {
	if text, known := c.errorText(err, Command{}); known {
		return text
	}
	return strings.Join(c.locale.faults(err), "\n")
}
