package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"

	"wechat-broadcast/services/importing"
	filed "wechat-broadcast/services/people"
)

// fileFormat is a way to write people to a file.
type fileFormat struct {
	name      string
	head, row string // row has OPENID and NUMBER
	every     int    // rows of a statement; 0 for none
	gb18030   bool
}

const (
	dumpTable  = "CREATE TABLE `allinfo` (\n  `id` int,\n  `openid` varchar(64),\n  `name` varchar(50),\n  `phone` varchar(20)\n);\n"
	dumpInsert = "INSERT INTO `allinfo` VALUES "
)

var fileFormats = []fileFormat{
	{name: "an OpenID a line", row: "OPENID\n"},
	{name: "CSV", head: "openid,name,phone\n", row: "OPENID,读者NUMBER,138NUMBER\n"},
	{name: "CSV in GB18030", head: "openid,name,phone\n", row: "OPENID,读者NUMBER,138NUMBER\n", gb18030: true},
	{name: "SQL dump, INSERTs of 10,000 rows", head: dumpTable, row: "(NUMBER,'OPENID','读者NUMBER','138NUMBER')", every: 10_000},
	{name: "SQL dump, INSERTs of one row", head: dumpTable, row: "(NUMBER,'OPENID','读者NUMBER','138NUMBER')", every: 1},
	{name: "SQL dump, one INSERT", head: dumpTable, row: "(NUMBER,'OPENID','读者NUMBER','138NUMBER')", every: 1 << 30},
	{name: "SQL dump in GB18030", head: dumpTable, row: "(NUMBER,'OPENID','读者NUMBER','138NUMBER')", every: 10_000, gb18030: true},
}

// write writes people 0 to n-1.
func (f fileFormat) write(path string, n int) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	var to io.Writer = file
	if f.gb18030 {
		to = transform.NewWriter(file, simplifiedchinese.GB18030.NewEncoder())
	}
	out := bufio.NewWriterSize(to, 1<<20)
	fmt.Fprint(out, f.head)
	for i := range n {
		if f.every > 0 && i%f.every == 0 {
			fmt.Fprint(out, dumpInsert)
		}
		fmt.Fprint(out, strings.NewReplacer("OPENID", string(appendOpenID(nil, i)), "NUMBER", fmt.Sprintf("%08d", i)).Replace(f.row))
		switch {
		case f.every == 0:
		case i == n-1 || i%f.every == f.every-1:
			fmt.Fprint(out, ";\n")
		default:
			fmt.Fprint(out, ",")
		}
	}
	return out.Flush()
}

type readTask struct {
	Path   string
	People int
}

type readResult struct {
	Read sample
	MiB  float64 // peak memory
}

// readPeople reads a file as an import does before it changes anything.
func readPeople(ctx context.Context, task readTask, _ func(string)) (res readResult, err error) {
	file, err := os.Open(task.Path)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	watch := start()
	looked, err := importing.Look(ctx, file, filed.Options{}, func(int64) {})
	if err != nil {
		return res, err
	}
	res.Read = watch.stop(task.People)
	if looked.Rows != int64(task.People) || looked.Bad > 0 {
		return res, fmt.Errorf("read %d people, %d bad rows", looked.Rows, looked.Bad)
	}
	res.MiB, err = peakMiB()
	return res, err
}

// measureImports prints what it takes to read n people of each format, a process each.
func measureImports(ctx context.Context, n int, to io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	fmt.Fprintf(to, "| %s people as | file | read in | CPU | peak memory |\n| --- | --- | --- | --- | --- |\n", grouped(n))
	for _, f := range fileFormats {
		path := filepath.Join(folder, "people")
		if err := f.write(path, n); err != nil {
			return fmt.Errorf("write a file: %w", err)
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		var wall, cpu, peak series
		for range 3 {
			res, err := run[readResult](ctx, "read", readTask{path, n})
			if err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
			wall, cpu, peak = append(wall, res.Read.Wall), append(cpu, res.Read.CPU), append(peak, res.MiB)
		}
		fmt.Fprintf(to, "| %s | %d MiB | %.1f s | %.1f s | %.0f MiB |\n", f.name, info.Size()>>20, wall.median(), cpu.median(), peak.median())
	}
	return nil
}
