package onnx

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// dataFolder is where the external data of a model may lie.
type dataFolder struct {
	root string // nothing outside of it is opened; "" when there is none
	rel  string // the model's folder in root
	held *heldFiles
}

func newDataFolder(dir, root string) (dataFolder, error) {
	if root == "" {
		return dataFolder{root: dir, rel: ".", held: &heldFiles{}}, nil
	}
	r, err := filepath.Abs(root)
	if err != nil {
		return dataFolder{}, err
	}
	d, err := filepath.Abs(dir)
	if err != nil {
		return dataFolder{}, err
	}
	rel, err := filepath.Rel(r, d)
	if err != nil || !filepath.IsLocal(rel) {
		return dataFolder{}, fmt.Errorf("the model is not inside the data root %s", root)
	}
	return dataFolder{root: root, rel: rel, held: &heldFiles{}}, nil
}

// open opens a regular file by its location, a relative path with slashes that stays in the model's folder.
func (d dataFolder) open(location string) (*os.File, int64, error) {
	if d.root == "" {
		return nil, 0, &UnsupportedError{Feature: "external data without the folder of the model: read the model with ReadFile"}
	}
	if location == "" {
		return nil, 0, &FormatError{Msg: "external data without a location"}
	}
	outside := !filepath.IsLocal(filepath.FromSlash(location))
	for _, part := range strings.FieldsFunc(location, func(r rune) bool { return r == '/' || r == '\\' }) {
		outside = outside || part == ".."
	}
	if outside {
		return nil, 0, &FormatError{Msg: fmt.Sprintf("external data at %q is outside the model's folder; it must be beside the model",
			location)}
	}
	if f, size := d.held.open(location); f != nil {
		return f, size, nil
	}
	root, err := os.OpenRoot(d.root)
	if err != nil {
		return nil, 0, fmt.Errorf("onnx: external data: %w", err)
	}
	defer root.Close()
	name := filepath.Join(d.rel, filepath.FromSlash(location))
	st, err := root.Stat(name) // before opening: a device may act when it is opened
	if err == nil && !st.Mode().IsRegular() {
		return nil, 0, &FormatError{Msg: fmt.Sprintf("external data at %q is %s, not a file", location, regular.Kind(st.Mode()))}
	}
	if err != nil {
		if _, inside := root.Lstat(name); inside == nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return nil, 0, &FormatError{Msg: fmt.Sprintf("external data at %q is a symbolic link out of the model's folder; copy the "+
				"file there, or widen the folder (DataRoot): %v", location, err)}
		}
		return nil, 0, fmt.Errorf("onnx: external data, the file %q must be beside the model: %w", location, err)
	}
	f, err := root.OpenFile(name, os.O_RDONLY|regular.NoWait, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("onnx: external data: %w", err)
	}
	if st, err = f.Stat(); err != nil || !st.Mode().IsRegular() {
		f.Close()
		return nil, 0, &FormatError{Msg: fmt.Sprintf("external data at %q is not a file", location)}
	}
	return f, st.Size(), nil
}

// externalRange says where the external data of t is, with all sizes checked but that of the file.
func externalRange(t *onnxpb.TensorProto) (location string, offset, size int64, checksum string, shape tensor.Shape, err error) {
	shape, n, err := shapeOf(t)
	if err != nil {
		return "", 0, 0, "", nil, err
	}
	d := tensor.DType(t.GetDataType())
	if d == tensor.String {
		return "", 0, 0, "", nil, &FormatError{Msg: "strings cannot be external data"}
	}
	size = int64(d.Size(n))
	for _, e := range t.GetExternalData() {
		var v int64
		switch e.GetKey() {
		case "location":
			location = e.GetValue()
		case "checksum":
			checksum = e.GetValue()
		case "offset", "length":
			v, err = strconv.ParseInt(strings.TrimSpace(e.GetValue()), 10, 64)
			if err != nil || v < 0 {
				return "", 0, 0, "", nil, &FormatError{Msg: fmt.Sprintf("external data: %s %q is not a size", e.GetKey(), e.GetValue())}
			}
			if e.GetKey() == "offset" {
				offset = v
			} else if v != size && v != 0 { // 0 stands for as many as the shape needs, as in ONNX Runtime
				return "", 0, 0, "", nil, &FormatError{Msg: fmt.Sprintf("external data: %v%v needs %d bytes, length is %d", d, shape,
					size, v)}
			}
		}
	}
	if location == "" {
		err = &FormatError{Msg: "external data without a location"}
	}
	return location, offset, size, checksum, shape, err
}

// openExternal opens the file of the external data of t and says which range of it the tensor is.
func (m *Model) openExternal(t *onnxpb.TensorProto) (f *os.File, location string, offset, size int64, shape tensor.Shape, err error) {
	location, offset, size, checksum, shape, err := externalRange(t)
	if err != nil {
		return nil, "", 0, 0, nil, err
	}
	f, have, err := m.data.open(location)
	if err != nil {
		return nil, "", 0, 0, nil, err
	}
	if offset > have || size > have-offset {
		err = &FormatError{Msg: fmt.Sprintf("external data: bytes %d to %d of %q, which has %d: the file is cut short or belongs to "+
			"another model", offset, offset+size, location, have)}
	} else if checksum != "" {
		err = m.verify(f, location, checksum)
	}
	if err != nil {
		f.Close()
		return nil, "", 0, 0, nil, err
	}
	return f, location, offset, size, shape, nil
}

// verify compares the SHA-1 of a whole file with what the model says, once for each file.
func (m *Model) verify(f *os.File, location, checksum string) error {
	key := location + "\x00" + checksum
	m.mu.Lock()
	defer m.mu.Unlock()
	if err, ok := m.sums[key]; ok {
		return err
	}
	h := sha1.New()
	err := copyPieces(m.ctx, h, f)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); !strings.EqualFold(got, strings.TrimSpace(checksum)) {
		err = &FormatError{Msg: fmt.Sprintf("external data: the SHA-1 of %q is %s, the model says %s", location, got, checksum)}
	}
	if m.sums == nil {
		m.sums = map[string]error{}
	}
	m.sums[key] = err
	return err
}
