//go:build unix

package config

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// notFiles are paths that are no regular file, each with a word of the error.
func notFiles(tb testing.TB) map[string]string {
	tb.Helper()
	fifo := filepath.Join(tb.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		tb.Fatal(err)
	}
	return map[string]string{fifo: "not a regular file", "/dev/zero": "not a regular file", tb.TempDir(): "not a regular file"}
}

func TestSecretFileIsARegularFile(t *testing.T) {
	t.Parallel()
	bad := notFiles(t)
	bad[mustWrite(t, "big", strings.Repeat(leakToken, 500))] = "larger than 4,096 bytes"
	for path, want := range bad {
		env := required()
		delete(env, "WECHAT_TOKEN")
		env["WECHAT_TOKEN_FILE"], env["LANGUAGE"] = path, "en"
		_, err := load(t, "", env)
		if diff := cmp.Diff([]string{"WECHAT_TOKEN_FILE"}, faultKeys(t, err)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
		assertSilent(t, path, err.Error())
	}
	for path := range notFiles(t) {
		_, err := Load(path, true, lookupIn(map[string]string{"LANGUAGE": "en"}), nil)
		if err == nil || !strings.Contains(err.Error(), "--config: "+path+" is not a regular file") {
			t.Errorf("settings in %s: %v", path, err)
		}
	}
}
