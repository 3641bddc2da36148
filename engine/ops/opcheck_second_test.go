package ops_test

import (
	"fmt"
	"testing"

	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/testkit"
)

// everySecondOrder compares the operators, by their definitions, of which some case has a gradient that agrees and no gradient of the
// gradient, with testdata/no_second_order.txt. It is called when all have run.
func everySecondOrder(t *testing.T) {
	known := testkit.ReadKnownFailures(t, "testdata/no_second_order.txt")
	for _, s := range ops.Standard.All() {
		row := testkit.PassesRow(s.Domain, s.Name, s.Since)
		first, second := tally.Count(row, "first"), tally.Count(row, "second")
		if first == 0 || s.Domain == ops.Private {
			continue
		}
		var err error
		if second < first {
			err = fmt.Errorf("the gradients of %d cases agree and the gradients of the gradients of %d", first, second)
		}
		t.Run("second/"+row, func(t *testing.T) { known.Check(t, row, err) })
	}
	known.CheckStale(t)
}
