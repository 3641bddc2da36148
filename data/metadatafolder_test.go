package data

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A tree as datasets' imagefolder reads it.
func TestMetadataFolder(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, b []byte) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		write1(t, path, b)
	}
	for _, p := range []string{"a.png", "sub/b.png", "c.png", "d.png"} {
		put("train/"+p, greyFile(7))
		put("test/"+p, greyFile(9))
	}
	put("train/metadata.csv", []byte("file_name,label,site\na.png,cat,1\nsub/b.png,dog,2\nc.png,cat,1\n"))
	put("test/metadata.jsonl", []byte(`{"file_name": "c.png", "label": "dog", "site": 1}`+"\n\n"+
		`{"label": "cat", "file_name": "sub/b.png"}`+"\n"))
	_, err := Open(dir, Options{})
	wantFormatError(t, err, "#t", "parts of the data")
	ds := must(Open(dir+"#train", Options{}))(t)
	if ds.Len() != 3 || ds.ID(1) != "sub/b.png" || ds.Label(1) != 1 || GroupOf(ds, 1, "site") != "2" {
		t.Error(ds.Len(), ds.ID(1), ds.Label(1))
	}
	mention(t, Notes(ds), "does not list 1", "d.png")
	ds = must(Open("imagefolder:"+dir+"#test", Options{Classes: ds.Classes()}))(t)
	if e := must(ds.Example(0))(t); ds.Len() != 2 || ds.Label(0) != 1 || ds.Label(1) != 0 || e.X.Bytes()[0] != 9 ||
		!slices.Equal(ds.Classes(), []string{"cat", "dog"}) || FileOf(ds, 1) != filepath.Join(dir, "test", "sub", "b.png") {
		t.Error(ds.Len(), ds.Label(0), e)
	}
	_, err = Open(dir+"#val", Options{})
	wantFormatError(t, err, "test, train")
	put("test/metadata.jsonl", []byte(`{"file_name": "../train/a.png"}`))
	_, err = Open(dir+"#test", Options{})
	wantFormatError(t, err, "leaves the folder")
	put("test/metadata.jsonl", []byte(`["a"]`))
	_, err = Open(dir+"#test", Options{})
	wantFormatError(t, err, "line 1", "not an object")
	put("test/metadata.jsonl", []byte(`{"name": "a.png", "x": 3}`))
	_, err = Open(dir+"#test", Options{})
	wantFormatError(t, err, "file_name")
}

// Class folders in folders of parts.
func TestSplitFolders(t *testing.T) {
	dir := t.TempDir()
	for _, p := range []string{"train/cat/1.png", "train/dog/2.png", "validation/dog/3.png"} {
		path := filepath.Join(dir, filepath.FromSlash(p))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		write1(t, path, greyFile(1))
	}
	_, err := Open(dir, Options{})
	wantFormatError(t, err, "#train")
	train := must(Open(dir+"#train", Options{}))(t)
	ds := must(Open(dir+"#val", Options{Classes: train.Classes()}))(t)
	if train.Len() != 2 || ds.Len() != 1 || ds.Label(0) != 1 || ds.ID(0) != "dog/3.png" {
		t.Error(train.Len(), ds.Len())
	}
}
