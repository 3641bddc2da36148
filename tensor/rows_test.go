package tensor_test

import (
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

func TestCopyRows(t *testing.T) {
	words, to := tensor.FromStrings([]string{"a", "b", "c", "d", "e", "f"}, 3, 2), tensor.New(tensor.String, 3, 2)
	tensor.CopyRows(to, 0, words, 1, 3, 3)
	if want := []string{"c", "d", "e", "f", "", ""}; !slices.Equal(to.Strings(), want) {
		t.Errorf("%q, want %q", to.Strings(), want)
	}
	numbers := tensor.New(tensor.Int16, 2, 2)
	tensor.CopyRows(numbers, 1, tensor.From([]int16{1, 2, 3, 4}, 2, 2), 0, 1, 2)
	if want := tensor.From([]int16{0, 0, 1, 2}, 2, 2); !tensor.Equal(numbers, want) {
		t.Errorf("%v, want %v", numbers, want)
	}
	tensor.CopyRows(numbers, 0, tensor.New(tensor.Int16, 0, 2), 0, 0, 0)
}
