package config

import (
	"fmt"
	"strings"
)

// OpenIDs are people's. They print themselves shortened: enough to tell one from
// another for somebody who knows them.
type OpenIDs []string

// String returns the shortened OpenIDs, separated by commas.
func (ids OpenIDs) String() string {
	short := make([]string, len(ids))
	for i, id := range ids {
		if len(id) > 12 {
			short[i] = id[:4] + "…" + id[len(id)-2:]
		} else {
			short[i] = "…"
		}
	}
	return strings.Join(short, ",")
}

// Format writes the shortened OpenIDs for every verb.
func (ids OpenIDs) Format(f fmt.State, _ rune) { format(f, ids) }

// MarshalText returns the shortened OpenIDs, and never an error.
func (ids OpenIDs) MarshalText() ([]byte, error) { return []byte(ids.String()), nil }
