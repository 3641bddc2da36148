package onnx

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/internal/whole"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// pair writes a model and its external data so that they change together, whatever happens on the way:
//
//   - Where no data are there yet, they get the name that is asked for (NAME.onnx.data). Where a pair is replaced, they get one with the
//     first digits of their SHA-256 in it, NAME.onnx.0123456789abcdef.data, unless these very bytes lie under the name asked for. So
//     no data of a model that is there are touched, and whoever has read the old model finds its data or none.
//   - The model is renamed last. Before that moment the old model reads the old data, after it the new model the new ones.
//   - Then data files of these two forms of names that no model in the folder refers to are taken away. When the process is killed before
//     that, its lock is still there, and the next that writes in the folder does it.
type pair struct {
	m        *Model
	path     string // of the model
	dataName string // that is asked for
}

func init() {
	whole.Recover(func(path, model string) {
		w := &pair{path: filepath.Join(filepath.Dir(path), model), dataName: filepath.Base(path)}
		w.sweep(append(w.old(), w.dataName), "")
	})
}

// lock keeps others from writing the same pair.
func (w *pair) lock() (*whole.Lock, error) {
	l, err := whole.Wait(w.beside(w.dataName))
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	l.Note(filepath.Base(w.path))
	return l, nil
}

// beside is the path of a file beside the model.
func (w *pair) beside(name string) string { return filepath.Join(filepath.Dir(w.path), name) }

// alone writes a model without external data, and takes away those of the one before.
func (w *pair) alone(p *onnxpb.ModelProto) error {
	b, err := marshalModel(p)
	if err != nil {
		return err
	}
	old := w.old()
	if len(old) == 0 {
		return w.model(b)
	}
	l, err := w.lock()
	if err != nil {
		return err
	}
	defer l.Release()
	if err := w.model(b); err != nil {
		return err
	}
	w.sweep(old, "")
	return nil
}

// both writes a model with external data.
func (w *pair) both(o WriteOptions) error {
	l, err := w.lock()
	if err != nil {
		return err
	}
	defer l.Release()
	f, err := whole.Create(w.beside(w.dataName))
	if err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	p, refer, err := w.m.writeData(f, o)
	if err == nil {
		err = f.Done()
	}
	if err != nil {
		f.Discard()
		return err
	}
	name, there, err := w.choose(f.Name())
	if err != nil {
		f.Discard()
		return err
	}
	refer(name)
	b, err := marshalModel(p)
	if err != nil {
		f.Discard()
		return err
	}
	if there {
		f.Discard()
	} else {
		f.To(w.beside(name))
		if err := f.Commit(); err != nil {
			return fmt.Errorf("onnx: %w", err)
		}
	}
	if err := w.model(b); err != nil {
		if !there {
			_ = whole.Remove(w.beside(name)) // or the next writer does
		}
		return err
	}
	w.sweep(append(w.old(), w.dataName), name)
	return nil
}

func (w *pair) model(b []byte) error { return writeAlone(w.path, b) }

func writeAlone(path string, b []byte) error {
	err := whole.Write(path, func(f io.Writer) error { _, err := f.Write(b); return err })
	if err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	return nil
}

// choose is the name for the data in the file made, and whether a file with these very bytes is there.
func (w *pair) choose(made string) (name string, there bool, err error) {
	replaces := len(w.old()) > 0
	if _, err := os.Lstat(w.beside(w.dataName)); errors.Is(err, fs.ErrNotExist) && !replaces {
		return w.dataName, false, nil
	}
	sum, err := w.hash(made)
	if err != nil {
		return "", false, err
	}
	ext := filepath.Ext(w.dataName)
	stem := strings.TrimSuffix(w.dataName, ext) + "." + hex.EncodeToString(sum[:8])
	for k := 1; ; k++ {
		switch name = stem + ext; {
		case k == 1:
			name = w.dataName
		case k > 2:
			name = fmt.Sprintf("%s-%d%s", stem, k-1, ext)
		}
		at := w.beside(name)
		st, err := os.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) {
			if k == 1 && replaces {
				continue
			}
			return name, false, nil
		}
		if err != nil || !st.Mode().IsRegular() {
			continue
		}
		if now, err := os.Stat(made); err == nil && now.Size() == st.Size() {
			if have, err := w.hash(at); err == nil && bytes.Equal(have, sum) {
				return name, true, nil
			}
		}
	}
}

// hash is the SHA-256 of a file.
func (w *pair) hash(path string) ([]byte, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	defer f.Close()
	var ctx context.Context
	if w.m != nil {
		ctx = w.m.ctx
	}
	h := sha256.New()
	if err := copyPieces(ctx, h, f); err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	return h.Sum(nil), nil
}

// old are the names beside the model that its data can have had: the one asked for where the model that is there refers to it, and those
// with a hash.
func (w *pair) old() (names []string) {
	ext := filepath.Ext(w.dataName)
	hashed := regexp.MustCompile(`^` + regexp.QuoteMeta(strings.TrimSuffix(w.dataName, ext)) + `\.[0-9a-f]{16}(-[0-9]+)?` +
		regexp.QuoteMeta(ext) + `$`)
	all, _ := os.ReadDir(filepath.Dir(w.path)) // those that could be read
	for _, e := range all {
		n := e.Name()
		if hashed.MatchString(n) || n == w.dataName && refers(w.path, n) {
			names = append(names, n)
		}
	}
	return names
}

// sweep takes away those files, but for keep, that no model in the folder refers to.
func (w *pair) sweep(names []string, keep string) {
	for _, n := range names {
		at := w.beside(n)
		st, err := os.Lstat(at)
		if n == keep || err != nil || !st.Mode().IsRegular() || referred(filepath.Dir(w.path), n) {
			continue
		}
		if w.m == nil || w.m.data.hold(n, st) {
			_ = whole.Remove(at) // what stays is taken by the next writer
		}
	}
}
