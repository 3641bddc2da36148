package report

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

func TestMatrix(t *testing.T) {
	r := New("t", "")
	r.Section("", "").Add(Matrix{Caption: "What is taken for what", Classes: []string{"cat", "<dog>", "none"},
		Counts: [][]int{{90, 10, 0}, {1, 999, 0}, {0, 0, 0}}})
	s := render(t, r)
	for _, want := range []string{
		`class="right dark" style="--v:90%" title="cat: 90 of 100 right">90<`,
		`class="wrong" style="--v:10%" title="cat taken for &lt;dog&gt;: 10 of 100">10<`, `class="wrong" style="--v:8%"`,
		`class="right" style="--v:0%" title="none: 0 of 0 right"><`,
	} {
		if !strings.Contains(s, want) {
			t.Errorf("the page lacks %s in\n%s", want, s[strings.Index(s, "<section"):])
		}
	}
	big := Matrix{Classes: make([]string, 40), Counts: make([][]int, 40)}
	for i := range big.Counts {
		big.Counts[i] = make([]int, 40)
		big.Counts[i][i] = 12345
	}
	r = New("t", "")
	r.Section("", "").Add(big)
	if s := render(t, r); !strings.Contains(s, "matrix small") || strings.Contains(s, ">12345</td><td class=\"wrong") {
		t.Error("the cells of many classes hold numbers")
	}
	for _, bad := range []Block{Matrix{Classes: []string{"a"}}, Matrix{Classes: []string{"a"}, Counts: [][]int{{1, 2}}},
		Scatter{Series: []Series{{Y: []float64{1}}}}} {
		r := New("t", "")
		r.Section("", "").Add(bad)
		if err := r.Write(&bytes.Buffer{}); err == nil {
			t.Errorf("%v was drawn", bad)
		}
	}
}

func TestScatter(t *testing.T) {
	r := New("t", "")
	r.Section("", "").Add(Scatter{Title: "True and said", XLabel: "true", YLabel: "said", Series: []Series{
		{Name: "a", X: []float64{0, 1, math.NaN()}, Y: []float64{0, 2, 1}},
		{Name: "b", X: make([]float64, 5000), Y: make([]float64, 5000)},
	}})
	s := render(t, r)
	if n := strings.Count(s, "<circle"); n < 2+maxDots/2 || n > 2+maxDots {
		t.Errorf("%d dots", n)
	}
	if strings.Contains(s, "<polyline") || !strings.Contains(s, `class="mark" x1=`) ||
		!strings.Contains(s, `<span class="c1">b</span>`) || strings.Contains(s, "NaN") {
		t.Error(s[strings.Index(s, "<section"):][:2000])
	}
	r = New("t", "")
	r.Section("", "").Add(Scatter{})
	render(t, r)
}
