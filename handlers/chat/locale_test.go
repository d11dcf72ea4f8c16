package chat

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/check"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/services/wechat/field"
)

// literals returns the texts in a package's code that pick finds.
func literals(t *testing.T, folder string, pick func(n ast.Node) ast.Expr) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if literal, ok := pick(n).(*ast.BasicLit); ok && literal.Kind == token.STRING {
				value, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, value)
			}
			return true
		})
	}
	return values
}

// constants returns the values of a package's exported string constants with a prefix.
func constants(t *testing.T, folder, prefix string) []string {
	t.Helper()
	values := literals(t, folder, func(n ast.Node) ast.Expr {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 ||
			!spec.Names[0].IsExported() || !strings.HasPrefix(spec.Names[0].Name, prefix) {
			return nil
		}
		return spec.Values[0]
	})
	if len(values) == 0 {
		t.Fatalf("no constant %s… in %s", prefix, folder)
	}
	return values
}

// said returns the texts with which a package calls a function. Every call must
// have one.
func said(t *testing.T, folder, function string) []string {
	t.Helper()
	calls := 0
	values := literals(t, folder, func(n ast.Node) ast.Expr {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return nil
		}
		if name, ok := call.Fun.(*ast.Ident); !ok || name.Name != function {
			return nil
		}
		calls++
		return call.Args[0]
	})
	if calls == 0 || len(values) != calls {
		t.Fatalf("%d of %d calls of %s in %s have a text", len(values), calls, function, folder)
	}
	return values
}

// Whatever the services can say has its sentence in every language.
func TestEveryCodeHasItsSentence(t *testing.T) {
	t.Parallel()
	want := map[string]bool{}
	for _, source := range []struct{ folder, constants, ids string }{
		{"models", "Err", "error."},
		{"models", "Reason", "reason."},
		{"models", "Audience", "audience."},
		{"services/check", "Warn", "warning."},
		{"services/notify", "", "notice."},
		{"services/broadcast", "Stall", "stall."},
		{"services/throttle", "", "stall."},
	} {
		for _, value := range constants(t, source.folder, source.constants) {
			want[source.ids+value] = true
		}
	}
	for _, folder := range []string{"services/message", "services/messages"} {
		for _, code := range said(t, folder, "words") {
			want["file."+code] = true
		}
	}
	for _, state := range []models.BroadcastState{
		models.Pending, models.Scheduled, models.Running, models.Paused, models.Finished, models.Cancelled, models.Failed,
	} {
		want["state."+string(state)] = true
		want["state_is."+string(state)] = true
	}
	for _, rule := range []field.Rule{field.Empty, field.Length, field.Form} {
		want["field."+string(rule)] = true
	}
	for _, cmd := range commands {
		want["help."+string(cmd.name)] = true
	}
	for _, f := range []Fault{FaultExtra, FaultNumber, FaultNoNumber, FaultOpenID, FaultNoTime, FaultNoName, FaultNoRole, FaultNoText, FaultQuote, FaultNoGroup, FaultExcept, FaultTrial, FaultField} {
		want["fault."+string(f)] = true
	}
	for kind := range noticeKinds {
		want["notice."+kind] = true
	}
	for _, language := range lang.Languages {
		locale := newStage(t, language).locale
		for id := range want {
			if !locale.Has(id) {
				t.Errorf("%s: no sentence %s", language, id)
			}
		}
	}
	for _, kind := range constants(t, "services/notify", "") {
		if !noticeKinds[kind] {
			t.Errorf("the notice %q is not rendered as one", kind)
		}
	}
}

// Nothing makes a reply too long or leaves a hole in it.
func TestExtremes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("长\x00<&]]>", 300) // more than a reply holds
	huge := int64(math.MaxInt64)
	extreme := func(state models.BroadcastState, reason string) broadcast.Status {
		return broadcast.Status{
			Broadcast: models.Broadcast{
				ID: huge, Name: long, Audience: models.AudienceAll, State: state, Reason: reason, Detail: long, Recipients: huge,
				AskedAt: models.At(now), StartedAt: models.At(now), NotBefore: models.At(now.Add(math.MaxInt64)), ResumeAt: models.At(now.Add(time.Hour)),
			},
			Counts: models.Counts{Accepted: huge, Delivered: 1, Blocked: huge, Failed: huge, Uncertain: huge, Sending: huge},
			Rate:   math.MaxFloat64, Left: math.MaxInt64,
		}
	}
	states := []models.BroadcastState{models.Scheduled, models.Running, models.Paused, models.Finished, models.Cancelled, models.Failed}
	for _, language := range lang.Languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, language)
			s.link = "https://example.com/" + strings.Repeat("x", 400)
			for _, state := range states {
				for _, reason := range append(constants(t, "models", "Reason"), "", "unheard_of") {
					s.status = extreme(state, reason)
					s.ask(t, admin, "broadcast status")
					for _, kind := range append(slices.Collect(maps.Keys(noticeKinds)), "unheard_of") {
						checkReply(t, s.Notice(kind, s.status))
						checkReply(t, s.Notice(kind, broadcast.Status{Broadcast: models.Broadcast{State: state, Reason: reason, Audience: models.AudienceMe}}))
					}
				}
			}
			s.asked = &broadcast.Created{Broadcast: s.status.Broadcast, Recipients: huge}
			for range 50 {
				for _, code := range constants(t, "services/check", "Warn") {
					args := map[string]any{"Field": long, "Value": long, "ID": long, "Remain": huge, "Variables": []string{long, long}, "Checked": 100, "Recipients": huge, "ResumeAt": now}
					s.asked.Warnings = append(s.asked.Warnings, check.Warning{Code: code, Args: args})
				}
			}
			s.ask(t, admin, "broadcast all")
			for range 10 {
				s.list = append(s.list, s.status)
			}
			if got := s.ask(t, admin, "broadcast list"); strings.Count(got, "#"+strconv.FormatInt(huge, 10)) != 10 {
				t.Errorf("the list of ten is cut:\n%s", got)
			}
			for i := range 10_000 {
				s.testers = append(s.testers, models.Recipient{OpenID: strings.Repeat("x", 128), OptedOut: i%2 == 0, Subscribed: i%3 == 0})
			}
			if got := s.ask(t, admin, "testers"); !strings.Contains(got, "10,000") || !strings.Contains(got, "9") {
				t.Errorf("a cut list says nothing of the rest:\n%s", got)
			}
			checkReply(t, s.SyncNotice(followers.SyncResult{Total: huge, Added: huge - 1, Returned: 1, Left: huge, Took: math.MaxInt64, Resumed: true, Suspicious: true, Known: huge, Announced: huge}, nil))
			var file strings.Builder
			file.WriteString("messages:\n")
			for i := range 60 {
				file.WriteString("  m" + strconv.Itoa(i) + ": {template_id: x, data: {keyword1: {value: \"" + strings.Repeat("长", 200) + "\"}}}\n")
			}
			s.file.Set(file.String())
			s.ask(t, admin, "messages")
			s.file.Set(strings.ReplaceAll(file.String(), "template_id", "tpl"))
			s.ask(t, admin, "messages")

			for _, code := range constants(t, "models", "Err") {
				s.err = models.NewError(models.Invalid, code, "ID", huge, "Retry", huge, "Name", long, "Known", slices.Repeat([]string{long}, 100), "Reason", long,
					"Field", long, "Problem", "missing", "Ago", time.Duration(math.MaxInt64), "State", models.Paused, "Action", "pause", "OpenID", long, "Code", math.MaxInt, "At", now,
					"Listed", huge, "Before", huge, "Announced", huge, "Limit", huge, "N", huge, "Index", huge, "First", 7, "Others", huge,
					"Most", huge, "Gone", huge, "People", slices.Repeat([]string{long}, 100))
				s.ask(t, admin, "broadcast all")
				checkReply(t, s.SyncNotice(followers.SyncResult{}, s.err))
			}
			for _, cmd := range commands {
				for _, text := range []string{cmd.en[0] + " " + long, cmd.en[0] + "\n" + long, cmd.zh[0] + long} {
					s.ask(t, admin, text)
				}
			}
			s.ask(t, admin, long)
		})
	}
}

func TestFitList(t *testing.T) {
	t.Parallel()
	more := func(n int) string { return "and " + strconv.Itoa(n) }
	if got := fitList("head", []string{"a", "b"}, more); got != "head\na\nb" {
		t.Errorf("a short list: %q", got)
	}
	exact := strings.Repeat("x", wechat.MaxText-len("head\n"))
	if got := fitList("head", []string{exact}, more); got != "head\n"+exact {
		t.Errorf("an item that just fits: %d bytes", len(got))
	}
	if got := fitList("head", []string{exact + "x"}, more); got != "head\nand 1" {
		t.Errorf("an item that just does not fit: %q", got)
	}
	got := fitList("head", slices.Repeat([]string{strings.Repeat("长", 10)}, 1_000), more)
	rest, _ := strconv.Atoi(got[strings.LastIndexByte(got, ' ')+1:])
	if shown := strings.Count(got, "\n") - 1; len(got) > wechat.MaxText || shown+rest != 1_000 || shown < 60 {
		t.Errorf("%d shown, %d named, %d bytes", shown, rest, len(got))
	}
}
