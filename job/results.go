package job

import (
	"io"
	"path/filepath"

	"github.com/gtk-onnx/gtk/internal/whole"
)

// results is the folder of the results of a command, in the making: it appears whole, or what is in it is replaced at the end.
type results struct {
	*whole.Folder
	dir string // that it gets
}

func newResults(dir string) (*results, error) {
	f, err := whole.CreateFolder(dir)
	return &results{f, dir}, err
}

// in is where the file is now that will be path.
func (r *results) in(path string) string {
	rel, err := filepath.Rel(r.dir, path)
	if err != nil {
		return path
	}
	return filepath.Join(r.Path, rel)
}

// write is WriteFile of a file in the folder. Errors name it as it will be called.
func (r *results) write(path string, write func(w io.Writer) error) error {
	return WriteFile(r.in(path), write)
}

// replay writes the run.yaml of the command, unless it is empty.
func (r *results) replay(yaml []byte) error {
	if yaml == nil {
		return nil
	}
	return r.write(filepath.Join(r.dir, "run.yaml"), func(w io.Writer) error { _, err := w.Write(yaml); return err })
}
