package data

import (
	"fmt"
	"os"

	"github.com/gtk-onnx/gtk/internal/regular"
)

// onDisk is a file that is read in pieces. It is open only while that is done: a set may have more files than a process may open.
type onDisk struct {
	path string
	size int64
}

func newOnDisk(path string) (*onDisk, error) {
	f, size, err := openFile(path)
	if err != nil {
		return nil, err
	}
	return &onDisk{path, size}, f.Close()
}

// ReadAt is that of the file.
func (d *onDisk) ReadAt(p []byte, at int64) (int, error) {
	f, err := regular.Open(d.path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.ReadAt(p, at)
}

// piece is n bytes at an offset.
func (d *onDisk) piece(at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || at > d.size-n {
		return nil, malformed(d.path, fmt.Sprintf("offset %d", at), "the file is cut short; fetch it again", "%d bytes where %d are left", n,
			max(0, d.size-at))
	}
	b := make([]byte, n)
	if _, err := d.ReadAt(b, at); err != nil {
		return nil, fmt.Errorf("data: %s: %w", d.path, err)
	}
	return b, nil
}

// isFolder reports whether path is a folder.
func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
