package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// consentTrial is an account in which people join, leave, stop, start, unfollow and come
// back, and admins remove topics and add them again.
type consentTrial struct {
	t     *testing.T
	a     *account
	names []string
	n     int
}

func (c *consentTrial) says(openID, text string) {
	c.t.Helper()
	c.n++
	if _, _, err := c.a.chat.Reply(c.t.Context(), openID, text, fmt.Sprintf("m:%s:%d", openID, c.n)); err != nil {
		c.t.Fatalf("%q: %v", text, err)
	}
}

// change makes a random change, or none.
func (c *consentTrial) change(random *rand.Rand, owner string) {
	c.t.Helper()
	person, name := modelstest.OpenID(random.IntN(12)), c.names[random.IntN(len(c.names))]
	ctx := c.t.Context()
	switch random.IntN(12) {
	case 0:
		c.says(person, []string{"退订", "TD", "unsubscribe"}[random.IntN(3)])
	case 1, 2:
		c.says(person, []string{"订阅", "start"}[random.IntN(2)])
	case 3:
		if err := c.a.followers.Unsubscribed(ctx, person, time.Now()); err != nil {
			c.t.Fatal(err)
		}
	case 4:
		if err := c.a.followers.Subscribed(ctx, person, time.Now(), ""); err != nil {
			c.t.Fatal(err)
		}
	case 5:
		c.says(owner, "主题 删除 "+name)
		c.says(owner, "主题 添加 "+name)
	case 6:
		key := fmt.Sprintf("e:%s:%d", person, random.IntN(1000))
		if _, _, err := c.a.chat.Act(ctx, person, name, models.ViaScan, key); err != nil {
			c.t.Fatal(err)
		}
	case 7, 8:
		c.says(person, "退订 "+name)
	default:
		c.says(person, "join "+name)
	}
}

// state says of everybody known what they are in, by OpenID.
func (c *consentTrial) state() map[string]string {
	c.t.Helper()
	all := map[string]string{}
	for i := range 12 {
		in, optedOut, err := c.a.followers.TopicsOf(c.t.Context(), modelstest.OpenID(i))
		if err != nil {
			c.t.Fatal(err)
		}
		topics := map[string]bool{"": optedOut}
		for _, t := range in {
			topics[t.Name] = true
		}
		all[modelstest.OpenID(i)] = stateText(topics)
	}
	return all
}

func stateText(topics map[string]bool) string {
	var in []string
	for _, name := range slices.Sorted(maps.Keys(topics)) {
		if topics[name] {
			in = append(in, name)
		}
	}
	return strings.Join(in, ",")
}

// replay tells from the rows of an export alone what everybody was in at a moment.
func replay(t *testing.T, rows [][]string, until time.Time) map[string]string {
	t.Helper()
	topics := map[string]map[string]bool{}
	for i := range 12 {
		topics[modelstest.OpenID(i)] = map[string]bool{}
	}
	for _, row := range rows[1:] {
		at, err := time.Parse(time.RFC3339Nano, row[3])
		if err != nil {
			t.Fatal(err)
		}
		if at.After(until) {
			break
		}
		topics[row[0]][row[1]] = (row[2] == "true") != (row[1] == "") // "" stands for having opted out
	}
	all := map[string]string{}
	for openID, in := range topics {
		all[openID] = stateText(in)
	}
	return all
}

// The export proves what every follower was in at any time, on each database.
func TestTheExportOfConsentsProvesEveryState(t *testing.T) {
	t.Parallel()
	for _, driver := range []string{models.SQLite, models.MySQL} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			proveConsents(t, driver)
		})
	}
}

func proveConsents(t *testing.T, driver string) {
	t.Helper()
	const owner = "oOwner-000000000000000000-xyz"
	settings := testSettings(t, map[string]string{"ADMIN_OPENIDS": owner, "LANGUAGE": "zh"})
	if driver == models.MySQL {
		settings.Accounts[0].Database.Driver, settings.Accounts[0].Database.DSN = driver, modelstest.MigratedDSN(t)
	}
	a := testProcess(t, settings).only()
	if err := a.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := &consentTrial{t: t, a: a, names: []string{"讲座", "=1+1", "Reading"}}
	for _, name := range c.names {
		c.says(owner, "主题 添加 "+name)
	}
	type moment struct {
		at    time.Time
		state map[string]string
	}
	var moments []moment
	random := rand.New(rand.NewPCG(7, 7))
	for step := range 400 {
		c.change(random, owner)
		if step%40 == 39 {
			<-time.After(2 * time.Millisecond)
			moments = append(moments, moment{time.Now(), c.state()})
			<-time.After(2 * time.Millisecond)
		}
	}
	var out bytes.Buffer
	if err := writeConsents(context.WithoutCancel(t.Context()), a.store, &out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"openid", "topic", "joined", "at", "via", "text"}, rows[0]); diff != "" || len(rows) < 100 {
		t.Fatalf("%d rows, header (-want +got):\n%s", len(rows), diff)
	}
	vias := map[string]bool{}
	for _, row := range rows[1:] {
		if strings.HasPrefix(row[1], "=") || strings.HasPrefix(row[5], "=") {
			t.Errorf("a formula: %q", row)
		}
		row[1] = strings.TrimPrefix(row[1], "'")
		vias[row[4]] = true
	}
	if !vias[models.ViaText] || !vias[models.ViaScan] || len(vias) != 2 {
		t.Errorf("ways %v", vias)
	}
	for i, m := range moments {
		if diff := cmp.Diff(m.state, replay(t, rows, m.at)); diff != "" {
			t.Errorf("moment %d (-stored +replayed):\n%s", i, diff)
		}
	}
}
