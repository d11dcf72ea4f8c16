package textfile

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// Nearest returns the known name that a mistyped one resembles most, or "" if none
// is near enough for a hint.
func Nearest(name string, known []string) string {
	best, bestDistance := "", max(2, len(name)/4)+1
	for _, candidate := range known {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(candidate)); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}
