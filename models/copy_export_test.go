package models

import "context"

// TableNames returns the tables of the database.
func TableNames(ctx context.Context, s *Store) ([]string, error) { return s.tableNames(ctx) }
