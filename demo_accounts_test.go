package main

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Two accounts in one process are spoken to by name. Each has its own people and numbers,
// and nobody gets anything of the other's.
func TestDemoOfTwoAccounts(t *testing.T) {
	out := runDemoOn(t, "C", "openid\n/children openid\n/museum broadcast all\n/Children broadcast test\n@wang stop\nbroadcast all\n"+
		"/children\nbroadcast all\n@wang openid\n", "--accounts", "2", "--followers", "50")
	for _, part := range []string{
		"accounts /city, /children",
		"city · you> openid\n  city ← oDemo-admin-", "children · you> openid\n  children ← oDemo-admin-",
		"There is no account of that name. There are: /city, /children.",
		"children · Outcome of broadcast #1 · notice · finished\n  recipients 3: delivered 3\n",
		"city · Wang> stop", "You are now in children", "children · Wang ← oDemo-wang-",
		"city · Outcome of broadcast #1 · notice · finished\n", "children · Outcome of broadcast #2 · notice · finished\n",
		"  recipients     49   = the sum", "  recipients     50   = the sum", // Wang left only the first
	} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q", part)
		}
	}
	if n := strings.Count(out, "Outcome of"); n != 3 {
		t.Errorf("%d outcomes, want 3", n)
	}
	people := regexp.MustCompile(`← (oDemo-admin-\S+)`).FindAllString(out, -1)
	if len(people) != 2 || people[0] == people[1] {
		t.Errorf("the admin's OpenIDs in the accounts are %q, want two", people)
	}
	if n := len(regexp.MustCompile(`it reached \d+ phones, each exactly once`).FindAllString(out, -1)); n != 3 {
		t.Errorf("%d of 3 broadcasts reached each phone once", n)
	}
	phones := regexp.MustCompile(`phone of follower (\S+):`).FindAllStringSubmatch(out, -1)
	if len(phones) != 2 || slices.Equal(phones[0], phones[1]) {
		t.Errorf("the followers who are shown are %q, want one of each account", phones)
	}
	if t.Failed() {
		t.Log(out)
	}
}

func TestDemoOfTwoAccountsInChinese(t *testing.T) {
	out := runDemoOn(t, "zh_CN.UTF-8", "／children 群发测试\n/nobody 群发全部\n/children\n@小林 退订\n", "--accounts", "2", "--followers", "20")
	for _, part := range []string{"children · 你> 群发测试", "没有这个名字的公众号", "已切换到 children（少年儿童图书馆）", "children · 小林> 退订"} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q", part)
		}
	}
	if strings.Contains(out, "city · #1") {
		t.Error("what was said to nobody was done in the first account")
	}
	if t.Failed() {
		t.Log(out)
	}
}

// With one account a line that begins with a stroke is the account's, and nothing is named.
func TestDemoOfOneAccountNamesNone(t *testing.T) {
	out := runDemoOn(t, "C", "/children openid\n", "--followers", "20")
	if !strings.Contains(out, "\nyou> /children openid\n  ← ") || strings.Contains(out, "city") {
		t.Error(out)
	}
}

func TestDemoRefusesItsAccounts(t *testing.T) {
	t.Parallel()
	for _, n := range []string{"0", "5", "-1"} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), []string{"demo", "--accounts=" + n, "--followers", "3"}, strings.NewReader(""), &stdout, &stderr)
		if code != exitUsage || !strings.Contains(stderr.String(), "1 to 4 accounts, not "+n) || !strings.Contains(stderr.String(), "followers") {
			t.Errorf("%s: exit code %d: %s", n, code, &stderr)
		}
	}
}
