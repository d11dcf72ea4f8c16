package api

import (
	"net/http"
	"strconv"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/zone"
)

const (
	limitDefault  = 50
	limitMost     = 500
	limitOutcomes = 1000 // of deliveries
)

// List is a page of a list.
type List[T any] struct {
	Items []T `json:"items"`
	// Next is the cursor of the next page, empty after the last one.
	Next string `json:"next"`
}

// page is which part of a list is asked for. A cursor is the number of what the page before
// ended with, or how many items come before it; 0 for the first page.
type page struct {
	limit int
	after int64
}

// page reads ?limit= and ?cursor=.
func (c *call) page(most int) (page, error) {
	p := page{limit: limitDefault}
	if text, given := c.GetQuery("limit"); given {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			return p, newFault(http.StatusBadRequest, "bad_limit", "Most", int64(most))
		}
		p.limit = n
	}
	if text, given := c.GetQuery("cursor"); given && text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 || strconv.FormatInt(n, 10) != text {
			return p, newFault(http.StatusBadRequest, "bad_cursor")
		}
		p.after = n
	}
	return p, nil
}

// cut makes a List of one more item than the page has, if there are so many. at is the cursor
// of an item.
func cut[R, T any](p page, rows []R, item func(R) (T, error), at func(R) int64) (List[T], error) {
	l := List[T]{Items: []T{}}
	more := len(rows) > p.limit
	if more {
		rows = rows[:p.limit]
		l.Next = strconv.FormatInt(at(rows[len(rows)-1]), 10)
	}
	for _, row := range rows {
		one, err := item(row)
		if err != nil {
			return l, err
		}
		l.Items = append(l.Items, one)
	}
	return l, nil
}

// part makes a List of a part of all items.
func part[T any](p page, all []T) List[T] {
	begin := min(int(min(p.after, int64(len(all)))), len(all))
	end := min(begin+p.limit, len(all))
	l := List[T]{Items: append([]T{}, all[begin:end]...)}
	if end < len(all) {
		l.Next = strconv.Itoa(end)
	}
	return l
}

// moment is a time as JSON has it, in Beijing's zone; nil for none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.In(zone.Beijing)
	return &t
}

// stored is moment for a time of the database.
func stored(t models.Time) *time.Time { return moment(t.Time) }
