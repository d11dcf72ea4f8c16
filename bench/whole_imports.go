package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/importing"
	"wechat-broadcast/services/lists"
	filed "wechat-broadcast/services/people"
)

const pathInfo = "/cgi-bin/user/info/batchget"

// info answers who of some people follow: all of the round's do.
func (r *round) info(body []byte) []byte {
	var out bytes.Buffer
	out.WriteString(`{"user_info_list":[`)
	for i := 0; ; i++ {
		openID := stringAfter(body, `"openid":"`)
		if openID == nil {
			break
		}
		body = body[bytes.Index(body, openID):]
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, `{"subscribe":%d,"openid":"%s","language":"zh_CN","subscribe_time":1700000000,"remark":"","groupid":0,"tagid_list":[],`+
			`"subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":0,"qr_scene_str":""}`, min(1, 1+personOf(openID, r.Followers)), openID)
	}
	out.WriteString("]}")
	return out.Bytes()
}

// importTask is the import of a file with so many people, all of whom follow.
type importTask struct {
	programTask
	Path string
}

// importResult is what an import takes into an empty database, with the platform's word on
// everyone, and once more when all are known.
type importResult struct {
	Look, Add, Again sample
	MiB              float64 // peak memory of these
	// LackAll and LackList are how long it takes to count who lacks a field that nobody has, and
	// one that all have: of all followers, and of a list of all of them.
	LackAll, LackList float64
}

// importPeople imports a file as the command does.
func importPeople(ctx context.Context, task importTask, _ func(string)) (res importResult, err error) {
	p, err := newParts(ctx, task.programTask)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	file, err := os.Open(task.Path)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	n, log := int64(task.Followers), slog.New(slog.DiscardHandler)
	s := importing.Service{Store: p.store, Platform: p.platform, Now: time.Now, Log: log}
	add := func(want importing.Counts) (sample, error) {
		watch := start()
		looked, err := importing.Look(ctx, file, filed.Options{}, func(int64) {})
		if err != nil {
			return sample{}, err
		}
		if res.Look.N == 0 {
			res.Look = watch.stop(task.Followers)
		}
		watch = start()
		counts, err := s.Add(ctx, file, filed.Options{}, looked, false, func(int64) {})
		if err == nil && counts != want {
			err = fmt.Errorf("imported %+v, want %+v", counts, want)
		}
		return watch.stop(task.Followers), err
	}
	if res.Add, err = add(importing.Counts{New: n}); err != nil {
		return res, err
	}
	if res.Again, err = add(importing.Counts{Known: n}); err != nil {
		return res, err
	}
	if res.MiB, err = peakMiB(); err != nil {
		return res, err
	}
	return res, res.lacking(ctx, p, file, n)
}

// lacking measures how long it takes to count who lacks a field.
func (r *importResult) lacking(ctx context.Context, p *parts, file io.ReadSeeker, n int64) error {
	s := lists.Service{Store: p.store, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	looked, err := s.Look(ctx, file, filed.Options{}, func(int64) {})
	if err != nil {
		return err
	}
	if _, err := s.Make(ctx, models.List{Name: "all"}, file, filed.Options{}, looked, func(int64) {}); err != nil {
		return err
	}
	l, err := s.Find(ctx, "all")
	if err != nil {
		return err
	}
	all, listed := &models.Broadcast{Audience: models.AudienceAll}, &models.Broadcast{Audience: models.AudienceGroups}
	listed.Target.Groups = []models.Group{{Kind: models.GroupList, Name: l.Name, Segment: l.SegmentID}}
	for b, took := range map[*models.Broadcast]*float64{all: &r.LackAll, listed: &r.LackList} {
		watch := start()
		lacks, err := p.store.Lacking(ctx, b, []string{"none", "name"}, false)
		if err != nil {
			return err
		}
		if len(lacks) != 1 || lacks[0].Count != n {
			return fmt.Errorf("%+v lack fields, want %d who lack one", lacks, n)
		}
		*took = watch.stop(int(n)).Wall
	}
	return nil
}

// measureWholeImports prints what a whole import of n people takes on each database.
func measureWholeImports(ctx context.Context, n int, server string, to io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	dbs, err := newDatabases(folder, server)
	if err != nil {
		return err
	}
	path := folder + "/people"
	csv := fileFormat{head: "openid,name,phone\n", row: "OPENID,读者NUMBER,138NUMBER\n"}
	if err := csv.write(path, n); err != nil {
		return fmt.Errorf("write a file: %w", err)
	}
	end, err := startPlatform(ctx, folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end.stop()) }()
	if err := end.set(ctx, n, 0); err != nil {
		return err
	}
	fmt.Fprintf(to, "\n| a CSV of %s people, imported | read | added | CPU | once more | peak memory | who lacks a field, of all | of a list |\n"+
		"| --- | --- | --- | --- | --- | --- | --- | --- |\n", grouped(n))
	for _, driver := range dbs.drivers() {
		if err := measureWholeImport(ctx, dbs, importTask{programTask{Platform: end.url(overHTTP), Driver: driver, Followers: n, InFlight: inFlight}, path}, to); err != nil {
			return fmt.Errorf("%s: %w", driver, err)
		}
	}
	return nil
}

func measureWholeImport(ctx context.Context, dbs *databases, task importTask, to io.Writer) (err error) {
	db, err := dbs.fresh(ctx, task.Driver)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.drop()) }()
	task.DSN = db.DSN
	r, err := run[importResult](ctx, "import", task)
	if err != nil {
		return err
	}
	fmt.Fprintf(to, "| %s | %.1f s | %.1f s | %.1f s | %.1f s | %.0f MiB | %.2f s | %.2f s |\n",
		task.Driver, r.Look.Wall, r.Add.Wall, r.Look.CPU+r.Add.CPU, r.Again.Wall, r.MiB, r.LackAll, r.LackList)
	return nil
}

// measureFiles prints what it takes to read people from each kind of file, and to import
// them.
func measureFiles(ctx context.Context, n int, server string, to io.Writer) error {
	if err := measureImports(ctx, n, to); err != nil {
		return err
	}
	return measureWholeImports(ctx, n, server, to)
}
