package lang

import (
	"errors"
	"io/fs"
	"syscall"
)

// systemFaults are what the system says of files and addresses, with their sentences.
var systemFaults = []struct {
	err error
	id  string
}{
	{fs.ErrPermission, "os.permission"},
	{syscall.EROFS, "os.read_only"},
	{fs.ErrNotExist, "os.absent"},
	{syscall.ENOTDIR, "os.no_folder"},
	{syscall.EISDIR, "os.folder"},
	{fs.ErrExist, "os.exists"},
	{syscall.EADDRINUSE, "os.in_use"},
	{syscall.EADDRNOTAVAIL, "os.no_address"},
}

// SystemFault says why the system refused a file or an address, without naming it.
// What has no sentence is repeated.
func SystemFault(err error) Words {
	for _, f := range systemFaults {
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
