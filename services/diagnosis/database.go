package diagnosis

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

// Database opens a database, named as models.Open takes it, to read it, and tells whether
// the account of an AppID can use it. It neither makes nor changes one. The store is nil
// unless its schema is up to date; its Close must follow.
func (d *Doctor) Database(ctx context.Context, driver, dsn, appID string) (*models.Store, Point) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if driver == models.SQLite {
		// A file that is made by whoever runs this could be closed to who serves.
		if _, err := os.Stat(dsn); errors.Is(err, fs.ErrNotExist) {
			if err := models.CheckFolder(dsn); err != nil {
				return nil, d.databaseFault(err)
			}
			return nil, d.Good(Database, "check.database.absent", lang.Vars{"File": dsn})
		}
	}
	store, err := models.OpenToLook(driver, dsn, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, d.databaseFault(err)
	}
	found, known, err := examine(ctx, store, appID)
	if err == nil && found == known {
		return store, d.Good(Database, "check.database.fine", lang.Vars{"ID": found})
	}
	_ = store.Close() // nothing was written that could be lost
	if err != nil {
		return nil, d.databaseFault(err)
	}
	return nil, d.Good(Database, "check.database.older", lang.Vars{"ID": found, "Of": known})
}

// examine returns why the account of an AppID can't use a database, else the version of its
// schema and the latest that is known.
func examine(ctx context.Context, store *models.Store, appID string) (found, known int64, err error) {
	found, known, err = store.Schema(ctx)
	if err == nil && found > 0 {
		if err = store.CheckPlace(ctx); err == nil {
			err = store.CheckOwner(ctx, appID)
		}
	}
	if err == nil && found == known {
		err = store.CheckWritable(ctx)
	}
	return found, known, err
}

func (d *Doctor) databaseFault(err error) Point {
	var unusable *models.Unusable
	switch {
	case errors.As(err, &unusable):
		return Point{Name: Database, Detail: unusable.Problem.In(d.Words), Fix: unusable.Mend.In(d.Words)}
	case models.DiskFull(err):
		return d.Bad(Database, "check.database.full", "check.fix.disk")
	}
	return d.Bad(Database, "check.database.silent", "check.fix.database", lang.Vars{"Reason": d.reason(err)})
}
