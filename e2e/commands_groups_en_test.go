package e2e

import "strings"

// Topics, by word, by menu and by QR code, from both sides.
func (c *conversation) topicsEnglish() []line {
	return []line{
		{who: follower, text: "topics", has: []string{"no topics to join", "“start”", "“stop”"}},
		{who: editor, text: "topics add", has: []string{"name is missing"}, refused: true},
		{who: editor, text: "topics add lectures evenings in the library", has: []string{"lectures (evenings in the library) is added", "“join lectures”", "broadcast topic lectures MESSAGE"}},
		{who: editor, text: "Topics Add “late films”", has: []string{"late films is added", "broadcast topic “late films” MESSAGE"}},
		{who: editor, text: "topics add lectures", has: []string{"there already"}, refused: true},
		{who: editor, text: "topics add Lectures", has: []string{"lectures is written Lectures now"}},
		{who: editor, text: "topics add lectures", has: []string{"Lectures is written lectures now"}},
		{who: editor, text: "topics add lectures on wednesday", has: []string{"description", "on wednesday"}},
		{who: editor, text: "topics add " + strings.Repeat("x", 70) + "," + strings.Repeat("y", 70) + " " + strings.Repeat("z", 300), has: []string{"commas", "at most 64", "description is too long", "No topic was added"}, refused: true},
		{who: editor, text: "topics add all", has: []string{"“all” has another meaning"}, refused: true},
		{who: editor, text: "topics remove cooking", has: []string{"no topic cooking", "lectures, late films"}, refused: true},
		{who: editor, text: "topics remove", has: []string{"name is missing"}, refused: true},

		{who: follower, text: "Join", has: []string{"lectures · on wednesday", "late films"}, lacks: []string{"✓ "}, refused: true},
		{who: follower, text: "join lectures", has: []string{"joined lectures", "“leave lectures”"}},
		{who: follower, text: "JOIN LECTURES", has: []string{"in lectures already"}, refused: true},
		{who: follower, text: "join cooking, late films", has: []string{"no topic cooking", "lectures, late films"}, refused: true},
		{who: follower, text: "join “late films”, lectures", has: []string{"joined late films, lectures", "To leave one"}},
		{who: follower, text: "topics", has: []string{"✓ lectures", "✓ late films"}, lacks: []string{"topics add"}},
		{who: follower, text: "leave cooking", has: []string{"no topic cooking", "just “stop”"}, refused: true},
		{who: follower, text: "leave lectures, late films", has: []string{"left lectures, late films", "in no topic", "“stop”"}},
		{who: follower, text: "leave lectures", has: []string{"not in lectures"}, refused: true},
		{who: follower, text: "stop", has: []string{"“start”"}},
		{who: follower, text: "join lectures", has: []string{"joined lectures", "left all broadcasts", "“start”"}},
		{who: viewer, text: "who " + follower, has: []string{"Opted out on", "Topics: lectures"}},
		{who: follower, text: "start", has: []string{"Welcome back"}},
		{who: viewer, text: "join lectures", has: []string{"joined lectures"}, setup: func() { c.joinsElsewhere("join lectures", "leave lectures", "stop") }},
		{who: viewer, text: "topics", has: []string{"✓ lectures", "3 joined, 3 of them"}, lacks: []string{"topics add"}},
		{who: editor, text: "topics", has: []string{"topics add NAME", "3 joined, 3 of them"}},
	}
}

// Tags and lists, and what can be wrong with an audience.
func (c *conversation) groupsEnglish() []line {
	return []line{
		{who: viewer, text: "tags", has: []string{"no tags yet"}},
		{who: viewer, text: "lists", has: []string{"no list yet", "wechat-broadcast import"}},
		{who: sender, text: "broadcast topic", has: []string{"name is missing", "broadcast topic lectures"}, refused: true},
		{who: sender, text: "broadcast tag", has: []string{"name is missing"}, refused: true},
		{who: viewer, text: "broadcast list", has: []string{"no broadcast yet"}, refused: true},
		{who: viewer, text: "tags", has: []string{"tags: 3", "vip · 3 followers", "two words · 1 follower", "broadcast tag vip"}, setup: func() { c.hasGroups("vip", "staff", "two words", "readers", "name", "due") }},
		{who: viewer, text: "lists", has: []string{"1 list:", "readers: 3 people, 2 would be sent to, fields {name} {due}", "broadcast list readers"}},
		{who: sender, text: "broadcast list gone notice", has: []string{"no list gone", "readers"}, refused: true},
		{who: sender, text: "broadcast tag gone, nothing notice", has: []string{"no tag gone, nothing", "vip, staff, two words"}, refused: true},
		{who: sender, text: "broadcast topic cooking notcie except tag nobody at soon\nplace=x\nwords", has: []string{"words", "“soon”", "“notcie”", "no topic cooking", "no tag nobody"}, refused: true},
		{who: sender, text: "broadcast topic cooking, lectures notcie except list nobody", has: []string{"“notcie”", "no topic cooking,", "no list nobody"}, refused: true},
		{who: sender, text: "broadcast topic “lectures notice", has: []string{"quotation marks", "“lectures"}, refused: true},
		{who: sender, text: "broadcast topic lectures notice except", has: []string{"broadcast topic lectures except tag staff"}, refused: true},
		{who: sender, text: "broadcast topic lectures except staff", has: []string{"broadcast topic lectures except tag staff"}, refused: true},
		{who: sender, text: "broadcast all except", has: []string{"broadcast all except tag staff"}, refused: true},
		{who: sender, text: "broadcast me canary", has: []string{"“canary” can't follow “broadcast me”"}, lacks: []string{"“now”", "“except”"}, refused: true},
		{who: sender, text: "broadcast test notice now except tag staff", has: []string{"“except”, “now” can't follow “broadcast test”"}, refused: true},
		{who: sender, text: "broadcast tag “two words” except tag staff notice", has: []string{"Nobody there is left", "1 excepted"}, refused: true},
		{who: sender, text: "broadcast list readers notice\n备注={town}", has: []string{"{town} is missing for 2 people", "{name} {due}"}, refused: true},
		{who: editor, text: "lists remove gone", has: []string{"no list gone", "lists"}, refused: true},
		{who: editor, text: "lists remove", has: []string{"name is missing"}, refused: true},
		{who: viewer, text: "who oNobody00000000000000000000", has: []string{"on a list", "not among the followers"}, refused: true},
	}
}

// Broadcasts to groups; each goes to whom the reply says.
func (c *conversation) groupBroadcastsEnglish() []line {
	return []line{
		{who: sender, text: "broadcast list readers notice\n备注={name} until {due}", has: []string{"#1 · notice → 2 of list readers", "3 people: 1 not following · 2 to send to", "备注: May until friday"}},
		{who: sender, text: "broadcast list readers notice\n备注={name} until {due}", has: []string{"#1", "list readers", "again"}, refused: true, setup: func() {
			c.ends(1)
			c.got(follower, 1, "May until friday")
			c.got(viewer, 1, "Ann until monday")
		}},
		{who: sender, text: "broadcast topic lectures, “late films” except tag staff notice again canary", has: []string{
			"#2 · notice → 3 of topic lectures, late films except tag staff", "2 of them are tried first", "broadcast resume #2",
		}},
		{who: viewer, text: "broadcast status", has: []string{"Paused · 2 of 3", "Canary: tried on 2 of 3", "broadcast resume #2"}, setup: func() { c.pauses(2) }},
		{who: viewer, text: "broadcast list", has: []string{"#2 notice", "canary tried, waits for broadcast resume #2"}},
		{who: sender, text: "resume", has: []string{"#2 now goes to the other 1"}},
		{who: sender, text: "broadcast tag vip, “two words” notice except topic lectures now", has: []string{"#3 · notice → 1 of tag vip, two words", "3 people: 2 excepted · 1 to send to", "1 person: 1 counted above · 0 to send to"}, setup: func() {
			c.ends(2)
			c.got(follower, 2, "请相互转告")
		}},
		{who: sender, text: "broadcast tag vip at tomorrow 09:00 except list readers", has: []string{"“notice”", "#3", "again"}, refused: true, setup: func() {
			c.ends(3)
			c.got(editor, 1, "请相互转告")
		}},
		{who: sender, text: "broadcast tag vip notice again at tomorrow 09:00 except list readers", has: []string{"#4 · notice → 1 of tag vip", "09:00"}},
		{who: viewer, text: "broadcast list", has: []string{"#4 notice", "tag vip except list readers"}},
		{who: editor, text: "lists remove readers", has: []string{"readers is removed"}},
		{who: editor, text: "topics remove lectures", has: []string{"lectures is removed", "3 had joined", "topics add lectures"}},
		{who: sender, text: "broadcast topic lectures notice", has: []string{"no topic lectures", "late films"}, refused: true},
		{who: follower, text: "join lectures", has: []string{"no topic lectures", "late films"}, refused: true},
		{who: editor, text: "topics add lectures", has: []string{"is back", "3, of whom 3"}},
		{who: sender, text: "cancel #4", has: []string{"Nobody got it"}},
		{who: sender, text: "approve", has: []string{"number is needed", "approve #7"}, refused: true},
		{who: sender, text: "approve #1", has: []string{"#1 is finished", "does not wait"}, refused: true},
		{who: sender, text: "reject #99 no", has: []string{"no broadcast #99"}, refused: true},
		{who: sender, text: "reject why", has: []string{"“why”", "reject #7"}, refused: true},
	}
}

// An account whose broadcasts are tested, approved, and sent by day.
func (c *conversation) guardsEnglish() []line {
	return []line{
		{who: sender, text: "broadcast tag vip notice at tomorrow 12:00", has: []string{"was not tested", "broadcast test notice", "“broadcast me”"}, refused: true},
		{who: sender, text: "broadcast me notice", has: []string{"#1 · notice → you"}},
		{who: sender, text: "broadcast tag vip notice\n备注=other", has: []string{"was not tested", "broadcast test notice\n备注=other"}, refused: true, setup: func() { c.ends(1) }},
		{who: sender, text: "broadcast tag vip notice", has: []string{"#2 · notice → 3 of tag vip", "approval of another admin", "1 admin can approve it", "broadcast cancel #2"}},
		{who: sender, text: "broadcast tag vip notice", has: []string{"waits for approval already, as #2"}, refused: true},
		{who: viewer, text: "status #2", has: []string{"Waits for approval, 0 of 1 given", "备注: 请相互转告", "approve #2", "reject #2 why"}},
		{who: sender, text: "schedule", has: []string{"#2 notice → tag vip", "waits for approval"}},
		{who: viewer, text: "broadcast list", has: []string{"#2 notice · tag vip · Awaiting approval"}},
		{who: sender, text: "resume", has: []string{"no broadcast to resume"}, refused: true},
		{who: sender, text: "resume #2 now", has: []string{"#2 is waiting for approval"}, refused: true},
		{who: sender, text: "pause #2", has: []string{"#2 is waiting for approval"}, refused: true},
		{who: sender, text: "approve #2", has: []string{"#2 yourself", "broadcast cancel #2"}, refused: true},
		{who: sender, text: "reject #2 no", has: []string{"#2 yourself"}, refused: true},
		{who: editor, text: "approve #2", has: []string{"takes the role sender"}, refused: true},
		{who: admin, text: "Approve #2", has: []string{"It is approved", "broadcast cancel #2"}},
		{who: sender, text: "broadcast tag staff notice", has: []string{"#3", "approval"}},
		{who: sender, text: "reschedule #3 tomorrow 12:00", has: []string{"#3", "12:00", "approval"}},
		{who: admin, text: "reject #3 the date is wrong", has: []string{"rejected (the date is wrong)", "nobody got it"}},
		{who: admin, text: "approve #3", has: []string{"#3 is cancelled", "does not wait"}, refused: true, setup: func() { c.ends(2) }},
		{who: viewer, text: "status #3", has: []string{"Cancelled", "rejected it: the date is wrong"}},
	}
}

// Hours in which nothing is sent, and a cap.
func (c *conversation) quietEnglish() []line {
	return []line{
		{who: sender, text: "broadcast tag vip notice", has: []string{"#1 · notice → 3 of tag vip", "Quiet hours: it starts by itself on", "broadcast resume #1 now"}},
		{who: viewer, text: "status", has: []string{"Waiting · starts by itself on", "quiet hours", "broadcast resume #1 now"}},
		{who: sender, text: "schedule", has: []string{"#1 notice", "waits for the end of the quiet hours"}},
		{who: sender, text: "pause #1", has: []string{"#1 is paused"}},
		{who: sender, text: "resume #1", has: []string{"Quiet hours: broadcast #1 starts by itself on"}},
		{who: sender, text: "resume #1 now", has: []string{"#1 goes on"}},
		{who: sender, text: "broadcast tag vip notice again now", has: []string{"#2", "do not hold for this broadcast"}, setup: func() {
			c.ends(1)
			c.got(follower, 1)
		}},
		{who: viewer, text: "status #2", has: []string{"Finished", "skipped 3"}, setup: func() { c.ends(2) }},
		{who: viewer, text: "who " + follower, has: []string{"Gets no broadcast before", "at most 1 within 24 h", "#2 notice · skipped", "#1 notice · "}},
		{who: viewer, text: "broadcast list", has: []string{"#2 notice · tag vip · Finished · 0 of 3", "skipped 3"}, setup: func() { c.got(follower, 1) }},
		{who: sender, text: "broadcast tag vip notice again", has: []string{"#3", "Quiet hours"}},
		{who: sender, text: "cancel #3", has: []string{"Nobody got it"}},
		{who: sender, text: "resume #3 now", has: []string{"#3 is cancelled"}, refused: true},
	}
}
