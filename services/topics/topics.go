// Package topics has the topics that followers can join: it finds those that a text
// names, and adds, removes and counts them for admins.
package topics

import (
	"context"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"wechat-broadcast/cache"
	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
)

const (
	// fresh is how old the topics may be with which texts are compared; what another
	// process changed counts after that. readWithin is how long they may take to be read.
	fresh      = time.Second
	readWithin = 500 * time.Millisecond
	// countWithin is how long All counts people; a reply has under five seconds.
	countWithin = 2 * time.Second
)

// Config is what a Service needs. Both fields are required.
type Config struct {
	Store *models.Store
	Now   func() time.Time
}

// Service knows the topics. It is safe for concurrent use.
type Service struct {
	store *models.Store
	now   func() time.Time
	kept  *cache.Cache[struct{}, []models.Topic]
	// last are those that were read last, for as long as the database is away.
	last atomic.Pointer[[]models.Topic]
	// changed is when this process changed them, in Unix nanoseconds.
	changed atomic.Int64
}

// New returns a Service.
func New(c Config) *Service {
	s := &Service{store: c.Store, now: c.Now}
	s.kept = cache.New(1, cache.For[[]models.Topic](fresh), func(ctx context.Context, _ struct{}) ([]models.Topic, error) {
		ctx, cancel := context.WithTimeout(ctx, readWithin)
		defer cancel()
		list, err := c.Store.Topics(ctx)
		if err == nil {
			s.last.Store(&list)
		}
		return list, err
	})
	return s
}

// List returns the topics that can be joined, in the order in which they were added, as
// they were a second ago at the most. While the database is away they are those of the
// last look; the error is for whoever never had one.
func (s *Service) List(ctx context.Context) ([]models.Topic, error) {
	list, _, err := s.kept.GetWithin(ctx, struct{}{}, time.Duration(time.Now().UnixNano()-s.changed.Load()))
	if last := s.last.Load(); err != nil && last != nil {
		return *last, nil
	}
	return list, err
}

// Find returns the topics that names mean, each once, and the names that mean none.
// Case, width and the punctuation around a name do not matter.
func Find(list []models.Topic, names []string) (found []models.Topic, unknown []string) {
	seen := map[int64]bool{}
	for _, name := range names {
		t := find(list, name)
		switch {
		case t == nil:
			unknown = append(unknown, name)
		case !seen[t.ID]:
			seen[t.ID] = true
			found = append(found, *t)
		}
	}
	return found, unknown
}

func find(list []models.Topic, name string) *models.Topic {
	bare := strings.TrimFunc(name, func(r rune) bool { return unicode.IsPunct(r) || unicode.IsSpace(r) })
	for _, spelling := range []string{name, bare} {
		for i := range list {
			if list[i].Folded == fold(spelling) {
				return &list[i]
			}
		}
	}
	return nil
}

// fold brings the spellings of a name together, as those of a broadcast's groups are.
func fold(name string) string { return message.Fold(strings.Join(strings.Fields(name), " ")) }

// Added is what Add did.
type Added struct {
	models.Topic
	// Before is the topic of that name as it was; nil if there was none.
	Before *models.Topic
	// Counts are of a topic that came back.
	Counts models.TopicCounts
}

// Back tells whether the topic had been removed.
func (a *Added) Back() bool { return a.Before != nil && !a.Before.RemovedAt.IsZero() }

// Add adds a topic, brings one back that was removed, or gives one that is there another
// description. More than models.MaxTopics are refused: models.ErrTopicsFull. The name
// must be one that a command can name; Faults tells what else is wrong with the two.
func (s *Service) Add(ctx context.Context, name, description, by string) (*Added, error) {
	name = strings.Join(strings.Fields(name), " ")
	t := models.Topic{Folded: fold(name), Name: name, Description: description, AddedBy: by, AddedAt: models.At(s.now())}
	before, err := s.store.AddTopic(ctx, &t)
	if err != nil {
		return nil, err
	}
	s.changed.Store(time.Now().UnixNano())
	done := &Added{Topic: t, Before: before}
	if done.Back() {
		done.Counts, err = s.store.CountTopic(ctx, t.ID)
	}
	return done, err
}

// A Fault is what is wrong with a topic that an admin would add.
type Fault string

// The faults.
const (
	FaultMark     Fault = "mark"      // the name has a separator or a quotation mark
	FaultNameLong Fault = "name_long" // the name has more than models.MaxTopicName characters
	FaultTextLong Fault = "text_long" // the description has more than models.MaxTopicText
)

// marks can't be in a name: commands have several names parted by them, or one within them.
const marks = ",，、､﹐﹑\"“”„＂「」『』｢｣"

// Faults returns everything that is wrong with a topic's name and description in
// themselves.
func Faults(name, description string) (all []Fault) {
	if strings.ContainsAny(name, marks) {
		all = append(all, FaultMark)
	}
	if utf8.RuneCountInString(name) > models.MaxTopicName {
		all = append(all, FaultNameLong)
	}
	if utf8.RuneCountInString(description) > models.MaxTopicText {
		all = append(all, FaultTextLong)
	}
	return all
}

// Remove removes a topic and returns it with the number of those who are in it, and stay
// so. One that is not there: models.ErrGroupUnknown, with those that are. One that an
// open broadcast names: models.ErrTopicBusy.
func (s *Service) Remove(ctx context.Context, name string) (*models.Topic, models.TopicCounts, error) {
	list, err := s.store.Topics(ctx)
	if err != nil {
		return nil, models.TopicCounts{}, err
	}
	found := find(list, name)
	if found == nil {
		return nil, models.TopicCounts{}, Unknown(list, name)
	}
	t, err := s.store.RemoveTopic(ctx, found.Folded, s.now())
	if err != nil {
		return nil, models.TopicCounts{}, err
	}
	s.changed.Store(time.Now().UnixNano())
	counts, err := s.store.CountTopic(ctx, t.ID)
	return t, counts, err
}

// Unknown is the error that there is no topic of a name; it names those that there are.
func Unknown(list []models.Topic, name string) error {
	return models.NewError(models.NotFound, models.ErrGroupUnknown, "Kind", string(models.GroupTopic), "Name", name, "Known", Names(list))
}

// Names returns the names of topics.
func Names(list []models.Topic) []string {
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = t.Name
	}
	return names
}

// Counted is a topic with how many people are in it.
type Counted struct {
	models.Topic
	models.TopicCounts
	// Known says that they were counted. There may be no time for all.
	Known bool
}

// All returns the topics with how many people are in each.
func (s *Service) All(ctx context.Context) ([]Counted, error) {
	list, err := s.store.Topics(ctx)
	if err != nil {
		return nil, err
	}
	counting, cancel := context.WithTimeout(ctx, countWithin)
	defer cancel()
	all := make([]Counted, len(list))
	for i, t := range list {
		all[i].Topic = t
		if counting.Err() != nil {
			continue
		}
		counts, err := s.store.CountTopic(counting, t.ID)
		if err != nil && counting.Err() == nil {
			return nil, err
		}
		all[i].TopicCounts, all[i].Known = counts, err == nil
	}
	return all, nil
}
