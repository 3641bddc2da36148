package onnx

import (
	"os"
	"path/filepath"
	"sync"

	"github.com/gtk-onnx/gtk/internal/regular"
)

// heldFiles are data files that were taken away while models read from them; clones of a model share them.
type heldFiles struct {
	mu    sync.Mutex
	files map[string]*os.File // by location
}

// hold keeps the file name for the models that read from this folder, if st is that file; false when it must stay where it is.
func (d dataFolder) hold(name string, st os.FileInfo) bool {
	if d.root == "" {
		return true
	}
	path := filepath.Join(d.root, d.rel, name)
	if mine, err := os.Stat(path); err != nil || !os.SameFile(mine, st) {
		return true
	}
	if !canDup {
		return false
	}
	f, err := regular.Open(path)
	if err != nil {
		return true // as before it could not be read
	}
	d.held.mu.Lock()
	defer d.held.mu.Unlock()
	if d.held.files == nil {
		d.held.files = map[string]*os.File{}
	}
	if d.held.files[name] != nil {
		f.Close()
		return true
	}
	d.held.files[name] = f
	return true
}

// open is a held file, nil when there is none. What is held lives as long as the process reads from it.
func (h *heldFiles) open(location string) (*os.File, int64) {
	if h == nil {
		return nil, 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.files[filepath.Clean(filepath.FromSlash(location))]
	if f == nil {
		return nil, 0
	}
	st, err := f.Stat()
	if err != nil {
		return nil, 0
	}
	g, err := dup(f)
	if err != nil {
		return nil, 0
	}
	return g, st.Size()
}
