package data

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// tarOf is a tar of names and contents, in turn.
func tarOf(t testing.TB, files ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		var content []byte
		switch c := files[i+1].(type) {
		case string:
			content = []byte(c)
		case []byte:
			content = c
		}
		if err := w.WriteHeader(&tar.Header{Name: files[i].(string), Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// greyFile is a png of one grey value.
func greyFile(v uint8) []byte {
	m := image.NewGray(image.Rect(0, 0, 3, 2))
	for i := range m.Pix {
		m.Pix[i] = v
	}
	m.Set(0, 0, color.Gray{v})
	return pngOf(m)
}

func TestWebDataset(t *testing.T) {
	dir := t.TempDir()
	for k := range 2 {
		var files []any
		for i := range 5 {
			files = append(files, fmt.Sprintf("./%03d.png", i), greyFile(uint8(10*k+i)), fmt.Sprintf("./%03d.cls", i), fmt.Sprint(i%3)+"\n",
				fmt.Sprintf("./%03d.json", i), fmt.Sprintf(`{"site": "s%d", "score": %d, "deep": {"x": 1}}`, i%2, i), fmt.Sprintf("./%03d.wav", i), "x")
		}
		write1(t, filepath.Join(dir, fmt.Sprintf("train-%03d.tar", k)), tarOf(t, files...))
	}
	for _, spec := range []string{dir, dir + "#train", filepath.Join(dir, "train-{000..001}.tar"), "tar:" + dir,
		"webdataset:" + filepath.Join(dir, "train-{000..001}.tar")} {
		ds := must(Open(spec, Options{}))(t)
		if ds.Len() != 10 || len(ds.Classes()) != 3 || ds.ID(7) != "train-001/002" || ds.Label(7) != 2 || GroupOf(ds, 8, "site") != "s1" {
			t.Fatalf("%s: %d, %v, %q, %d", spec, ds.Len(), ds.Classes(), ds.ID(7), ds.Label(7))
		}
		e := must(ds.Example(7))(t)
		if !e.Picture || !e.X.Shape().Equal(tensor.Shape{1, 2, 3}) || e.X.Bytes()[0] != 12 {
			t.Errorf("%v", e.X)
		}
		mention(t, Notes(ds), "10 files .wav")
	}
	ds := must(Open(filepath.Join(dir, "train-000.tar")+"?label=score&task=regression", Options{}))
	if e := must(ds(t).Example(3))(t); e.ID != "003" || e.Y.Float64s()[0] != 3 {
		t.Error(e)
	}
	if _, err := Open(dir+"#test", Options{}); err == nil || !strings.Contains(err.Error(), "train") {
		t.Error(err)
	}
}

func TestWebDatasetForms(t *testing.T) {
	var npy bytes.Buffer
	if err := tensor.WriteNPY(&npy, tensor.From([]float32{1, 2, 3}, 3)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.tar")
	open := func(files ...any) (Dataset, error) {
		write1(t, path, tarOf(t, files...))
		return Open(path, Options{})
	}
	ds := must(open("a.npy", npy.Bytes(), "a.txt", "cat", "b.txt", "dog", "b.npy", npy.Bytes(), "c.npy", npy.Bytes(), "c.txt", "cat",
		"d.npy", npy.Bytes(), "d.txt", "cat"))(t)
	if e := must(ds.Example(1))(t); ds.Len() != 4 || !slices.Equal(ds.Classes(), []string{"cat", "dog"}) || e.Label != 1 ||
		!slices.Equal(e.X.F32(), []float32{1, 2, 3}) {
		t.Error(ds.Classes(), e)
	}
	ds = must(open("x/a.png", greyFile(3), "x/a.mask.png", greyFile(1), "y/a.png", greyFile(4), "y/a.mask.png", greyFile(0)))(t)
	if e := must(ds.Example(0))(t); !Masked(ds) || ds.ID(1) != "y/a" || e.Mask.Bytes()[0] != 1 {
		t.Error(e)
	}
	for want, files := range map[string][]any{
		"no picture and no array": {"a.wav", "x"},
		"a second file":           {"a.png", greyFile(1), "a.jpg", greyFile(1)},
		"no picture":              {"a.png", greyFile(1), "a.cls", "1", "b.cls", "2"},
		"comes twice":             {"a.png", greyFile(1), "b.png", greyFile(1), "a.png", greyFile(2)},
		"metadata":                {"a.png", greyFile(1), "a.json", "{"},
		"short texts":             {"a.png", greyFile(1), "a.txt", strings.Repeat("x", maxNote+1)},
		"no label":                {"a.png", greyFile(1), "a.cls", "1", "b.png", greyFile(1)},
		"a mask is missing":       {"a.png", greyFile(1), "b.png", greyFile(1), "b.mask.png", greyFile(1)},
		"no samples":              {},
	} {
		_, err := open(files...)
		wantFormatError(t, err, want)
	}
	whole := tarOf(t, "a.png", greyFile(1), "a.cls", "1", "b.png", greyFile(1), "b.cls", "0")
	for cut := range len(whole) - 1024 {
		if cut%7 == 0 {
			write1(t, path, whole[:cut])
			if ds, err := Open(path, Options{}); err == nil {
				use(t, ds)
			}
		}
	}
	bad := must(open("a.png", greyFile(1), "b.png", []byte("no")))(t)
	if _, err := bad.Example(1); err == nil || !strings.Contains(err.Error(), "sample b") {
		t.Error(err)
	}
	skipped := must(Open(path, Options{OnBadSample: "skip"}))(t)
	if skipped.Len() != 1 || len(Skipped(skipped)) != 1 {
		t.Error(skipped.Len())
	}
}

func FuzzWebDataset(f *testing.F) {
	f.Add(tarOf(f, "a.png", greyFile(1), "a.cls", "1", "b.png", greyFile(1), "b.cls", "0"))
	f.Add(tarOf(f, "a.png", greyFile(1), "a.json", `{"label": [1, "a"], "x": null}`, "a.mask.png", greyFile(0)))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "a.tar")
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Skip(err)
		}
		ds, err := Open("webdataset:"+path, Options{Limits: fuzzLimits})
		var fe *FormatError
		if err != nil && !errors.As(err, &fe) {
			t.Fatalf("%T: %v", err, err)
		}
		if err == nil {
			use(t, ds)
		}
	})
}
