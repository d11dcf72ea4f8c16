package console

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/lists"
	"wechat-broadcast/services/people"
)

const (
	// maxUpload is how large a file with a list may be, in bytes: about a million people.
	maxUpload = 32 << 20
	// maxDrained is how much of a file is read that is too large.
	maxDrained = 4 * maxUpload
	// uploadWithin is how long a file may take to come and to be kept.
	uploadWithin = 5 * time.Minute
	// maxUploads is how many files are read at a time.
	maxUploads = 2
)

// uploadPage is what the template "console_upload" shows: a file as it would become a list.
type uploadPage struct {
	Name string
	// Problem says why it can't become one; empty if it can.
	Problem string
	// Faults are what is wrong with rows, of which there are Bad.
	Faults []string
	Bad    int64
	// Lines say what is in the file, and Outcome what would become of the list.
	Lines   []string
	Outcome string
	peopleTable
	Rows int64
	// Replaces says that it would replace a list, which takes the admin's word in the chat.
	Replaces bool
	stagedFile
}

// stagedFile is what the form of the second step brings along of the first.
type stagedFile struct {
	Segment, Replaced int64
	// Proof says that this session was shown them.
	Proof string
}

// unhurried gives a file the time to come.
func unhurried(g *gin.Context) {
	control, until := http.NewResponseController(g.Writer), time.Now().Add(uploadWithin)
	// A writer that has no deadlines, as in a test, has none to move.
	_ = control.SetReadDeadline(until)
	_ = control.SetWriteDeadline(until)
}

// tooLarge answers a form that is too large. It is read to its end before that, if it is not
// much too large: a browser that is still sending would show no answer.
func (c *Console) tooLarge(g *gin.Context, s *visit, file bool) {
	_, _ = io.CopyN(io.Discard, g.Request.Body, maxDrained) // what comes of it does not matter
	what := "too_large"
	if file {
		what = "large_file"
	}
	c.refuse(g, s, http.StatusRequestEntityTooLarge, what)
}

// upload reads a file with a list, and shows what the list would be. Nothing becomes a list
// by it.
func (c *Console) upload(g *gin.Context, s *visit) {
	select {
	case c.uploads <- struct{}{}:
		defer func() { <-c.uploads }()
	default:
		g.Header("Retry-After", "30")
		c.refuse(g, s, http.StatusServiceUnavailable, "busy")
		return
	}
	ctx, cancel := context.WithTimeout(g.Request.Context(), uploadWithin)
	defer cancel()
	page := &uploadPage{Name: oneLine(g.PostForm("name"))}
	err := c.look(ctx, g, s, page)
	switch {
	case err != nil:
		c.fail(g, s, err)
	case page.Problem != "":
		c.render(g, s, http.StatusUnprocessableEntity, "console_upload", page)
	default:
		c.render(g, s, http.StatusOK, "console_upload", page)
	}
}

// look reads a file, stages its people, and fills the page that shows them.
func (c *Console) look(ctx context.Context, g *gin.Context, s *visit, page *uploadPage) error {
	name, err := lists.Name(page.Name)
	var e *models.Error
	if errors.As(err, &e) {
		page.Problem = s.words.Say("upload.name", lang.Vars(e.Args))
		return nil
	}
	page.Name = name
	header, err := g.FormFile("file")
	if err != nil || header.Size == 0 {
		page.Problem = s.words.Say("upload.no_file")
		return nil //nolint:nilerr // there is none, and the page says so
	}
	file, err := header.Open()
	if err != nil {
		return fmt.Errorf("open an uploaded file: %w", err)
	}
	defer file.Close()
	options := people.Options{Table: oneLine(g.PostForm("table"))}
	looked, err := c.config.Lists.Look(ctx, file, options, func(int64) {})
	if err != nil {
		return err
	}
	if err := c.describe(ctx, s, page, looked); err != nil || page.Problem != "" {
		return err
	}
	return c.stage(ctx, s, page, file, options, looked)
}

// describe says what is in a file, and what is wrong with it.
func (c *Console) describe(ctx context.Context, s *visit, page *uploadPage, looked *lists.Looked) error {
	page.Rows, page.Bad, page.Fields = looked.Rows, looked.Bad, looked.Fields
	page.Faults = looked.FaultLines(s.words)
	switch {
	case looked.Unreadable:
		page.Problem = s.words.Say("upload.unreadable")
		return nil
	case looked.Rows == 0:
		page.Problem = s.words.Say("upload.nobody")
		return nil
	}
	for _, first := range looked.First {
		if err := page.add(first.OpenID, first.Fields); err != nil {
			return err
		}
	}
	pulled, err := c.config.Followers.EverPulled(ctx)
	if err != nil {
		return err
	}
	standing := s.words.Say("upload.never_synced")
	if pulled {
		standing = looked.StandingLine(s.words)
	}
	page.Lines = append([]string{standing}, looked.Found(s.words)...)
	return nil
}

// stage keeps the people of a file for the second step.
func (c *Console) stage(ctx context.Context, s *visit, page *uploadPage, file multipart.File, o people.Options, looked *lists.Looked) error {
	kept, err := c.config.Lists.Stage(ctx, page.Name, s.OpenID, file, o, looked)
	if err != nil {
		return err
	}
	v := lang.Vars{"Name": page.Name, "Count": looked.Rows}
	page.Outcome = s.words.Say("upload.makes", v)
	page.Segment = kept.Segment
	if kept.Replaces != nil {
		v["Name"], v["Was"] = kept.Replaces.Name, kept.Replaces.Size
		page.Replaces, page.Replaced = true, kept.Replaces.SegmentID
		page.Outcome = s.words.Say("upload.replaces", v)
	}
	page.Proof = page.proof(s)
	return nil
}

// proof is what only the session can know that was shown the page: the second step can make
// of the file only what the page says.
func (p *uploadPage) proof(s *visit) string {
	mac := hmac.New(sha256.New, []byte(s.CSRF))
	_, _ = fmt.Fprintf(mac, "upload %d %d %d %d %q", p.Segment, p.Replaced, p.Rows, p.Bad, p.Name)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// makeList makes a list of a file that was uploaded; one that would replace a list waits for
// the admin's word in the chat.
func (c *Console) makeList(g *gin.Context, s *visit) {
	page := &uploadPage{Name: g.PostForm("name"), Rows: formNumber(g, "rows"), Bad: formNumber(g, "bad"), stagedFile: stagedFile{
		Segment: formNumber(g, "segment"), Replaced: formNumber(g, "replaced"),
	}}
	if !hmac.Equal([]byte(g.PostForm("proof")), []byte(page.proof(s))) || page.Bad > 0 && g.PostForm("skip") != "yes" {
		c.refuse(g, s, http.StatusBadRequest, "form")
		return
	}
	cmd := chat.Command{Name: chat.ListsMake, Arg: page.Name, Segment: page.Segment, Replaces: page.Replaced}
	var details []string
	if page.Replaced != 0 {
		cmd.Name = chat.ListsReplace
		details = append(details, s.words.Say("upload.will_replace", lang.Vars{"Name": page.Name, "Count": page.Rows}))
	}
	c.act(g, s, cmd, "lists", details...)
}
