package job

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/train"
)

// Losses by step are read as they were written, up to where a resume begins, and what is no such file gives none.
func TestStepLosses(t *testing.T) {
	dir := t.TempDir()
	var s stepLosses
	for i := range 5001 {
		s.add(train.Progress{Step: i + 1, BatchLoss: 1 / float64(i+1)})
	}
	if len(s.at) > mostStepLosses || s.width != 4 || s.at[0] != 4 || math.Abs(s.loss[0]-(1+1./2+1./3+1./4)/4) > 1e-12 {
		t.Fatalf("%d points of %d steps, the first %v at %v", len(s.at), s.width, s.loss[0], s.at[0])
	}
	path := filepath.Join(dir, stepsCSV)
	if err := WriteFile(path, s.write); err != nil {
		t.Fatal(err)
	}
	if got := readSteps(dir, math.MaxInt); !slices.Equal(got.at, s.at) || !slices.Equal(got.loss, s.loss) || got.width != s.width {
		t.Errorf("%d points of %d steps are read", len(got.at), got.width)
	}
	if got := readSteps(dir, 18); !slices.Equal(got.at, []float64{4, 8, 12, 16}) {
		t.Errorf("up to step 18: %v", got.at)
	}
	for _, bad := range []string{"", "x", "step,loss\n0,1\n", "step,loss\n3,x\n", "step,loss\n2,1\n2,1\n", "a,b\n1,1\n", "step,loss\n1,2,3\n",
		"step,loss\n" + strings.Repeat("9", 400) + ",1\n"} {
		if err := os.WriteFile(path, []byte(bad), 0o666); err != nil {
			t.Fatal(err)
		}
		if got := readSteps(dir, math.MaxInt); len(got.at) > 1 {
			t.Errorf("%q gives %v", bad, got.at)
		}
	}
}
