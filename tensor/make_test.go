package tensor

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/internal/memory"
)

func TestMake(t *testing.T) {
	for _, d := range []DType{Float32, Int4, String, Bool} {
		m, err := Make("a tensor", d, 3, 1<<19)
		if err != nil || m.Len() != 3<<19 || m.DType() != d {
			t.Errorf("%v: %v %v", d, m, err)
		}
	}
	if _, err := Make("a tensor", Float32, math.MaxInt/2, math.MaxInt/2); !errors.Is(err, ErrShape) {
		t.Errorf("an impossible shape: %v", err)
	}
	memory.SetBudget(1 << 30)
	defer memory.SetBudget(0)
	_, err := Make("the weight w", Float32, 1<<30)
	if e, ok := errors.AsType[*memory.Error](err); !ok || e.Need != 4<<30 || !strings.Contains(err.Error(), "the weight w needs 4096 MiB") {
		t.Errorf("more than there is: %v", err)
	}
	// What is collected does not count.
	for range 8 {
		if _, err := Make("a tensor", Uint8, 300<<20); err != nil {
			t.Fatal(err)
		}
	}
}
