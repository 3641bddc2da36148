package job_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/tensor"
)

// The classes of a few examples of many are those that all are told with.
func TestRunRows(t *testing.T) {
	x := tensor.New(tensor.Float32, 50, 1, 8, 8)
	for i := range x.F32() {
		x.F32()[i] = float32(math.Sin(float64(i)))
	}
	path := filepath.Join(t.TempDir(), "x.npy")
	var b bytes.Buffer
	if err := errors.Join(tensor.WriteNPY(&b, x), os.WriteFile(path, b.Bytes(), 0o666)); err != nil {
		t.Fatal(err)
	}
	run := func(rows int) *job.RunReport {
		t.Helper()
		r, err := job.Run(context.Background(), job.RunConfig{Model: "builtin:digits-trained", Files: []string{path}, Rows: rows}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	all, few := run(0), run(7)
	if len(all.Top) != 50 || all.Untold != 0 || len(few.Top) != 7 || few.Untold != 43 {
		t.Fatal(len(all.Top), all.Untold, len(few.Top), few.Untold)
	}
	for i, row := range few.Top {
		if row.File != all.Top[i].File || !slices.Equal(row.Classes, all.Top[i].Classes) {
			t.Errorf("%v, of all %v", row, all.Top[i])
		}
	}
}
