package models

import "time"

// SetHungAfter has a holder of the lock be taken for hung sooner.
func (s *Store) SetHungAfter(d time.Duration) { s.hungAfter = d }

// MaxConns returns how many connections are opened at most for reading, on MySQL for
// everything.
func (s *Store) MaxConns() int {
	db, err := s.r.DB()
	if err != nil {
		panic(err)
	}
	return db.Stats().MaxOpenConnections
}
