package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallDisk returns a folder on a disk of so many MiB. Without the right to mount a file
// system the test is skipped.
func smallDisk(t *testing.T, size int) (folder string) {
	t.Helper()
	folder = t.TempDir()
	mount := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", size), "tmpfs", folder)
	if out, err := mount.CombinedOutput(); err != nil {
		t.Skipf("skipped: a small file system cannot be mounted here: %v %s", err, strings.TrimSpace(string(out)))
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", folder).CombinedOutput(); err != nil { //nolint:noctx // the test's context is over
			t.Errorf("unmount: %v %s", err, out)
		}
	})
	return folder
}

// fillDisk lets the disk run full in mid-broadcast.
func fillDisk(t *testing.T, kills int) *crash {
	t.Helper()
	folder := smallDisk(t, 12+kills) // what the database takes without the fillers
	path := filepath.Join(folder, "broadcast.db")
	db := database{url: "sqlite://" + path, driver: "sqlite", dsn: "file:" + path + "?_pragma=busy_timeout(10000)"}
	c := newCrash(t, db, kills, 800, faulty, settings{"SEND_CONCURRENCY": "32"})
	for n := range kills {
		c.reach(n)
		filler := filepath.Join(folder, "filler"+strconv.Itoa(n))
		fill(t, filler)
		c.stands()
		c.logged(`database or disk is full|no space left`)
		seldom(t, patience, "/readyz names the disk", func() bool {
			return strings.Contains(c.unready()["storage"], "disk is full")
		})
		if reply := c.platform.say(stranger, "openid"); reply != stranger {
			t.Errorf("with the disk full, openid is answered %q", reply)
		}
		c.die()
		c.count()
		if n%2 == 0 {
			c.start(t) // on the full disk
			pass(t, time.Second)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		if n%2 == 1 {
			c.start(t)
		}
	}
	c.end()
	return c
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for block := make([]byte, 4096); err == nil; {
		_, err = file.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
