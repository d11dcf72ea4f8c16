package simulator

import (
	"net/http"
	"sync"
)

// Intercepting is how the platform keeps messages back that it took.
type Intercepting struct {
	// Every says that every so many-th accepted message of a template is intercepted; 0 for none.
	Every int `json:"every"`
	// Failed has their receipts say "failed: system failed". Else they have none.
	Failed bool `json:"failed"`
}

// interceptions are the messages that were kept back, by template.
type interceptions struct {
	mu    sync.Mutex
	rules map[string]Intercepting
	seen  map[string]int // accepted messages since the rule was made
	kept  map[string][]keptBack
	last  int64
}

// keptBack is a message that was kept back.
type keptBack struct {
	id, at int64
	person uint32
}

func newInterceptions() *interceptions {
	return &interceptions{rules: map[string]Intercepting{}, seen: map[string]int{}, kept: map[string][]keptBack{}}
}

// Intercept has messages of a template kept back from now on.
func (s *Simulator) Intercept(templateID string, how Intercepting) {
	i := s.intercepts
	i.mu.Lock()
	defer i.mu.Unlock()
	i.rules[templateID], i.seen[templateID] = how, 0
}

// strike decides whether a message that was accepted is kept back, and how.
func (i *interceptions) strike(m *sendRequest, r record) (how Intercepting, struck bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	how = i.rules[m.TemplateID]
	if how.Every <= 0 {
		return how, false
	}
	if i.seen[m.TemplateID]++; i.seen[m.TemplateID]%how.Every != 0 {
		return how, false
	}
	i.last++
	i.kept[m.TemplateID] = append(i.kept[m.TemplateID], keptBack{id: i.last, at: r.at.Unix(), person: r.id})
	return how, true
}

// listIntercepted serves POST /wxa/sec/queryblocktmplmsg (WeChat: queryBlockTmplMsg docs; that a page has what follows
// the largest id of the one before is how its words are read).
func (s *Simulator) listIntercepted(w http.ResponseWriter, _ *http.Request, body []byte) int {
	var ask struct {
		TemplateID string `json:"tmpl_msg_id"`
		Largest    int64  `json:"largest_id"`
		Limit      int    `json:"limit"`
	}
	if !readJSON(body, &ask) {
		return 47001
	}
	if ask.Limit < 1 || ask.Limit > 100 {
		ask.Limit = 100
	}
	i := s.intercepts
	i.mu.Lock()
	defer i.mu.Unlock()
	type message struct {
		ID         int64  `json:"id"`
		TemplateID string `json:"tmpl_msg_id"`
		Title      string `json:"title"`
		Content    string `json:"content"`
		SentAt     int64  `json:"send_timestamp"`
		OpenID     string `json:"openid"`
	}
	list := []message{}
	for _, k := range i.kept[ask.TemplateID] {
		if k.id > ask.Largest && len(list) < ask.Limit {
			list = append(list, message{ID: k.id, TemplateID: ask.TemplateID, SentAt: k.at, OpenID: s.people.openID(k.person)})
		}
	}
	s.tally.code(0)
	writeValue(w, map[string]any{"errcode": 0, "errmsg": "ok", "msginfo": list})
	return 0
}
