package onnx

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/regular"
)

// referred reports whether a model in the folder may have its data in the file name. What cannot be read may.
func referred(dir, name string) bool {
	all, err := os.ReadDir(dir)
	return err != nil || slices.ContainsFunc(all, func(e os.DirEntry) bool {
		n := e.Name()
		switch strings.ToLower(filepath.Ext(n)) {
		case ".onnx", ".pb", ".pbtxt", ".ort", ".textproto", ".onnxtxt", ".json":
			return n != name && !strings.HasPrefix(n, ".") && refers(filepath.Join(dir, n), name)
		}
		return false
	})
}

// refers reports whether the model file path may have its data in the file name beside it: whether the name stands in it as a string of
// protobuf, behind its length, or as the end of a path or a quoted text. A file that is not there refers to nothing, one that cannot be
// read to everything.
func refers(path, name string) bool {
	st, err := os.Stat(path)
	if os.IsNotExist(err) {
		return false
	}
	if err != nil || !st.Mode().IsRegular() {
		return err != nil
	}
	f, err := regular.Open(path)
	if err != nil {
		return true
	}
	defer f.Close()
	buf, have := make([]byte, 1<<20), 1 // a byte before the file, so that every name has one before it
	for {
		n, err := f.Read(buf[have:])
		have += n
		for at := 1; at < have; at++ {
			i := bytes.Index(buf[at:have], []byte(name))
			if i < 0 {
				break
			}
			at += i
			if b := buf[at-1]; len(name) > 127 || b == byte(len(name)) || b == '/' || b == '\\' || b == '"' || b == '\'' {
				return true
			}
		}
		if err == io.EOF {
			return false
		}
		if err != nil {
			return true
		}
		rest := min(have, len(name)+1) // may hold the beginning of the name
		copy(buf, buf[have-rest:have])
		have = rest
	}
}
