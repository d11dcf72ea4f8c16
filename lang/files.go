package lang

import (
	"errors"
	"io/fs"
	"syscall"
)

// fileFaults are what the system says of files, with their sentences.
var fileFaults = []struct {
	err error
	id  string
}{
	{fs.ErrPermission, "os.permission"},
	{syscall.EROFS, "os.read_only"},
	{fs.ErrNotExist, "os.absent"},
	{syscall.ENOTDIR, "os.no_folder"},
	{syscall.EISDIR, "os.folder"},
	{fs.ErrExist, "os.exists"},
}

// FileFault says why a file could not be used, without its path. What has no
// sentence is repeated.
func FileFault(err error) Words {
	for _, f := range fileFaults {
		if errors.Is(err, f.err) {
			return Sentence(f.id)
		}
	}
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err // the whole names the path
	}
	return Sentence("os.unnamed", "Text", err.Error())
}
