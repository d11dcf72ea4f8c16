package models

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"
)

// The process that sends writes a sign of life every few seconds. A database that was
// restored from a backup has an older one than the last that was written, or was made
// after it.

const (
	// factAlive is the last sign of life.
	factAlive = "alive"
	// AskedWithin is how long a message can be sent again under its client_msg_id: of a
	// process that was away for longer nobody may take for granted what it sent. The
	// platform knows it for ten minutes.
	AskedWithin = 9 * time.Minute
)

// sign is a sign of life.
type sign struct {
	number int64 // one more than that of the sign before; 0 for no sign
	at     int64 // by the database's clock, in milliseconds since the Unix epoch
	made   int64 // when the database was made (see Store.stamp); 0 if that is not known
}

func (g sign) String() string { return fmt.Sprintf("%d %d %d", g.number, g.at, g.made) }

// parseSign returns the sign in a fact's value, the zero sign if there is none.
func parseSign(value string) (g sign, err error) {
	if value == "" {
		return g, nil
	}
	if _, err = fmt.Sscanf(value, "%d %d %d", &g.number, &g.at, &g.made); err != nil {
		return sign{}, fmt.Errorf("read fact %s: %w", factAlive, err)
	}
	return g, nil
}

// Gap says that it is not known what was sent after a moment.
type Gap struct {
	// Since is the last sign of life; zero if there is none.
	Since time.Time
	// Restored says that the database was surely put back to an older state. Else no sign
	// of life was written for longer than AskedWithin, for whatever reason.
	Restored bool
	// Paused is how many broadcasts were paused for it.
	Paused int64
}

// SignOfLife looks whether it is known what was sent until now, pauses what would send
// if it is not, and writes a sign of life, all in one transaction. own is the number of
// the last sign that this process wrote, 0 for none. Whoever does not lead writes only if
// there is a gap, so that it is found once. It returns the number that was written, or
// own.
//
// A database without any sign is one that no process of this version has sent on: it has
// no gap.
func (s *Store) SignOfLife(ctx context.Context, own int64, leads bool) (number int64, gap *Gap, err error) {
	witness := s.readWitness() // before the row, since it is written after it
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		number, gap = own, nil
		value, err := readFact(forUpdate(tx), factAlive)
		if err != nil {
			return err
		}
		last, err := parseSign(value)
		if err != nil {
			return err
		}
		next, err := s.stamp(ctx, tx)
		if err != nil {
			return err
		}
		gap = last.gap(next, own, witness)
		if gap != nil {
			if gap.Paused, err = s.pauseUnknown(tx, gap, time.UnixMilli(next.at)); err != nil {
				return err
			}
		}
		if gap == nil && !leads {
			return nil
		}
		next.number = max(last.number, 0) + 1
		number = next.number
		return writeFact(tx, factAlive, next.String())
	})
	if err != nil {
		return own, nil, wrap(err, "write a sign of life")
	}
	if number != own {
		s.writeWitness(ctx, number)
	}
	return number, gap, nil
}

// gap returns what is not known between the last sign and now, nil for nothing. now has no
// number yet.
func (g sign) gap(now sign, own, witness int64) *Gap {
	var since time.Time
	if g.number > 0 {
		since = time.UnixMilli(g.at)
	}
	age := now.at - g.at
	switch {
	case g.number < max(own, witness): // a later one was written
		return &Gap{Since: since, Restored: true}
	case g.number == 0, g.number == own:
		return nil
	case g.made != 0 && now.made != 0 && g.made != now.made:
		return &Gap{Since: since, Restored: true}
	case max(age, -age) > AskedWithin.Milliseconds(): // of one from the future nobody knows the age
		return &Gap{Since: since}
	}
	return nil
}

// pauseUnknown pauses the broadcasts of which it is not known what was sent of them, and
// returns how many it paused: those that run, and those that were to begin or to go on by
// now. If the database was put back see pauseAll.
func (s *Store) pauseUnknown(tx *gorm.DB, gap *Gap, now time.Time) (int64, error) {
	if gap.Restored {
		return s.pauseAll(tx, gap, now)
	}
	m := Move{Event: EventRestore, Reason: ReasonRestored, Detail: gap.detail()}
	// What was asked for while nobody sent was not sent to anybody.
	return s.move(tx, m, now, `asked_at <= ? AND (state = ? OR (state = ? AND not_before <= ?) OR
		(state = ? AND resume_at > 0 AND resume_at <= ?))`,
		At(gap.Since.Add(time.Minute)), Running, Scheduled, At(now), Paused, At(now))
}

// pauseAll pauses every broadcast that has not ended, as the database was put back: one of
// later may have been begun sooner, and one that an admin paused may have been resumed. Those
// that wait for approvals go on waiting, with ReasonRestored; see Approve.
func (s *Store) pauseAll(tx *gorm.DB, gap *Gap, now time.Time) (paused int64, err error) {
	m := Move{Event: EventRestore, Reason: ReasonRestored, Detail: gap.detail()}
	var halted []Broadcast
	if err := tx.Where("state = ? AND reason = ?", Paused, ReasonAccount).Find(&halted).Error; err != nil {
		return 0, err
	}
	for _, b := range halted { // they stay halted; see Halted
		of := m
		of.Detail += " " + b.Detail
		n, err := s.move(tx, of, now, "id = ?", b.ID)
		if err != nil {
			return paused, err
		}
		paused += n
	}
	// What another restore paused is not known since an earlier moment.
	const told = "NOT (state = ? AND reason = ? AND detail LIKE '%" + surely + "%')"
	n, err := s.move(tx, m, now, told, Paused, ReasonRestored)
	if err != nil {
		return paused, err
	}
	return paused + n, tx.Model(&Broadcast{}).Where("state = ?", Pending).Where(told, Pending, ReasonRestored).
		Updates(map[string]any{"reason": m.Reason, "detail": m.Detail, "notified_state": ""}).Error
}

// surely is in the Detail of a broadcast whose database was surely put back. What the
// platform said, if it was halted before, follows it.
const surely = " restored"

// detail is the Detail of the broadcasts that are paused for a gap.
func (g *Gap) detail() string {
	ms := int64(0)
	if !g.Since.IsZero() {
		ms = g.Since.UnixMilli()
	}
	text := strconv.FormatInt(ms, 10)
	if g.Restored {
		text += surely
	}
	return text
}

// Gap returns why a broadcast with ReasonRestored is paused, or why its approval does not
// start it.
func (b *Broadcast) Gap() Gap {
	ms, _, restored := strings.Cut(b.Detail, surely)
	g := Gap{Restored: restored}
	if n, err := strconv.ParseInt(ms, 10, 64); err == nil && n > 0 {
		g.Since = time.UnixMilli(n)
	}
	return g
}

// SurelyRestored tells whether a broadcast waits for a word since the database was surely
// put back to an older state.
func (b *Broadcast) SurelyRestored() bool { return b.Reason == ReasonRestored && b.Gap().Restored }

// stamp returns a sign of now, without a number. A restore from a dump makes the tables
// anew, and one from a copied file makes the file anew, unless the copy is written over it.
func (s *Store) stamp(ctx context.Context, tx *gorm.DB) (g sign, err error) {
	if s.driver == SQLite {
		return sign{at: time.Now().UnixMilli(), made: madeAt(s.file.path)}, nil
	}
	// No migration may alter this table, or MariaDB would take it for a new one.
	const made = "SELECT UNIX_TIMESTAMP(CREATE_TIME) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'facts'"
	err = tx.Statement.ConnPool.QueryRowContext(ctx, "SELECT "+s.clock()+", CAST(COALESCE(("+made+"), 0) AS SIGNED)").Scan(&g.at, &g.made)
	return g, wrap(err, "ask when the tables were made")
}

// The witness is a file beside a SQLite database with the number of the last sign of life.
// A backup of the database leaves it alone, so it shows that an older one was put in its place.
const witnessSuffix = ".alive"

// readWitness returns the number in the witness, 0 without one.
func (s *Store) readWitness() int64 {
	if s.file == nil {
		return 0
	}
	text, err := os.ReadFile(s.file.path + witnessSuffix)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0 // cut short by a power loss
	}
	return n
}

func (s *Store) writeWitness(ctx context.Context, number int64) {
	if s.file == nil {
		return
	}
	err := s.file.writeWitness(number)
	if failed := err != nil; s.file.unwitnessed.Swap(failed) != failed && failed { // it is tried every few seconds
		s.log.WarnContext(ctx, "the file that shows whether an older database was put back can't be written", "err", err)
	}
}

// writeWitness writes over what is there, so that a kill leaves one number or the other.
func (f *sqliteFile) writeWitness(number int64) error {
	path := f.path + witnessSuffix
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makePrivate(path); err != nil {
			return err
		}
		file, err = os.OpenFile(path, os.O_WRONLY, 0)
	}
	if err != nil {
		return err
	}
	_, err = file.WriteAt(fmt.Appendf(nil, "%020d\n", number), 0)
	return errors.Join(err, file.Close())
}
