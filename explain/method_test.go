package explain

import (
	"slices"
	"strings"
	"testing"
)

func TestRegistry(t *testing.T) {
	var names []string
	for name, m := range Methods() {
		names = append(names, name)
		if m.Doc == "" || strings.Contains(m.Doc, "\n") || !strings.HasPrefix(m.Source, "https://") {
			t.Errorf("%s: doc %q, source %q", name, m.Doc, m.Source)
		}
		for _, p := range m.Params {
			if p.Doc == "" {
				t.Errorf("%s: parameter %s has no doc", name, p.Name)
			}
		}
		if b, err := bind(Request{Method: name}); err != nil || b.label != name {
			t.Errorf("%s does not run with its defaults: %q, %v", name, b.label, err)
		}
	}
	for _, want := range []string{"gradient", "gradcam", "gradcam++", "normgrad", "smooth-gradcam++"} {
		if !slices.Contains(names, want) {
			t.Errorf("no method %s", want)
		}
	}
}

func TestRequests(t *testing.T) {
	r, err := ParseRequest("smooth-gradcam++:n=4:neurons=1:3,0:2:variant=paper")
	if err != nil || r.Options["n"] != "4" || r.Options["neurons"] != "1:3,0:2" || r.Options["variant"] != "paper" {
		t.Errorf("%+v, %v", r, err)
	}
	b, err := bind(r)
	if err != nil || b.label != "smooth-gradcam++-paper-neurons=1:3,0:2-n=4" {
		t.Errorf("label %q, %v", b.label, err)
	}
	grid, err := Expand(Request{"normgrad", Options{"phase1": "bias|scaling", "phase2": "all"}})
	if err != nil || len(grid) != 8 {
		t.Errorf("%d cells, %v; want 8", len(grid), err)
	}
	for spec, want := range map[string]string{
		"gradcamm":                            "did you mean",
		"gradcam:0":                           "option=value",
		"normgrad:phase1=convv1x1":            "did you mean",
		"normgrad:phse1=bias":                 "did you mean",
		"gradient:reduce=median":              "want one of",
		"smooth-gradcam++:n=0":                "want 1 to",
		"smooth-gradcam++:n=x":                "whole number",
		"smooth-gradcam++:noise-spread=-1":    "negative",
		"smooth-gradcam++:noise-sigma=NaN":    "want a number",
		"smooth-gradcam++:channels=3-1":       "0,2,5-9",
		"smooth-gradcam++:channels=0-9999999": "0,2,5-9",
		"smooth-gradcam++:neurons=1:3":        "y0:y1,x0:x1",
		"smooth-gradcam++:neurons=3:1,0:2":    "y0 < y1",
		"smooth-gradcam++:top-channels=-1":    "0 or more",
	} {
		r, err := ParseRequest(spec)
		if err == nil {
			_, err = bind(r)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
}

func TestParseTarget(t *testing.T) {
	labels := []string{"cat", "Dog", "7"}
	z := []float32{0.5, -1, 3}
	for s, want := range map[string][]int{
		"argmax": {2}, "": {2}, "argmin": {1}, "top2": {2, 0}, "top9": {2, 0, 1}, "0": {0}, "cat": {0}, "dog": {1}, "7": {2},
	} {
		target, err := ParseTarget(s, labels)
		if err != nil {
			t.Errorf("%q: %v", s, err)
			continue
		}
		if got, err := target.classes(z); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v; want %v", s, got, err, want)
		}
	}
	for s, want := range map[string]string{"-1": "from 0", "ct": "did you mean \"cat\"", "top0": "top1", "top9999": "top100"} {
		if _, err := ParseTarget(s, labels); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", s, err, want)
		}
	}
	if _, err := Class(3).classes(z); err == nil {
		t.Error("class 3 of 3 was accepted")
	}
}

func TestSelectChannels(t *testing.T) {
	w := []float64{1, -5, 2, 3}
	for _, tc := range []struct {
		s    sgcpp
		want []float64
	}{
		{sgcpp{}, w},
		{sgcpp{channels: []int{0, 2}}, []float64{1, 0, 2, 0}},
		{sgcpp{top: 2}, []float64{0, -5, 0, 3}},
		{sgcpp{channels: []int{0, 2, 3}, top: 2}, []float64{0, 0, 2, 3}},
	} {
		got, err := tc.s.selectChannels(w)
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%+v: %v, %v; want %v", tc.s, got, err, tc.want)
		}
	}
	if _, err := (sgcpp{channels: []int{4}}).selectChannels(w); err == nil {
		t.Error("channel 4 of 4 was accepted")
	}
}
