package e2e

import (
	"bytes"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wechat-broadcast/simulator"
)

// rounds is how many rounds of changes TestAudiencesUnderChanges makes; without it twenty,
// or as many as there is time for.
var rounds = flag.Int("rounds", 0, "make so many rounds of changes in TestAudiencesUnderChanges")

const (
	usualRounds   = 20
	roundsWithin  = 25 * time.Second
	changesAround = 30 // in a round
	openAtMost    = 3  // broadcasts that are under way at a time
)

// topicNames, tagName and listName are the groups of the trial.
var topicNames = []string{"讲座", "活动"}

const tagName, listName = "VIP", "借阅"

// audienceMessages say in each message for whom it is, of which broadcast, and in due what
// the list says of the person.
const audienceMessages = `
default: each
messages:
  each:
    template_id: Doclyl5uP7Aciu-qZ7mJNPtWkbkYnWBWVja26EGbNyk
    data:
      character_string1: {value: '{{.OpenID}}'}
      time4: {value: "2026-11-24 09:00"}
      amount5: {value: '¥{{.Broadcast.ID}}.00'}
  due:
    template_id: ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY
    data:
      thing1: {value: '{{.Fields.due}}'}
      time2: {value: "2026年11月24日 09:00"}
      keyword3: {value: '{{.OpenID}}'}
`

// order is a broadcast that the trial can ask for.
type order struct {
	line string
	// Of topics, by their place in topicNames; the others are the tag and the list.
	topics                  []int
	tag, list               bool
	exceptTag, exceptListed bool
}

var orders = []order{
	{line: "broadcast topic 讲座 each again", topics: []int{0}},
	{line: "群发主题讲座、活动 不含 标签 VIP each 再发", topics: []int{0, 1}, exceptTag: true},
	{line: "broadcast tag VIP each again", tag: true},
	{line: "broadcast list 借阅 due again", list: true},
	{line: "broadcast all each again except list 借阅", exceptListed: true},
	{line: "broadcast topic 活动 each canary again", topics: []int{1}},
}

// asked is one that was asked for.
type asked struct {
	order
	id     int64
	at     time.Time         // before it was asked for
	listed map[string]string // the list as it was then: what it says of each OpenID
	// of is the number of the broadcast for whose rest it is; 0 for none. That one was
	// cancelled.
	of        int64
	cancelled bool
}

// changing is an account whose audiences change while broadcasts go to them.
type changing struct {
	*server
	pool   *sql.DB
	tag    int
	people []*person
	fresh  int               // people who came in the trial
	listed map[string]string // the list as it is
	asked  []asked
	moods  []mood

	ordered, kills int
}

// TestAudiencesUnderChanges sends to topics, a tag, a list and what is left without them,
// while people join, leave, come and go, the list is replaced and the program is killed:
// nobody gets a broadcast twice, nor one whom they are not for, nor later than two seconds
// after they left; nobody is forgotten, and the consents that are exported tell of each
// moment who had agreed to what.
func TestAudiencesUnderChanges(t *testing.T) {
	t.Parallel()
	long(t)
	eachDatabase(t, func(t *testing.T, db database) {
		p := startPlatform(t, "--followers", "400", "--latency", "10ms", "--callback-retry", "2s", "--seed", itoa(rand.Int64()),
			"--receipt-delay-min", "50ms", "--receipt-delay-max", "500ms", "--fault-cut", "0.01", "--fault-cut-accepted", "0.01")
		file := filepath.Join(t.TempDir(), "messages.yaml")
		if err := os.WriteFile(file, []byte(audienceMessages), 0o600); err != nil {
			t.Fatal(err)
		}
		c := &changing{pool: openPool(t, db), server: startServer(t, p, db.url, settings{
			"SEND_RATE": "60", "UNDO_WINDOW": "1s", "CANARY": "30", "MESSAGES_FILE": file,
		})}
		c.prepare()
		begun, most := time.Now(), usualRounds
		if *rounds > 0 {
			most = *rounds
		}
		made := 0
		for made < most && (*rounds > 0 || time.Since(begun) < roundsWithin) {
			c.round(made)
			made++
		}
		seldom(t, patience, "all broadcasts end", func() bool { return c.open() == 0 })
		c.judge()
		c.judgeConsents()
		t.Logf("%d rounds, %d kills, %d broadcasts, %d people", made, c.kills, len(c.asked), len(c.people))
	})
}

// prepare pulls the followers and puts them into groups.
func (c *changing) prepare() {
	c.t.Helper()
	c.platform.say(admin, "sync")
	eventually(c.t, patience, "the followers are pulled", func() bool { return len(c.platform.notices()) > 0 })
	for _, name := range topicNames {
		has(c.t, "the reply", c.platform.say(admin, "topics add "+name), name, "is added")
	}
	var all []simulator.Count
	c.platform.ask(http.MethodGet, "/_sim/received?min=0", nil, &all)
	for _, one := range all {
		if one.OpenID != admin {
			c.people = append(c.people, newPerson(one.OpenID))
		}
	}
	var made struct{ ID int }
	c.platform.ask(http.MethodPost, "/_sim/tag", map[string]any{"name": tagName}, &made)
	c.tag = made.ID
	faults := make([]error, len(c.people))
	var together sync.WaitGroup
	next := make(chan int)
	for range 4 {
		together.Go(func() {
			for i := range next {
				faults[i] = c.settle(c.people[i], i)
			}
		})
	}
	for i := range c.people {
		next <- i
	}
	close(next)
	together.Wait()
	if err := errors.Join(faults...); err != nil {
		c.t.Fatal(err)
	}
	c.replaceList()
	c.remember()
}

// settle puts a person into some of the groups.
func (c *changing) settle(one *person, i int) error {
	var faults []error
	for topic := range topicNames {
		if rand.IntN(5) < 2 {
			faults = append(faults, c.consent(one, topic, true))
		}
	}
	if rand.IntN(4) == 0 {
		faults = append(faults, c.mark(one, aboutTag, true))
	}
	if i%20 == 0 {
		faults = append(faults, c.mark(one, aboutBlacklist, false))
	}
	if i%25 == 1 {
		faults = append(faults, c.consent(one, aboutAll, false))
	}
	return errors.Join(faults...)
}

// round asks for a broadcast if there is room for it, and has people change their minds,
// with a kill in between in every other round.
func (c *changing) round(n int) {
	c.t.Helper()
	if rand.IntN(3) == 0 {
		c.replaceList()
	}
	if rand.IntN(3) == 0 {
		c.leaveOver()
	}
	if c.open() < openAtMost {
		c.ask(orders[c.ordered%len(orders)])
		c.ordered++
	}
	changed := make(chan error, 1)
	go func() { changed <- c.change() }()
	if n%2 == 0 {
		pass(c.t, time.Duration(rand.Int64N(int64(1200*time.Millisecond))))
		c.kill()
		c.kills++
		c.start(c.t)
	}
	if err := <-changed; err != nil {
		c.t.Fatal(err)
	}
	c.remember()
}

// ask asks for a broadcast. A topic that it is for can't be removed then.
func (c *changing) ask(o order) {
	c.t.Helper()
	b := asked{order: o, at: time.Now(), listed: c.listed, id: int64(len(c.asked) + 1)}
	has(c.t, "the reply", c.platform.say(admin, o.line), fmt.Sprintf("#%d ", b.id))
	c.asked = append(c.asked, b)
	if len(o.topics) > 0 {
		has(c.t, "the reply", c.platform.say(admin, "topics remove "+topicNames[o.topics[0]]), "Nothing was removed", "#")
	}
}

// leaveOver cancels a broadcast that was sent to some, and has the rest of its audience sent
// it by another.
func (c *changing) leaveOver() {
	c.t.Helper()
	var id int64
	err := c.pool.QueryRowContext(c.t.Context(), `SELECT COALESCE(MAX(b.id), 0) FROM broadcasts b WHERE b.state = 'running' AND b.of_id = 0
		AND b.canary = 0 AND (SELECT COUNT(*) FROM deliveries d WHERE d.broadcast_id = b.id) > 10`).Scan(&id)
	if err != nil {
		c.t.Fatal(err)
	}
	if id == 0 || !strings.Contains(c.platform.say(admin, fmt.Sprintf("cancel #%d", id)), "is cancelled") {
		return // it has just ended
	}
	first := &c.asked[id-1]
	first.cancelled = true
	b := asked{order: first.order, at: time.Now(), listed: first.listed, id: int64(len(c.asked) + 1), of: id}
	if reply := c.platform.say(admin, fmt.Sprintf("rest #%d again", id)); strings.Contains(reply, fmt.Sprintf("#%d ", b.id)) {
		c.asked = append(c.asked, b)
	} else {
		has(c.t, "the reply", reply, "nobody")
	}
}

// open counts the broadcasts that have not ended, and lets go on what paused after its
// canary.
func (c *changing) open() (n int) {
	c.t.Helper()
	rows, err := c.pool.QueryContext(c.t.Context(), "SELECT id, state, reason FROM broadcasts WHERE state NOT IN ('finished', 'cancelled') ORDER BY id")
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for ; rows.Next(); n++ {
		var (
			id            int64
			state, reason string
		)
		if err := rows.Scan(&id, &state, &reason); err != nil {
			c.t.Fatal(err)
		}
		switch {
		case state == "paused" && reason == "canary":
			has(c.t, "the reply", c.platform.say(admin, fmt.Sprintf("resume #%d", id)), fmt.Sprintf("#%d now goes to the other", id))
		case state != "scheduled" && state != "running":
			c.t.Fatalf("#%d is %s: %s\n%s", id, state, reason, c.platform.say(admin, fmt.Sprintf("status #%d", id)))
		}
	}
	if err := rows.Err(); err != nil {
		c.t.Fatal(err)
	}
	return n
}

// replaceList makes the list anew, with some people of whom the account knows nothing.
func (c *changing) replaceList() {
	c.t.Helper()
	c.listed = map[string]string{}
	var file strings.Builder
	file.WriteString("openid,due\n")
	add := func(openID string) {
		c.listed[openID] = fmt.Sprintf("%d-%d", rand.IntN(1e6), rand.IntN(1e6))
		fmt.Fprintf(&file, "%s,%s\n", openID, c.listed[openID])
	}
	for _, one := range c.people {
		if rand.IntN(10) < 3 {
			add(one.openID)
		}
	}
	for range 3 {
		add(fmt.Sprintf("oNobody%021d", rand.IntN(1e9)))
	}
	path := filepath.Join(c.t.TempDir(), "list.csv")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.command("import", "--list", listName, path)
}

// command carries out a command beside the server and returns what it prints.
func (c *changing) command(args ...string) string {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), binary, args...)
	cmd.Dir = c.t.TempDir()
	cmd.Env = append([]string{"HOME=" + cmd.Dir}, c.env.environ()...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return string(out)
}
