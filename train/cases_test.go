package train

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/task"
)

// What an evaluation keeps of its examples is what going through all of them finds.
func TestCases(t *testing.T) {
	m, ds := load(t, built(t, "digits-trained", models.Options{})), open(t, "digits#test")
	type wrong struct {
		index int
		sure  float64
	}
	var all []wrong
	n, sure, right := [task.ReliabilityBins]int{}, 0.0, 0
	v, err := Evaluate(context.Background(), m, ds, EvalConfig{Each: func(i int, d *task.Decision) {
		p := d.Prob()[d.Best()]
		n[int(math.Ceil(p*task.ReliabilityBins))-1]++
		sure += p
		if d.Right() {
			right++
			return
		}
		all = append(all, wrong{i, p})
	}})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(all, func(a, b wrong) int {
		switch {
		case a.sure > b.sure:
			return -1
		case a.sure < b.sure:
			return 1
		}
		return 0
	})
	if len(all) == 0 || len(v.Mistakes) != min(len(all), mostMistakes) {
		t.Fatalf("%d mistakes are kept of %d", len(v.Mistakes), len(all))
	}
	for i, c := range v.Mistakes {
		if c.Index != all[i].index || c.Prob != all[i].sure || c.Label == c.Said || c.Label != ds.Label(c.Index) || c.Truth >= c.Prob {
			t.Errorf("mistake %d is %+v, want %+v", i, c, all[i])
		}
	}
	if len(v.Cases) != mostCases || v.Cases[1].Index != ds.Len()/mostCases {
		t.Errorf("the cases are %+v", v.Cases)
	}
	total := 0.0
	for i, c := range v.Reliability.N {
		total += v.Reliability.Confidence[i]
		if c != n[i] {
			t.Errorf("bin %d has %d, want %d", i, c, n[i])
		}
	}
	if math.Abs(total-sure) > 1e-9 || v.Reliability.ECE() != v.Metric("ece") {
		t.Errorf("confidence %v, want %v; ECE %v, want %v", total, sure, v.Reliability.ECE(), v.Metric("ece"))
	}
	f1, classes := 0.0, 0
	for k, row := range v.Confusion {
		is, said := 0, 0
		for j, n := range row {
			is, said = is+n, said+v.Confusion[j][k]
		}
		if v.Labels.Is[k] != is || v.Labels.Said[k] != said || v.Labels.Both[k] != row[k] {
			t.Errorf("class %d: %d %d %d", k, v.Labels.Is[k], v.Labels.Said[k], v.Labels.Both[k])
		}
		f1, classes = f1+v.Labels.F1(k), classes+1
	}
	if math.Abs(f1/float64(classes)-v.Metric("f1")) > 1e-12 {
		t.Errorf("F1 %v, want %v", f1/float64(classes), v.Metric("f1"))
	}
}
