package tensor

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/gtk-onnx/gtk/internal/regular"
)

// ReadFile reads the arrays of a .npz file, or the one array of a .npy file under the file's name without the extension.
func ReadFile(path string) ([]Named, error) { return ReadFileLimited(path, Limits{}) }

// ReadFileLimited is ReadFile with limits on what a .npz may unfold to.
func ReadFileLimited(path string, lim Limits) ([]Named, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, fmt.Errorf("tensor: read: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("tensor: read: %w", err)
	}
	ext := filepath.Ext(path)
	switch strings.ToLower(ext) {
	case ".npz":
		out, err := ReadNPZ(f, st.Size(), lim)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return out, nil
	case ".npy":
		t, err := readNPY(f, st.Size())
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", path, ErrNPY, err)
		}
		if n, _ := io.ReadFull(f, make([]byte, 1)); n > 0 {
			return nil, fmt.Errorf("%s: %w: bytes after the array; a file of several arrays is best saved as .npz", path, ErrNPY)
		}
		return []Named{{strings.TrimSuffix(filepath.Base(path), ext), t}}, nil
	}
	return nil, fmt.Errorf("tensor: read %s: extension %q, want .npy or .npz", path, ext)
}
