package data_test

import (
	"context"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestViews: a batch has all examples of view 0, then of view 1; views are drawn apart, the same again after a resume, and the first
// epoch's are not those of the second.
func TestViews(t *testing.T) {
	ds, err := data.Open("shapes?n=10", data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	global, _ := data.ParseAugment("resized=0.3:1,flip")
	local, _ := data.ParseAugment("resized=0.05:0.3")
	pre := data.Preprocess{ImageSize: [2]int{16, 16}}
	read := func(o data.BatchOptions) (all []*data.Batch) {
		o.Preprocess, o.Seed, o.DropLast = &pre, 7, true
		for b, err := range data.Views(context.Background(), ds, data.Shuffled(10, 7), 4, o, []data.Augment{global, global, local}) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b.Clone())
		}
		return all
	}
	first := read(data.BatchOptions{})
	if len(first) != 2 {
		t.Fatalf("%d batches", len(first))
	}
	for _, b := range first {
		if b.Len() != 12 || b.X.Dim(0) != 12 {
			t.Fatalf("%d rows, X %v", b.Len(), b.X)
		}
		for i := range 4 {
			if b.IDs[i] != b.IDs[4+i] || b.IDs[i] != b.IDs[8+i] || b.Labels[i] != b.Labels[8+i] {
				t.Errorf("row %d is of %v", i, b.IDs)
			}
			if tensor.Equal(b.Slice(i, i+1).X, b.Slice(4+i, 5+i).X) {
				t.Errorf("both global views of %s are the same", b.IDs[i])
			}
		}
	}
	again := read(data.BatchOptions{Skip: 1, Workers: 1})
	if len(again) != 1 || !tensor.Equal(again[0].X, first[1].X) {
		t.Error("a batch differs where the one before is skipped")
	}
	if other := read(data.BatchOptions{Epoch: 1}); tensor.Equal(other[0].X, first[0].X) {
		t.Error("the second epoch has the views of the first")
	}
	mix, _ := data.ParseAugment("mixup")
	for _, err := range data.Views(context.Background(), ds, data.Sequential(10), 4, data.BatchOptions{}, []data.Augment{mix, mix}) {
		if err == nil {
			t.Error("views are mixed")
		}
		break
	}
}
