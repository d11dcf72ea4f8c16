package people_test

import (
	"runtime"
	"strings"
	"testing"

	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/people"
)

// What is known of a file that was read is small: whom it had is not kept with it. This test
// runs alone, since it looks at the memory.
func TestWhatIsKeptOfAFileIsSmall(t *testing.T) {
	var text strings.Builder
	for i := range 200_000 {
		text.WriteString(modelstest.OpenID(i) + "\n")
	}
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	file, err := people.Read(strings.NewReader(text.String()), people.Options{}, func(people.Row) error { return nil })
	if err != nil || file.Rows != 200_000 {
		t.Fatal(file, err)
	}
	if kept := heap() - before; kept > 1<<20 {
		t.Errorf("%d KiB are kept", kept>>10)
	}
	runtime.KeepAlive(file)
	runtime.KeepAlive(text.String())
}
