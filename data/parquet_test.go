package data

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parquet"
	"github.com/gtk-onnx/gtk/tensor"
)

// The files of testdata/parquet were written by parquet-wasm 0.6 (the Rust implementation of Apache Arrow) from arrays of apache-arrow, the
// pictures by Pillow.
func parquetFile(name string) string { return filepath.Join("testdata", "parquet", name) }

func TestParquetTable(t *testing.T) {
	for _, name := range []string{"plain", "snappy", "gzip", "zstd", "lz4", "v2"} {
		for _, kept := range []int64{1 << 20, 0} {
			func() {
				defer func(n int64) { keptTable = n }(keptTable)
				keptTable = kept
				ds, err := Open(parquetFile("table_"+name+".parquet"), Options{})
				if err != nil {
					t.Fatal(name, err)
				}
				if ds.Len() != 40 || !slices.Equal(ds.Classes(), []string{"cat", "dog", "owl"}) {
					t.Fatal(name, ds.Len(), ds.Classes())
				}
				if !slices.Equal(FeatureNames(ds), []string{"a", "k", "d", "big", "flag"}) {
					t.Error(FeatureNames(ds))
				}
				for _, i := range []int{39, 0, 17, 16, 5, 31, 32} {
					e, err := ds.Example(i)
					if err != nil {
						t.Fatal(name, err)
					}
					flag := float32(0)
					if i%5 == 0 {
						flag = 1
					}
					want := []float32{float32(i) / 4, float32(i*7 - 20), float32(math.Sin(float64(i))), float32(int64(i) * 1000000007), flag}
					if e.Label != i%3 || !slices.Equal(e.X.F32(), want) {
						t.Errorf("%s, row %d: %v %v, want %v", name, i, e.Label, e.X.F32(), want)
					}
				}
			}()
		}
	}
}

func TestParquetMissing(t *testing.T) {
	path := parquetFile("holes.parquet")
	_, err := Open(path, Options{})
	if err == nil || !strings.Contains(err.Error(), "row 3, column a") {
		t.Error(err)
	}
	for _, kept := range []int64{1 << 20, 0} {
		defer func(n int64) { keptTable = n }(keptTable)
		keptTable = kept
		for query, want := range map[string]float32{"zero": 0, "mean": 42. / 9, "drop": 4} {
			ds, err := Open("parquet:"+path+"?missing="+query, Options{})
			if err != nil {
				t.Fatal(err)
			}
			e, err := ds.Example(3)
			if err != nil || e.X.F32()[0] != want {
				t.Errorf("%s: %v %v, want %v", query, e.X, err, want)
			}
			if query == "drop" && (ds.Len() != 9 || ds.Label(3) != 0 || e.X.F32()[1] != 4) {
				t.Errorf("%d rows, label %d, %v", ds.Len(), ds.Label(3), e.X.F32())
			}
		}
	}
}

func TestParquetLists(t *testing.T) {
	ds, err := Open(parquetFile("vector.parquet"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range ds.Len() {
		e, err := ds.Example(i)
		if err != nil || e.Label != i%2 || !slices.Equal(e.X.F32(), []float32{float32(i), float32(i) + 0.5, float32(i) * 2}) {
			t.Fatal(i, e, err)
		}
	}
	ds, err = Open(parquetFile("tokens.parquet"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range ds.Len() {
		e, err := ds.Example(i)
		if err != nil {
			t.Fatal(err)
		}
		k := int64(i)
		if ids, m := e.Fields["input_ids"], e.Fields["mat"]; !tensor.Equal(ids, tensor.From([]int64{k, k + 1, k + 2, k + 3}, 4)) ||
			!tensor.Equal(m, tensor.From([]float64{float64(i), 1, 2, 3, 4, 5}, 2, 3)) || !tensor.Equal(e.Y, ids) {
			t.Fatal(i, e.Fields, e.Y)
		}
	}
}

func TestParquetPictures(t *testing.T) {
	ds, err := Open(parquetFile("pictures.parquet"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(ds.Classes(), []string{"zebra", "ant"}) || ds.Len() != 6 {
		t.Fatal(ds.Classes(), ds.Len())
	}
	for i := range ds.Len() {
		e, err := ds.Example(i)
		if err != nil || !e.Picture || e.Label != i%2 || !e.X.Shape().Equal(tensor.Shape{3, 3, 4}) || e.X.Bytes()[0] != byte(i*40) {
			t.Fatal(i, e, err)
		}
	}
	given, err := Open(parquetFile("pictures.parquet"), Options{Classes: []string{"ant", "bee", "zebra"}})
	if err != nil || given.Label(0) != 2 || given.Label(1) != 0 {
		t.Error(err)
	}
	tags, err := Open(parquetFile("tagged.parquet"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := tags.Example(2)
	if err != nil || !slices.Equal(tags.Classes(), []string{"big", "red"}) || !slices.Equal(e.Y.Float64s(), []float64{1, 1}) {
		t.Error(tags.Classes(), e.Y, err)
	}
}

// A folder of shards is cut into its parts by the names of the files.
func TestParquetFolder(t *testing.T) {
	dir := t.TempDir()
	b, err := os.ReadFile(parquetFile("table_snappy.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet",
		"data/test-00000-of-00001.parquet"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, b, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "#train") {
		t.Error(err)
	}
	ds, err := Open(dir+"#train", Options{})
	if err != nil || ds.Len() != 80 {
		t.Fatal(err)
	}
	e, err := ds.Example(57)
	if err != nil || e.X.F32()[0] != 17./4 || e.Label != 17%3 {
		t.Error(e, err)
	}
	if _, err := Open(dir+"#validation", Options{}); err == nil || !strings.Contains(err.Error(), "train, test") {
		t.Error(err)
	}
}

// Every shorter file and every changed byte is an error, or data that can be read, within bounded memory.
func FuzzParquet(f *testing.F) {
	names, err := filepath.Glob(parquetFile("*.parquet"))
	if err != nil || len(names) == 0 {
		f.Fatal(names, err)
	}
	for _, n := range names {
		f.Add(must(os.ReadFile(n))(f))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		asked := int64(0)
		ask := func(n int64) error {
			if asked += n; asked > fuzzLimits.Bytes {
				return errNoFlags
			}
			return nil
		}
		file, err := parquet.Open(bytes.NewReader(b), int64(len(b)), ask)
		if err != nil {
			return
		}
		for g := range file.Groups {
			for c := range file.Columns {
				asked = 0
				chunk, err := file.Chunk(g, c, ask)
				if err != nil {
					continue
				}
				dict, err := chunk.Dictionary(ask)
				if err != nil {
					continue
				}
				for i := range chunk.Pages {
					_, _ = chunk.Page(i, dict, ask)
				}
			}
		}
	})
}

func TestParquetDamaged(t *testing.T) {
	b, err := os.ReadFile(parquetFile("table_snappy.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.parquet")
	for cut := 0; cut < len(b); cut += 97 {
		if err := os.WriteFile(path, b[:cut], 0o666); err != nil {
			t.Fatal(err)
		}
		var fe *FormatError
		if _, err := Open("parquet:"+path, Options{}); !errors.As(err, &fe) || fe.Remedy == "" {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
	for at := 0; at < len(b); at += 3 {
		bad := bytes.Clone(b)
		bad[at] ^= 0x55
		if err := os.WriteFile(path, bad, 0o666); err != nil {
			t.Fatal(err)
		}
		ds, err := Open("parquet:"+path, Options{Limits: fuzzLimits})
		var fe *FormatError
		if err != nil && !errors.As(err, &fe) {
			t.Fatalf("byte %d: %T %v", at, err, err)
		}
		if err == nil {
			use(t, ds)
		}
	}
}
