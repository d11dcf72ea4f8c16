//go:build unix

package message

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/textfile"
)

func TestMessageFileIsARegularFile(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	write := func(size int) string {
		path := filepath.Join(t.TempDir(), "messages.yaml")
		if err := os.WriteFile(path, []byte(example(t)+"#"+strings.Repeat("x", size)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for path, want := range map[string]string{
		fifo: "not a regular file", "/dev/zero": "not a regular file", t.TempDir(): "not a regular file",
		write(textfile.MaxBytes): "larger than 1,048,576 bytes",
	} {
		_, err := ReadFile(path)
		if diff := cmp.Diff([]string{"MESSAGES_FILE"}, paths(t, err)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	link := filepath.Join(t.TempDir(), "link.yaml")
	if err := os.Symlink(write(textfile.MaxBytes/2), link); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(link); err != nil {
		t.Error(err)
	}
}
