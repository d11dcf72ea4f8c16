package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"wechat-broadcast/handlers/console"
	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// sizes returns the lists with their sizes.
func (d *desk) sizes() string {
	d.tb.Helper()
	var said []string
	for _, l := range must[[]models.ListInfo](d.tb)(d.store.Lists(d.tb.Context())) {
		said = append(said, fmt.Sprintf("%s %d", l.Name, l.Size))
	}
	return strings.Join(said, "; ")
}

var hidden = regexp.MustCompile(`name="(name|segment|replaced|rows|bad|proof|csrf|key)" value="([^"]*)"`)

// second returns the form of the second step that a page has.
func second(p page) url.Values {
	_, form, _ := strings.Cut(p.body, `action="../lists/make"`)
	values := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(form, -1) {
		values.Set(m[1], m[2])
	}
	return values
}

func file(numbers ...int) string {
	text := "openid,seat\n"
	for _, i := range numbers {
		text += fmt.Sprintf("%s,%d\n", modelstest.OpenID(i), i)
	}
	return text
}

func (b *browser) uploads(name, content string) page {
	b.tb.Helper()
	return b.upload("/console/lists/upload", url.Values{"name": {name}}, "file", content)
}

// A new list is made by the second step and not before, once; one that replaces a list takes
// the admin's word in the chat.
func TestAListIsUploaded(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	b := d.enter(anna, models.Editor)
	p := b.uploads(" Old   readers ", file(1, 2, 3, 4, 5, 6, 7))
	p.has(t, http.StatusOK, "This makes the list Old readers, with 7 people", modelstest.OpenID(5), "seat", "7 unknown")
	if strings.Contains(p.body, modelstest.OpenID(6)) || d.sizes() != "" {
		t.Errorf("too much is shown, or a list is made: %q", d.sizes())
	}
	form := second(p)
	for range 2 {
		b.post("/console/lists/make", form).has(t, http.StatusOK, "The list Old readers is made, with 7 people")
	}
	if d.sizes() != "Old readers 7" {
		t.Fatal(d.sizes())
	}
	b.get("/console/lists").has(t, http.StatusOK, "Old readers", "7 people", "{seat}", "uploaded by you")
	b.get("/console/lists/rows?name=Old+readers").has(t, http.StatusOK, modelstest.OpenID(7))

	p = b.uploads("old readers", file(8, 9))
	p.has(t, http.StatusOK, "it has 7 people and would have 2")
	p = b.post("/console/lists/make", second(p))
	p.has(t, http.StatusOK, "becomes the uploaded file, with 2 people")
	if d.sizes() != "Old readers 7" {
		t.Fatal("a list is replaced without the word: " + d.sizes())
	}
	if reply := b.confirm(p); d.sizes() != "old readers 2" || !strings.Contains(reply, "2 people") {
		t.Errorf("the lists are %q after %q", d.sizes(), reply)
	}
	b.post("/console/lists/remove", url.Values{"name": {"old readers"}}).has(t, http.StatusOK, "is removed")
	if d.sizes() != "" {
		t.Error(d.sizes())
	}
	rows := must[[]models.Audit](t)(d.store.AuditBefore(t.Context(), models.AuditFilter{Admin: anna}, 0, 50))
	seen := map[string]bool{}
	for _, r := range rows {
		seen[r.Action+" "+r.Target] = true
	}
	for _, want := range []string{"lists_make Old readers", "lists_replace old readers", "lists_remove old readers"} {
		if !seen[want] {
			t.Errorf("the audit has no %s: %+v", want, rows)
		}
	}
}

// What the second step brings along is what the session was shown.
func TestTheSecondStepIsOfTheFirst(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	b := d.enter(anna, models.Editor)
	b.post("/console/lists/make", second(b.uploads("a", file(1)))).has(t, http.StatusOK)
	p := b.uploads("a", file(2, 3))
	for name, value := range map[string]string{
		"replaced": "0", "segment": "1", "name": "b", "rows": "1", "bad": "1", "proof": "x", "csrf": "x",
	} {
		form := second(p)
		form.Set(name, value)
		if got := b.post("/console/lists/make", form); got.Code < 400 {
			t.Errorf("%s=%s is answered %d:\n%s", name, value, got.Code, got.body)
		}
	}
	// The same admin in another browser was not shown it.
	other := &browser{desk: d, openID: anna}
	other.get(d.link(anna)).has(t, http.StatusOK)
	form := second(p)
	form.Del("csrf")
	other.post("/console/lists/make", form).has(t, http.StatusBadRequest)
	if d.sizes() != "a 1" {
		t.Error(d.sizes())
	}
	// A list that was removed meanwhile can't be replaced, and a stale file not be used.
	line := codeIn.FindString(b.post("/console/lists/make", second(p)).body)
	b.post("/console/lists/remove", url.Values{"name": {"a"}}).has(t, http.StatusOK)
	if reply := d.say(anna, line); !strings.Contains(reply, "changed after your upload") || d.sizes() != "" {
		t.Errorf("%q, and the lists are %q", reply, d.sizes())
	}
	p = b.uploads("late", file(1))
	d.later(11 * time.Minute)
	b.post("/console/lists/make", second(p)).has(t, http.StatusNotFound, "too long ago")
}

// A file that is no list is refused with what is wrong with it, and nothing is kept of it.
func TestFilesWithFaults(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	b := d.enter(anna, models.Editor)
	one := modelstest.OpenID(1)
	utf16 := must[string](t)(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String("openid,名\n" + one + ",书\n"))
	for name, c := range map[string]struct{ content, want string }{
		"empty":        {"", "No file came"},
		"zip":          {"PK\x03\x04" + strings.Repeat("\x00\x01x", 100), "an archive"},
		"UTF-16":       {utf16, "UTF-16"},
		"binary":       {strings.Repeat("\x89\xff\xfe\x01\x7f", 500), "Nothing was stored"},
		"no OpenID":    {"name,seat\nA,1\nB,2\n", "no OpenID"},
		"huge line":    {"openid,seat\n" + one + ",\"" + strings.Repeat("x", 2<<20), "Nothing was stored"},
		"open quote":   {"openid,seat\n" + one + ",\"x\n", "line 2"},
		"broken bytes": {"openid,seat\n" + one + ",\xff\xfe\xfd\n", "line 2"},
		"no dump":      {"CREATE TABLE `a` (`id` int);\nINSERT INTO `a` VALUES (1),(2);\n", "Nothing was stored"},
	} {
		p := b.uploads("new", c.content)
		p.has(t, http.StatusUnprocessableEntity, c.want)
		if len(p.body) > 20_000 {
			t.Errorf("%s: the page has %d bytes", name, len(p.body))
		}
	}
	for _, name := range []string{"", "a,b", "a“b”", strings.Repeat("x", 65)} {
		b.uploads(name, file(1)).has(t, http.StatusUnprocessableEntity, "A list can&#39;t be called")
	}
	if n := must[models.RecipientCounts](t)(d.store.CountRecipients(t.Context())); d.sizes() != "" || n.Followers != 3 && n.Left != 0 {
		t.Errorf("there are %q, and %+v", d.sizes(), n)
	}

	// Rows with faults can be left out, by the admin's word.
	p := b.uploads("some", "openid,seat\n"+one+",1\nxx,2\n"+one+",3\n")
	p.has(t, http.StatusOK, "2 lines have faults", "line 3", "line 4", "with 1 person")
	form := second(p)
	b.post("/console/lists/make", form).has(t, http.StatusBadRequest)
	form.Set("skip", "yes")
	b.post("/console/lists/make", form).has(t, http.StatusOK, "is made, with 1 person")

	gbk := must[string](t)(simplifiedchinese.GB18030.NewEncoder().String("openid,姓名\n" + one + ",读书会的老读者\n"))
	b.uploads("gbk", gbk).has(t, http.StatusOK, "读书会的老读者", "姓名")
	b.uploads("text", one+"\n"+modelstest.OpenID(2)+"\n").has(t, http.StatusOK, "with 2 people")
	b.uploads("dump", "CREATE TABLE `fans` (`id` int, `openid` varchar(64), `nick` varchar(64));\nINSERT INTO `fans` VALUES (1,'"+one+"','小林'),(2,'"+modelstest.OpenID(2)+"','小王');\n").
		has(t, http.StatusOK, "with 2 people", "小林", "fans")
}

// A file that is too large is answered, and read no further than that takes.
func TestAFileThatIsTooLarge(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	b := d.enter(anna, models.Editor)
	read := &counted{}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/console/lists/upload", read)
	r.ContentLength = 1 << 40
	r.Header.Set("Cookie", console.CookieName+"="+b.cookie)
	r.Header.Set("Origin", d.public)
	rec := httptest.NewRecorder()
	d.handler.ServeHTTP(rec, r)
	page{rec, rec.Body.String()}.has(t, http.StatusRequestEntityTooLarge, "wechat-broadcast import")
	if read.n > 200<<20 {
		t.Errorf("%d bytes of it were read", read.n)
	}
	b.upload("/console/topics/set", url.Values{"name": {"a"}}, "file", strings.Repeat("x", 70<<10)).has(t, http.StatusRequestEntityTooLarge)
}

// counted is a file without an end, and how much of it was read.
type counted struct{ n int }

func (c *counted) Read(p []byte) (int, error) {
	c.n += len(p)
	return len(p), nil
}
