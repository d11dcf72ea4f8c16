package models

import "time"

// SetHungAfter has a holder of the lock be taken for hung sooner.
func (s *Store) SetHungAfter(d time.Duration) { s.hungAfter = d }
