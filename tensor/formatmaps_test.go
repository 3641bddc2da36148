package tensor

import (
	"strings"
	"testing"
)

func TestFormatMaps(t *testing.T) {
	seq := func(maps ...*Tensor) *Tensor {
		s, err := NewSequence(maps[0].DType(), maps...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	of := func(keys []string, values ...float32) *Tensor {
		m, err := NewMap(FromStrings(keys, len(keys)), From(values, len(values)))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	pets := []string{"cat", "dog"}
	want := "sequence(map(string,float32)) of 2\n" +
		"        \"cat\"  \"dog\"\n" +
		"  0:     0.25   0.75\n" +
		"  1:  0.33333      1"
	got := Format(seq(of(pets, 0.25, 0.75), of(pets, 0.33333, 1)))
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := Format(seq(of(pets, 1, 2), of([]string{"a"}, 3))); !strings.Contains(got, "keys: ") {
		t.Errorf("maps with other keys are a table:\n%s", got)
	}
	var many []*Tensor
	for i := range 30 {
		many = append(many, of(pets, float32(i), 0))
	}
	lines := strings.Split(Format(seq(many...)), "\n")
	if len(lines) != 9 || strings.TrimSpace(lines[5]) != "..." || !strings.Contains(lines[8], "29:") {
		t.Errorf("30 maps:\n%s", strings.Join(lines, "\n"))
	}
	m, err := NewMap(From([]int64{3, 5}, 2), From([]int64{30, 50}, 2))
	if err != nil {
		t.Fatal(err)
	}
	if got := Format(seq(m)); !strings.HasSuffix(got, "\n       3   5\n  0:  30  50") {
		t.Errorf("whole numbers:\n%s", got)
	}
}
