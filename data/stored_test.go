package data

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// testdata/arrays/small.safetensors was written byte by byte from the description of the format.
func TestSafetensors(t *testing.T) {
	for _, kept := range []int64{keptArray, 0} {
		func() {
			defer func(n int64) { keptArray = n }(keptArray)
			keptArray = kept
			ds := must(Open(filepath.Join("testdata", "arrays", "small.safetensors"), Options{}))(t)
			if ds.Len() != 4 || !slices.Equal(ds.Classes(), []string{"ant", "bee", "cat"}) || ds.Label(1) != 2 || ds.Label(3) != -1 {
				t.Fatal(ds.Len(), ds.Classes())
			}
			for i := range 4 {
				f := float32(i)
				if e := must(ds.Example(i))(t); !slices.Equal(e.X.F32(), []float32{f, f + 0.5, -f}) {
					t.Error(i, e.X.F32())
				}
			}
		}()
	}
}

// safetensorsOf is a file of a header and data.
func safetensorsOf(header string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func TestSafetensorsHostile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	for header, want := range map[string]string{
		`{`:  "cannot read the header",
		`{}`: "no array",
		`{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,16]}}`:                                                     "bytes 0 to 16",
		`{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,17]}}`:                                                     "bytes 0 to 17",
		`{"x":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}}`:                                                    "x",
		`{"x":{"dtype":"F32","shape":[9999999999,9999999999],"data_offsets":[0,16]}}`:                                 "x",
		`{"x":{"dtype":"F32","shape":[4],"data_offsets":[-16,0]}}`:                                                    "bytes -16",
		`{"x":{"dtype":"F32","shape":[4],"data_offsets":[9223372036854775800,9223372036854775807]}}`:                  "bytes",
		`{"x":{"dtype":"Q4","shape":[4],"data_offsets":[0,16]}}`:                                                      "Q4",
		`{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"y":[]}`:                                              "y",
		`{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"__metadata__":3}`:                                    "metadata",
		`{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"y":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}`: "y",
	} {
		write1(t, path, safetensorsOf(header, make([]byte, 16)))
		_, err := Open(path, Options{})
		wantFormatError(t, err, want)
	}
	for _, b := range [][]byte{nil, {1, 2, 3}, bytes.Repeat([]byte{255}, 16), {0, 0, 0, 1, 0, 0, 0, 0}} {
		write1(t, path, b)
		_, err := Open(path, Options{})
		wantFormatError(t, err, "")
	}
}

func FuzzSafetensors(f *testing.F) {
	f.Add(must(os.ReadFile(filepath.Join("testdata", "arrays", "small.safetensors")))(f))
	f.Add(safetensorsOf(`{"x":{"dtype":"U8","shape":[2,2,2],"data_offsets":[0,8]},"ids":{"dtype":"BOOL","shape":[],"data_offsets":[8,9]}}`,
		make([]byte, 9)))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "a.safetensors")
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Skip(err)
		}
		ds, err := Open(path, Options{Limits: fuzzLimits})
		var fe *FormatError
		if err != nil && !errors.As(err, &fe) {
			t.Fatalf("%T: %v", err, err)
		}
		if err == nil {
			use(t, ds)
		}
	})
}

// Arrays in files give the same examples whether they are kept or read row by row.
func TestStored(t *testing.T) {
	dir := t.TempDir()
	pixels := make([]uint8, 5*4*3*3)
	for i := range pixels {
		pixels[i] = uint8(i * 7)
	}
	sets := map[string][]tensor.Named{
		"pictures": {{Name: "x", Tensor: tensor.From(pixels, 5, 4, 3, 3)}, {Name: "y", Tensor: tensor.From([]int64{0, 1, 2, 1, 0}, 5)}},
		"inputs": {{Name: "ids", Tensor: tensor.From([]int64{9, 8, 7, 6, 5}, 5)}, {Name: "a", Tensor: tensor.From(make([]float64, 10), 5, 2)},
			{Name: "b", Tensor: tensor.From([]bool{true, false, true, true, false}, 5, 1)},
			{Name: "labels", Tensor: tensor.From([]float32{1, 2, 3, 4, 5.5}, 5)}},
		"parts": {{Name: "x_train", Tensor: tensor.From([]float32{1, 2, 3, 4}, 4, 1)},
			{Name: "y_train", Tensor: tensor.From([]int64{0, 1, 1, 0}, 4)}},
	}
	for name, arrays := range sets {
		var b bytes.Buffer
		if err := tensor.WriteNPZ(&b, arrays); err != nil {
			t.Fatal(err)
		}
		npz := write1(t, filepath.Join(dir, name+".npz"), b.Bytes())
		folder := filepath.Join(dir, name)
		if err := os.Mkdir(folder, 0o777); err != nil {
			t.Fatal(err)
		}
		for _, a := range arrays {
			b.Reset()
			if err := tensor.WriteNPY(&b, a.Tensor); err != nil {
				t.Fatal(err)
			}
			write1(t, filepath.Join(folder, a.Name+".npy"), b.Bytes())
		}
		all := map[string][]string{}
		for _, kept := range []int64{keptArray, 0} {
			for _, spec := range []string{npz, "npy:" + folder} {
				func() {
					defer func(n int64) { keptArray = n }(keptArray)
					keptArray = kept
					ds := must(Open(spec, Options{}))(t)
					var seen []string
					for i := range ds.Len() {
						e := must(ds.Example(i))(t)
						seen = append(seen, fmt.Sprint(e.ID, e.Label, e.Picture, e.Y, shownTensor(e.X), shownFields(e.Fields)))
					}
					all[fmt.Sprint(spec, kept)] = seen
				}()
			}
		}
		var first []string
		for k, seen := range all {
			if first == nil {
				first = seen
			}
			if len(seen) == 0 || !slices.Equal(seen, first) {
				t.Errorf("%s: %q, elsewhere %q", k, seen, first)
			}
		}
	}
}

func shownTensor(t *tensor.Tensor) string {
	if t == nil {
		return ""
	}
	return t.String() + tensor.Format(t)
}

func shownFields(f map[string]*tensor.Tensor) string {
	m := map[string]string{}
	for k, t := range f {
		m[k] = shownTensor(t)
	}
	b, err := json.Marshal(m)
	return fmt.Sprint(string(b), err)
}

func TestNPY(t *testing.T) {
	dir := t.TempDir()
	for name, x := range map[string]*tensor.Tensor{"vectors": tensor.From([]float32{1, 2, 3, 4, 5, 6}, 3, 2),
		"labels": tensor.From([]int64{2, 0, 1}, 3)} {
		var b bytes.Buffer
		if err := tensor.WriteNPY(&b, x); err != nil {
			t.Fatal(err)
		}
		write1(t, filepath.Join(dir, name+".npy"), b.Bytes())
	}
	path := filepath.Join(dir, "vectors.npy")
	if ds := must(Open(path, Options{}))(t); ds.Len() != 3 || ds.Label(0) != -1 {
		t.Error(ds.Len(), ds.Label(0))
	}
	ds := must(Open(path+"?y=labels.npy", Options{}))(t)
	if e := must(ds.Example(2))(t); e.Label != 1 || !slices.Equal(e.X.F32(), []float32{5, 6}) {
		t.Error(e)
	}
	_, err := Open(path+"?y=../labels.npy", Options{})
	wantFormatError(t, err, "leaves the folder")
	defer func(n int64) { keptArray = n }(keptArray)
	keptArray = 0
	b := must(os.ReadFile(path))(t)
	write1(t, path, b[:len(b)-3])
	_, err = Open(path, Options{})
	wantFormatError(t, err, "cannot read the array")
	write1(t, path, b)
	ds = must(Open(path, Options{}))(t)
	write1(t, path, b[:len(b)-3]) // cut while it is used
	if _, err := ds.Example(2); err == nil {
		t.Error("no error")
	}
}
