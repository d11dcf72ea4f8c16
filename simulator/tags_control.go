package simulator

import (
	"cmp"
	"net/http"
)

// tagCommand makes a tag, or changes one: its name, those who have it, whether it is there.
func (s *Simulator) tagCommand(r *http.Request) (any, error) {
	var ask struct {
		ID     int      `json:"id"`
		Name   string   `json:"name"`
		Spread *int     `json:"spread"`
		Add    []string `json:"add"`
		Remove []string `json:"remove"`
		Delete bool     `json:"delete"`
		Page   int      `json:"page"`
	}
	if err := s.decode(r, &ask); err != nil {
		return nil, err
	}
	var err error
	switch {
	case ask.Delete:
		return ok{true}, s.DeleteTag(ask.ID)
	case ask.ID == 0:
		ask.ID, err = s.CreateTag(ask.Name)
	case ask.Name != "":
		err = s.RenameTag(ask.ID, ask.Name)
	}
	if err == nil && ask.Spread != nil {
		err = s.SpreadTag(ask.ID, *ask.Spread)
	}
	if err == nil {
		err = cmp.Or(s.TagPeople(ask.ID, true, ask.Add...), s.TagPeople(ask.ID, false, ask.Remove...))
	}
	if err == nil && ask.Page != 0 {
		s.SetTagPage(ask.Page)
	}
	return struct {
		ID int `json:"id"`
	}{ask.ID}, err
}
